"""How a subscription stands, in words for its customer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claw_webhook.billing import Standing
from claw_webhook.front.accounts import Held
from claw_webhook.front.standing_words import Card, card
from tests.unit.webhook.stripe_documents import plan

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PRO = plan("pro")


def shown(standing: Standing, *, sold: bool = True, timezone: str = "UTC", **changes: Any) -> Card:
    """The card of a subscription."""
    facts: dict[str, Any] = {
        "id": "sub_1",
        "plan": "pro",
        "standing": standing,
        "trial_end": NOW + timedelta(days=1),
        "grace_until": NOW + timedelta(days=2),
        "paid_until": NOW + timedelta(days=3),
        "cancels": False,
        "deletion_at": None,
        "instance": "claw-1",
        "url": "https://assistant.example",
    }
    return card(Held(**facts | changes), PRO if sold else None, timezone=timezone, now=NOW)


@pytest.mark.parametrize(
    ("standing", "changes", "words"),
    [
        (Standing.TRIALING, {}, "Free until Monday, 23 November 2026"),
        (Standing.TRIALING, {"cancels": True}, "runs until Monday, 23 November 2026"),
        (Standing.ACTIVE, {}, "Paid until Wednesday, 25 November 2026"),
        (Standing.ACTIVE, {"cancels": True}, "runs until Wednesday, 25 November 2026"),
        (Standing.GRACE, {}, "goes on until Tuesday, 24 November 2026"),
        (Standing.UNPAID, {}, "Your data is kept"),
        (Standing.PAUSED, {}, "nothing is charged"),
        (Standing.ENDED, {"deletion_at": NOW + timedelta(days=9)}, "kept until Tuesday, 1 December 2026"),
        (Standing.ENDED, {"deletion_at": NOW}, "being deleted"),
        (Standing.ENDED, {"deletion_at": datetime.max.replace(tzinfo=UTC)}, "Its data is kept."),
        (Standing.ENDED, {}, "Its data is kept."),
        (Standing.ENDED, {"instance": None}, "has been deleted"),
        (Standing.NOT_YET, {}, "when the first payment has come"),
    ],
)
def test_every_standing_has_its_words(standing: Standing, changes: dict[str, Any], words: str) -> None:
    assert words in shown(standing, **changes).text


def test_days_are_the_customers_own() -> None:
    late = datetime(2026, 11, 25, 20, tzinfo=UTC)
    assert "25 November" in shown(Standing.ACTIVE, paid_until=late).text
    assert "26 November" in shown(Standing.ACTIVE, paid_until=late, timezone="Asia/Tokyo").text


def test_who_has_ended_comes_back_or_takes_the_data_and_cannot_change_the_plan() -> None:
    ended = shown(Standing.ENDED)
    assert (ended.resume, ended.export, ended.portal, ended.url) == ("pro", True, None, None)
    assert shown(Standing.ENDED, instance=None).resume is None
    assert shown(Standing.ENDED, sold=False).resume is None


def test_who_is_late_is_led_to_pay() -> None:
    for standing in (Standing.GRACE, Standing.UNPAID):
        assert shown(standing).portal == "Pay, or change card"
        assert shown(standing).tone == "trouble"


def test_a_plan_that_is_gone_is_called_by_its_name() -> None:
    assert (shown(Standing.ACTIVE).plan, shown(Standing.ACTIVE, sold=False).plan) == ("Pro", "pro")
