"""One account's calls: in virtual time, so that an hour's limit is tried in milliseconds."""

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from claw_operator.external import RateLimited
from claw_operator.external.budget import Budget, Lane
from tests.unit.operator.virtual_time import in_virtual_time, now


def budget(per_second: float = 1.0, burst: int = 1, **options: Any) -> Budget:
    return Budget("the account", per_second=per_second, burst=burst, monotonic=now, **options)


async def taken(budget: Budget, lane: Lane = Lane.URGENT) -> float:
    """When the call was allowed."""
    await budget.take(lane)
    return now()


async def refused(taking: Coroutine[Any, Any, object]) -> float:
    """For how long it was sent away."""
    with pytest.raises(RateLimited) as refusal:
        await taking
    return refusal.value.retry_after


def test_a_burst_goes_at_once_and_the_rest_at_the_account_s_pace() -> None:
    async def story() -> None:
        calls = budget(per_second=2.0, burst=3)
        times = await asyncio.gather(*(taken(calls) for _ in range(6)))
        assert times == pytest.approx([0, 0, 0, 0.5, 1.0, 1.5])

    in_virtual_time(story())


def test_what_is_urgent_goes_before_what_has_waited_longer() -> None:
    async def story() -> None:
        calls, order = budget(burst=1), list[str]()

        async def call(name: str, lane: Lane) -> None:
            await calls.take(lane)
            order.append(name)

        await calls.take(Lane.URGENT)
        await asyncio.gather(
            call("sweep", Lane.ROUTINE),
            call("drift", Lane.ROUTINE),
            call("delete", Lane.URGENT),
            call("new", Lane.URGENT),
        )
        assert order == ["delete", "new", "sweep", "drift"]

    in_virtual_time(story())


def test_routine_leaves_the_reserve_to_what_is_urgent() -> None:
    async def story() -> None:
        calls = budget(burst=10, reserve=0.2)
        at_once = [await taken(calls, Lane.ROUTINE) for _ in range(8)]
        assert at_once == [0] * 8
        waiting = asyncio.create_task(taken(calls, Lane.ROUTINE))
        await asyncio.sleep(0)
        assert [await taken(calls), await taken(calls)] == [0, 0], "the reserve is there for this"
        assert await waiting == pytest.approx(3), "two for the reserve, one to spend"

    in_virtual_time(story())


def test_a_budget_of_one_call_has_no_reserve_that_routine_would_wait_for() -> None:
    async def story() -> None:
        calls = budget(burst=1, reserve=0.5)
        assert [await taken(calls, Lane.ROUTINE), await taken(calls, Lane.ROUTINE)] == pytest.approx([0, 1])

    in_virtual_time(story())


@pytest.mark.parametrize("seed", range(10))
def test_many_callers_never_exceed_the_budget_and_nobody_is_forgotten(seed: int) -> None:
    random = Random(seed)
    per_second, burst = random.uniform(0.5, 10), random.randint(1, 30)
    spacing = random.choice([0.0, 0.5 / per_second])
    allowed: list[float] = []
    sent_away: list[float] = []
    cancelled = 0

    async def caller(calls: Budget) -> None:
        await asyncio.sleep(random.uniform(0, 20))
        came = now()
        try:
            await calls.take(random.choice(list(Lane)))
        except RateLimited as refusal:
            sent_away.append(now() + refusal.retry_after - came)
            return
        allowed.append(now())

    async def story() -> None:
        nonlocal cancelled
        calls = budget(per_second=per_second, burst=burst, spacing=spacing, patience=20)
        callers = [asyncio.create_task(caller(calls)) for _ in range(300)]
        for _ in range(50):
            await asyncio.sleep(0.4)
            random.choice(callers).cancel()
        for result in await asyncio.gather(*callers, return_exceptions=True):
            cancelled += isinstance(result, asyncio.CancelledError)
            assert result is None or isinstance(result, asyncio.CancelledError)
        assert await taken(calls) < 60, "the budget is alive afterwards"

    in_virtual_time(story())
    assert len(allowed) + len(sent_away) + cancelled == 300
    assert all(seconds > 20 for seconds in sent_away), "these could have waited"
    assert allowed == sorted(allowed)
    for first, begin in enumerate(allowed):
        for last in range(first, len(allowed)):
            assert last - first + 1 <= burst + per_second * (allowed[last] - begin) + 0.001
    assert all(later - earlier >= spacing - 0.001 for earlier, later in pairwise(allowed))
    # And no call is held back without need: while somebody waits, the pace is used up.
    assert len(allowed) >= min(300 - cancelled, 0.9 * per_second * 20)


