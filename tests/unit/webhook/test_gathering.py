"""How a counter becomes stretches of usage: none is counted twice, and none is left out."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw_crds.plan import Metered
from claw_crds.v1alpha1 import UsageStatus
from claw_webhook.metered.gathering import Reading, Stretch, WentBackwards, counted, gather

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
MESSAGES, OTHER = "claw_messages", "claw_other"


def reading(value: int, *, month: datetime = NOVEMBER, meter: str = MESSAGES) -> Reading:
    return Reading(meter, month, value)


def stretch(
    begin: int, end: int, *, month: datetime = NOVEMBER, meter: str = MESSAGES, is_open: bool = True
) -> Stretch:
    return Stretch(meter, month, begin, end, open=is_open)


def test_a_new_instance_is_billed_from_its_first_message() -> None:
    assert gather(None, reading(7), made_at=datetime(2026, 11, 5, tzinfo=UTC)) == stretch(0, 7)


def test_what_was_used_before_the_plan_had_a_meter_is_not_billed() -> None:
    assert gather(None, reading(700), made_at=OCTOBER) == stretch(700, 700)


def test_an_open_stretch_grows() -> None:
    assert gather(stretch(0, 7), reading(9), made_at=OCTOBER) == stretch(0, 9)


def test_after_a_closed_one_the_next_begins_where_it_ended() -> None:
    assert gather(stretch(0, 7, is_open=False), reading(9), made_at=OCTOBER) == stretch(7, 9)


@pytest.mark.parametrize("is_open", [True, False])
def test_a_counter_that_rests_says_nothing_new(is_open: bool) -> None:
    assert gather(stretch(0, 7, is_open=is_open), reading(7), made_at=OCTOBER) is None


@pytest.mark.parametrize("is_open", [True, False])
def test_a_new_month_begins_at_zero_and_leaves_the_old_one_as_it_was(is_open: bool) -> None:
    old = stretch(0, 900, month=OCTOBER, is_open=is_open)
    assert gather(old, reading(3), made_at=OCTOBER) == stretch(0, 3)
    assert gather(old, reading(0), made_at=OCTOBER) is None


def test_an_old_months_counter_comes_too_late() -> None:
    assert gather(stretch(0, 7), reading(900, month=OCTOBER), made_at=OCTOBER) is None


def test_another_meter_begins_where_the_counter_stands() -> None:
    assert gather(stretch(0, 7), reading(9, meter=OTHER), made_at=OCTOBER) == stretch(9, 9, meter=OTHER)


def test_a_counter_that_goes_backwards_is_told_with_both_values() -> None:
    with pytest.raises(WentBackwards, match="from 7 to 5"):
        gather(stretch(0, 7), reading(5), made_at=OCTOBER)


def test_tokens_are_those_read_and_those_written() -> None:
    usage = UsageStatus(period_start=NOVEMBER, messages_used=3, input_tokens=50, output_tokens=7)
    assert counted(usage, Metered.MESSAGES) == 3
    assert counted(usage, Metered.TOKENS) == 57


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=30))
def test_whenever_it_is_read_and_sent_everything_is_billed_once(steps: list[tuple[int, bool]]) -> None:
    value, newest, billed = 0, None, 0
    for more, is_closed in steps:
        value += more
        newest = gather(newest, reading(value), made_at=NOVEMBER) or newest
        assert newest is not None
        if is_closed and newest.open and newest.to_value > newest.from_value:
            billed += newest.to_value - newest.from_value
            newest = stretch(newest.from_value, newest.to_value, is_open=False)
    unbilled = newest.to_value - newest.from_value if newest and newest.open else 0
    assert billed + unbilled == value
