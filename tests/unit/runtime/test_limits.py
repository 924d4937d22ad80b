"""Months, days and what is left."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from claw_crds.configuration import PlanConfiguration
from claw_crds.plan import Limits
from claw_runtime.usage.limits import Usage, day_after, month_after, month_of, refusal, remaining


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # a datetime's parts are what it is given


NOW = utc(2026, 11, 22, 12, 30, 15)
MONTH = utc(2026, 11, 1)


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        (NOW, MONTH, utc(2026, 12, 1)),
        (
            datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
            utc(2026, 12, 1),
            datetime(2027, 1, 1, tzinfo=UTC),
        ),
        (datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_a_period_is_a_calendar_month(now: datetime, start: datetime, end: datetime) -> None:
    assert month_of(now) == start
    assert month_after(start) == end


def test_a_month_begins_in_utc_wherever_the_clock_is() -> None:
    in_auckland = datetime(2026, 12, 1, 5, tzinfo=timezone(timedelta(hours=13)))

    assert month_of(in_auckland) == MONTH
    assert month_of(in_auckland).tzinfo is UTC
    assert day_after(in_auckland) == utc(2026, 12, 1)


@pytest.mark.parametrize(("limit", "used", "left"), [(None, 7, None), (10, 3, 7), (10, 10, 0), (5, 9, 0), (0, 0, 0)])
def test_what_remains_is_never_negative_and_no_limit_is_no_number(
    limit: int | None, used: int, left: int | None
) -> None:
    assert remaining(limit, used) == left


def plan(**limits: int) -> PlanConfiguration:
    return PlanConfiguration(name="starter", display_name="Starter", limits=Limits(**limits))


def test_a_refusal_tells_limit_use_and_reset() -> None:
    problem = refusal(plan(messages_per_month=10), Usage(MONTH, messages_used=10), NOW)

    document = problem.document("req")
    assert document["type"] == "https://claw.dev/problems/limit-reached"
    assert (document["limitName"], document["limit"], document["used"]) == ("messagesPerMonth", 10, 10)
    assert document["resetsAt"] == "2026-12-01T00:00:00Z"
    assert "Starter" in document["detail"]
    assert NOW + timedelta(seconds=int(problem.headers["Retry-After"])) >= utc(2026, 12, 1)


def test_tokens_are_refused_in_their_own_name() -> None:
    usage = Usage(MONTH, messages_used=1, input_tokens=70, output_tokens=30)

    document = refusal(plan(messages_per_month=10, tokens_per_month=100), usage, NOW).document(None)

    assert (document["limitName"], document["limit"], document["used"]) == ("tokensPerMonth", 100, 100)


def test_a_message_given_back_meanwhile_does_not_make_a_refusal_absurd() -> None:
    document = refusal(plan(messages_per_month=10), Usage(MONTH, messages_used=9), NOW).document(None)

    assert document["used"] == 10