def test_an_hour_s_limit_holds_in_every_hour_burst_included() -> None:
    async def story() -> None:
        calls = Budget.within("the account", calls=100, seconds=3600, burst=40, patience=7200, monotonic=now)
        times = await asyncio.gather(*(taken(calls) for _ in range(150)))
        assert times.count(0) == 40
        for begin in times:
            assert sum(begin <= time < begin + 3599.99 for time in times) <= 100

    in_virtual_time(story())


def test_where_single_seconds_are_limited_too_a_burst_is_spread() -> None:
    async def story() -> None:
        calls = budget(per_second=1, burst=4, spacing=0.25)
        assert await asyncio.gather(*(taken(calls) for _ in range(6))) == pytest.approx([0, 0.25, 0.5, 0.75, 1, 2])
        await asyncio.sleep(10)
        calls.pause(1)
        assert await asyncio.gather(*(taken(calls) for _ in range(3))) == pytest.approx([13, 13.25, 13.5])

    in_virtual_time(story())


def test_who_would_wait_too_long_for_its_place_in_a_spread_burst_is_sent_away() -> None:
    async def story() -> None:
        calls = budget(per_second=100, burst=100, spacing=1, patience=2)
        waiting = [asyncio.create_task(taken(calls)) for _ in range(3)]
        await asyncio.sleep(0)
        assert await refused(calls.take(Lane.URGENT)) == pytest.approx(3)
        assert await asyncio.gather(*waiting) == pytest.approx([0, 1, 2])

    in_virtual_time(story())


def test_who_would_wait_too_long_is_told_so_at_once() -> None:
    async def story() -> None:
        calls = budget(per_second=0.1, burst=1, patience=30)
        waiting = [asyncio.create_task(taken(calls)) for _ in range(4)]
        await asyncio.sleep(0)
        assert await refused(calls.take(Lane.URGENT)) == pytest.approx(40)
        assert now() == 0
        assert await asyncio.gather(*waiting) == pytest.approx([0, 10, 20, 30])

    in_virtual_time(story())


def test_routine_that_is_overtaken_for_too_long_is_sent_away() -> None:
    async def story() -> None:
        calls = budget(per_second=1, burst=1, patience=5)
        await calls.take(Lane.URGENT)
        routine = asyncio.create_task(refused(calls.take(Lane.ROUTINE)))
        await asyncio.sleep(0)
        await asyncio.gather(*(taken(calls) for _ in range(5)))
        assert await routine == pytest.approx(6)

    in_virtual_time(story())


def test_a_pause_holds_back_everybody_and_a_shorter_one_does_not_shorten_it() -> None:
    async def story() -> None:
        calls = budget(per_second=100, burst=50)
        calls.pause(20)
        calls.pause(5)
        assert await asyncio.gather(taken(calls), taken(calls, Lane.ROUTINE)) == pytest.approx([20, 20])
        calls.pause(3)
        calls.pause(8)
        assert await taken(calls) == pytest.approx(28), "a longer one extends it"

    in_virtual_time(story())


