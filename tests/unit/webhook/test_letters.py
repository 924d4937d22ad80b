"""Which mails are still true when they leave, and the words they leave with."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claw_webhook.mails.letters import Button, Facts, button, letter, why_not

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINK = "https://claw.example/keys/" + "t" * 43
ACCOUNT = "https://claw.example/account"
TRUE_STANDING = {
    "welcome": "Active",
    "trial_ending": "Trialing",
    "payment_failed": "Grace",
    "suspended": "Unpaid",
    "resumed": "Active",
    "goodbye": "Ended",
    "deletion_week": "Ended",
    "deletion_day": "Ended",
    "sign_in": None,
    "message": "Active",
}
CAUSES = list(TRUE_STANDING)
MESSAGE = {
    "subject": "Clawdia: The card runs out in March",
    "text": "The bank has written:\n- the card runs out in March\n- a new one is on its way\n\nShall I remind you?",
}
FOR_GOOD = datetime.max.replace(tzinfo=UTC)


def facts(cause: str, **changes: Any) -> Facts:
    """What is known when a mail of this cause leaves in time."""
    ended = TRUE_STANDING[cause] == "Ended"
    usual: dict[str, Any] = {
        "cause": cause,
        "asked_at": NOW,
        "details": MESSAGE if cause == "message" else {"plan": "Pro", "amount": "$79.00"},
        "name": "Ada Lovelace",
        "timezone": "Europe/London",
        "erased": False,
        "instance": None if cause == "sign_in" else "claw-1",
        "url": "https://ada.example",
        "gone": False,
        "standing": TRUE_STANDING[cause],
        "since": NOW,
        "trial_end": NOW + timedelta(days=3),
        "grace_until": NOW + timedelta(days=7),
        "paid_until": NOW + timedelta(days=30),
        "deletion_at": NOW + timedelta(days=7) if ended else None,
    }
    return Facts(**usual | changes)


def words(about: Facts, *, until: datetime | None = None) -> dict[str, Any]:
    return dict(letter(about, link=LINK, link_until=until, account=ACCOUNT, now=NOW).words)


@pytest.mark.parametrize("cause", CAUSES)
def test_a_mail_whose_reason_holds_leaves(cause: str) -> None:
    assert why_not(facts(cause), NOW) is None


@pytest.mark.parametrize("cause", CAUSES)
def test_nobody_who_was_erased_gets_a_mail(cause: str) -> None:
    assert why_not(facts(cause, erased=True), NOW) == "the customer was erased"


@pytest.mark.parametrize(
    ("cause", "standing"),
    [
        ("welcome", "Ended"),
        ("trial_ending", "Active"),
        ("trial_ending", "Ended"),
        ("payment_failed", "Active"),
        ("payment_failed", "Unpaid"),
        ("suspended", "Active"),
        ("suspended", "Ended"),
        ("resumed", "Unpaid"),
        ("goodbye", "Active"),
        ("deletion_week", "Active"),
        ("deletion_day", "Trialing"),
    ],
)
def test_a_mail_whose_reason_is_gone_stays(cause: str, standing: str) -> None:
    assert why_not(facts(cause, standing=standing), NOW) is not None


@pytest.mark.parametrize("cause", ["deletion_week", "deletion_day"])
@pytest.mark.parametrize(
    "changes", [{"deletion_at": None}, {"gone": True}, {"deletion_at": NOW}, {"deletion_at": FOR_GOOD}]
)
def test_nobody_is_warned_of_a_deletion_that_is_not_to_come(cause: str, changes: dict[str, Any]) -> None:
    assert why_not(facts(cause, **changes), NOW) is not None


def test_a_welcome_waits_out_an_open_payment_because_it_carries_the_key() -> None:
    assert why_not(facts("welcome", standing="Unpaid"), NOW) is None


@pytest.mark.parametrize(("hours", "leaves"), [(23, True), (25, False)])
def test_what_an_assistant_has_to_tell_does_not_come_a_day_late(hours: int, leaves: bool) -> None:
    assert (why_not(facts("message", asked_at=NOW - timedelta(hours=hours)), NOW) is None) is leaves


@pytest.mark.parametrize("standing", ["Unpaid", "Paused", "Ended"])
def test_an_assistant_that_does_not_run_writes_no_mails(standing: str) -> None:
    assert why_not(facts("message", standing=standing), NOW) is not None


@pytest.mark.parametrize(("minutes", "leaves"), [(59, True), (61, False)])
def test_a_sign_in_that_comes_too_late_does_not_come(minutes: int, leaves: bool) -> None:
    assert (why_not(facts("sign_in", asked_at=NOW - timedelta(minutes=minutes)), NOW) is None) is leaves


def test_a_date_is_the_one_of_this_moment_and_in_the_customers_time_zone() -> None:
    late = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)
    assert words(facts("deletion_week", deletion_at=late))["date"] == "Sunday, 29 November 2026"
    assert words(facts("deletion_week", deletion_at=late, timezone="Asia/Tokyo"))["date"] == "Monday, 30 November 2026"
    assert words(facts("deletion_week", deletion_at=late, timezone="Asia/\x00"))["date"] == "Sunday, 29 November 2026"


def test_a_sign_in_tells_the_minute() -> None:
    until = NOW + timedelta(minutes=15)
    assert words(facts("sign_in", timezone="Europe/Berlin"), until=until)["until"] == "13:15 (Europe/Berlin)"


@pytest.mark.parametrize("changes", [{"deletion_at": None}, {"gone": True}, {"deletion_at": NOW}])
def test_a_goodbye_without_data_offers_none(changes: dict[str, Any]) -> None:
    about = facts("goodbye", **changes)
    assert why_not(about, NOW) is None
    assert button(about, NOW) is Button.PLANS
    assert words(about)["date"] is None


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_goodbye_with_data_that_is_kept_for_good_names_no_day(zone: str) -> None:
    about = facts("goodbye", deletion_at=FOR_GOOD, timezone=zone)
    assert button(about, NOW) is Button.EXPORT
    assert (words(about)["date"], words(about)["kept"]) == (None, True)
