"""Months, days, what is left, and who may begin."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw_crds.configuration import PlanConfiguration
from claw_crds.plan import Limits
from claw_runtime.usage.limits import (
    Underway,
    Usage,
    day_after,
    month_after,
    month_of,
    refusal,
    remaining,
    room,
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # a datetime's parts are what it is given


NOW = utc(2026, 11, 22, 12, 30, 15)
MONTH = utc(2026, 11, 1)
IDLE = Underway()


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


def refused(of_plan: PlanConfiguration, usage: Usage, underway: Underway = IDLE, **wish: Any) -> dict[str, Any] | None:
    """The problem's document; None where the turn may begin."""
    problem = refusal(of_plan, usage, underway, wish.get("source", "chat"), wish.get("needed", 1), NOW)
    return None if problem is None else problem.document("req") | {"wait": problem.headers.get("Retry-After")}


def test_a_refusal_tells_limit_use_and_reset() -> None:
    document = refused(plan(messages_per_month=10), Usage(MONTH, messages_used=10))

    assert document is not None
    assert document["type"] == "https://claw.dev/problems/limit-reached"
    assert (document["limitName"], document["limit"], document["used"]) == ("messagesPerMonth", 10, 10)
    assert document["resetsAt"] == "2026-12-01T00:00:00Z"
    assert "Starter" in document["detail"]
    assert NOW + timedelta(seconds=int(document["wait"])) >= utc(2026, 12, 1)


def test_without_a_limit_nothing_is_refused() -> None:
    assert refused(plan(), Usage(MONTH, 10**12, 10**12, 10**12), Underway(10**6, 10**12)) is None
    assert room(plan(), Usage(MONTH), IDLE, 5) is None


@pytest.mark.parametrize(
    ("used", "reserved", "needed", "allowed"),
    [(0, 0, 100, True), (0, 0, 101, False), (60, 0, 40, True), (60, 1, 40, False), (100, 0, 0, False)],
)
def test_tokens_that_answers_in_flight_hold_are_used_tokens(
    used: int, reserved: int, needed: int, allowed: bool
) -> None:
    usage = Usage(MONTH, input_tokens=used // 2, output_tokens=used - used // 2)

    document = refused(plan(tokens_per_month=100), usage, Underway(1, reserved), needed=needed)

    assert (document is None) is allowed
    if document is not None:
        assert (document["limitName"], document["used"]) == ("tokensPerMonth", used + reserved)


def test_streams_are_refused_for_a_moment_only() -> None:
    document = refused(plan(concurrent_streams=2), Usage(MONTH), Underway(streams=2))

    assert document is not None
    assert (document["limitName"], document["limit"], document["used"]) == ("concurrentStreams", 2, 2)
    assert "resetsAt" not in document
    assert int(document["wait"]) < 60
    assert refused(plan(concurrent_streams=2), Usage(MONTH), Underway(streams=1)) is None


def test_what_nobody_asked_for_is_no_message_and_no_stream_but_costs_tokens() -> None:
    tight = plan(messages_per_month=0, concurrent_streams=0, tokens_per_month=10)

    assert refused(tight, Usage(MONTH), source="heartbeat") is None
    document = refused(tight, Usage(MONTH, input_tokens=10), source="heartbeat")
    assert document is not None
    assert document["limitName"] == "tokensPerMonth"


@pytest.mark.parametrize(
    ("limit", "used", "needed", "granted"),
    [
        (800, 0, 10, 100),
        (800, 0, 300, 300),
        (800, 400, 10, 50),
        (800, 780, 10, 10),
        (800, 795, 10, 5),
        (800, 900, 10, 0),
    ],
    ids=["a share", "what it needs", "a share of what is left", "nearly nothing", "less than needed", "none"],
)
def test_a_turn_gets_a_share_of_what_is_left_and_at_least_what_it_needs(
    limit: int, used: int, needed: int, granted: int
) -> None:
    assert room(plan(tokens_per_month=limit), Usage(MONTH, input_tokens=used), IDLE, needed) == granted


@given(limit=st.integers(0, 10_000), wishes=st.lists(st.integers(1, 3_000), max_size=60))
def test_turns_side_by_side_never_hold_more_than_the_month_has(limit: int, wishes: list[int]) -> None:
    tight, held = plan(tokens_per_month=limit), 0
    for needed in wishes:
        if refused(tight, Usage(MONTH), Underway(0, held), needed=needed) is None:
            held += room(tight, Usage(MONTH), Underway(0, held), needed) or 0
    assert held <= limit