def test_a_pause_sends_away_whoever_waits_and_cannot_wait_that_long() -> None:
    async def story() -> None:
        calls = budget(per_second=1, burst=1, patience=30)
        await calls.take(Lane.URGENT)
        waiting = asyncio.create_task(refused(calls.take(Lane.URGENT)))
        await asyncio.sleep(0)
        calls.pause(600)
        assert await waiting == pytest.approx(600)
        assert now() == 0, "there is nothing to wait for"

    in_virtual_time(story())


def test_after_a_pause_no_more_than_a_burst_has_gathered() -> None:
    async def story() -> None:
        calls = budget(per_second=1, burst=2, patience=100)
        calls.pause(50)
        assert await asyncio.gather(*(taken(calls) for _ in range(4))) == pytest.approx([50, 50, 51, 52])

    in_virtual_time(story())


def test_when_the_provider_says_that_nothing_is_left_the_next_call_is_made_in_the_next_window() -> None:
    async def story() -> None:
        calls = budget(per_second=100, burst=50)
        calls.told(limit_per_hour=None, remaining=2, reset_seconds=25)
        assert await asyncio.gather(*(taken(calls) for _ in range(4))) == pytest.approx([0, 0, 25, 25])

    in_virtual_time(story())


def test_an_older_answer_that_arrives_late_gives_nothing_back() -> None:
    async def story() -> None:
        calls = budget(per_second=100, burst=50)
        calls.told(limit_per_hour=None, remaining=0, reset_seconds=25)
        calls.told(limit_per_hour=None, remaining=3, reset_seconds=25)
        assert await taken(calls) == pytest.approx(25)
        calls.told(limit_per_hour=None, remaining=3, reset_seconds=25)
        assert await taken(calls) == pytest.approx(25), "this is of the next window"

    in_virtual_time(story())


def test_a_lower_limit_slows_us_down_and_a_higher_one_does_not_hurry_us() -> None:
    async def story() -> None:
        calls = budget(per_second=1, burst=1)
        await calls.take(Lane.URGENT)
        calls.told(limit_per_hour=360, remaining=None, reset_seconds=None)
        assert await taken(calls) == pytest.approx(10)
        calls.told(limit_per_hour=36_000, remaining=None, reset_seconds=None)
        assert await taken(calls) == pytest.approx(11)

    in_virtual_time(story())


@pytest.mark.parametrize(
    ("limit", "remaining", "reset"), [(0, None, None), (-5, 0, None), (None, 0, -3), (None, 0, 1e9), (None, None, 10)]
)
def test_nonsense_in_headers_does_not_hold_us_back(limit: float | None, remaining: float | None, reset: float) -> None:
    async def story() -> None:
        calls = budget(per_second=1, burst=2)
        calls.told(limit_per_hour=limit, remaining=remaining, reset_seconds=reset)
        assert await asyncio.gather(*(taken(calls) for _ in range(3))) == pytest.approx([0, 0, 1])

    in_virtual_time(story())


def test_who_gives_up_waiting_takes_nobody_s_turn() -> None:
    async def story() -> None:
        calls = budget(per_second=1, burst=1)
        await calls.take(Lane.URGENT)
        waiting = [asyncio.create_task(taken(calls)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        calls.pause(0)  # somebody looks at the queue before the cancelled one has left it
        assert await asyncio.gather(*waiting[1:]) == pytest.approx([1, 2])

    in_virtual_time(story())


async def test_who_is_cancelled_in_the_moment_of_its_turn_gives_the_call_back() -> None:
    seconds = 0.0
    calls = Budget("the account", per_second=0.1, burst=1, monotonic=lambda: seconds)
    await calls.take(Lane.URGENT)
    late = asyncio.create_task(calls.take(Lane.URGENT))
    await asyncio.sleep(0)
    seconds = 10.0
    calls.pause(0)  # its turn has come, and it has not run since
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    async with asyncio.timeout(1):
        await calls.take(Lane.URGENT)


def test_a_budget_without_calls_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(ValueError, match="the account"):
        Budget("the account", per_second=0, burst=1)
