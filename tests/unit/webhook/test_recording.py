"""What an outcome changes in the books, and what of that is told in the billing log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from claw_crds.v1alpha1 import ClawInstanceSpec
from claw_webhook.billing import Decision, Gone, Nothing, Refusal, RefusalReason, Standing, Wished
from claw_webhook.notices import Cause
from claw_webhook.recording import Books, after, differences

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(days=3)
LATER = NOW + timedelta(days=30)
SPEC = ClawInstanceSpec.model_validate(
    {"customer": {"id": "cus_1", "email": "ada@example.com"}, "planRef": {"name": "pro"}}
)
LEAVING = Books(
    customer="cus_1",
    plan="pro",
    standing="Ended",
    since=EARLIER,
    deletion_at=LATER,
    warned_at=EARLIER,
    hold="StripeUnavailable",
)


def test_a_paying_standing_clears_the_clock_the_warning_and_the_hold() -> None:
    books = after(LEAVING, Wished(SPEC, Standing.ACTIVE), set(), NOW)
    assert books == Books(customer="cus_1", plan="pro", standing="Active", since=NOW)


@pytest.mark.parametrize("standing", [standing for standing in Standing if not standing.is_served])
def test_a_hold_stays_while_nobody_pays(standing: Standing) -> None:
    assert after(LEAVING, Wished(SPEC, standing), set(), NOW).hold == "StripeUnavailable"


def test_the_day_on_which_it_got_there_stays_while_it_stands_the_same() -> None:
    again = Wished(SPEC, Standing.ENDED, deletion_at=LATER)
    assert after(LEAVING, again, set(), NOW) == LEAVING


def test_the_last_warning_is_remembered_with_the_moment_that_it_named() -> None:
    moved = LATER + timedelta(days=1)
    books = after(LEAVING, Wished(SPEC, Standing.ENDED, deletion_at=moved), {Cause.DELETION_DAY}, NOW)
    assert (books.deletion_at, books.warned_at) == (moved, NOW)


@pytest.mark.parametrize(("standing", "kept"), [(Standing.ACTIVE, None), (Standing.ENDED, LATER), (None, LATER)])
def test_a_refusal_changes_nothing_but_stops_the_clock_of_who_pays(
    standing: Standing | None, kept: datetime | None
) -> None:
    refusal = Refusal(RefusalReason.UNKNOWN_PRICE, "told to a person", standing=standing)
    books = after(LEAVING, refusal, set(), NOW)
    assert books == replace(LEAVING, deletion_at=kept, warned_at=kept and EARLIER)


@pytest.mark.parametrize("decision", [Nothing(Standing.ENDED), Gone()])
def test_an_end_without_an_instance_is_an_end(decision: Decision) -> None:
    assert after(Books(standing="NotYet", since=EARLIER), decision, set(), NOW).standing == "Ended"


def test_the_log_is_told_what_changed_and_nothing_else() -> None:
    books = after(LEAVING, Wished(SPEC, Standing.ACTIVE), set(), NOW)
    assert list(differences(LEAVING, books)) == [
        ("standing", "Ended", Standing.ACTIVE),
        ("deletion", LATER, None),
        ("hold", "StripeUnavailable", None),
    ]
    assert list(differences(books, books)) == []
