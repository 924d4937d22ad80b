"""What arrives at the same time is done together, and nobody waits for company."""

import asyncio
from collections.abc import Sequence

import pytest

from claw_webhook.batches import Batches


class Work:
    """Doubles numbers; waits for `go` before it answers, and refuses a batch with a zero in it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()

    async def together(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.go.wait()
        if 0 in items:
            raise ValueError("nothing to double")
        return [2 * item for item in items]


async def added(batches: Batches[int, int], *items: int) -> list[asyncio.Task[int]]:
    """Added in this order, each on its way."""
    tasks = [asyncio.create_task(batches.add(item)) for item in items]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_alone_is_served_at_once() -> None:
    work = Work()
    work.go.set()
    batches = Batches(work.together, most=10, side_by_side=1)
    assert [await batches.add(item) for item in (1, 2)] == [2, 4]
    assert work.batches == [[1], [2]]


async def test_what_comes_meanwhile_is_one_batch_and_each_gets_its_own_result() -> None:
    work = Work()
    batches = Batches(work.together, most=10, side_by_side=1)
    first = await added(batches, 1)
    others = await added(batches, 2, 3, 4)
    work.go.set()
    assert await asyncio.gather(*first, *others) == [2, 4, 6, 8]
    assert work.batches == [[1], [2, 3, 4]]


async def test_a_batch_has_a_largest_size_and_so_many_go_side_by_side() -> None:
    work = Work()
    batches = Batches(work.together, most=2, side_by_side=2)
    tasks = [*await added(batches, 1), *await added(batches, 2), *await added(batches, 3, 4, 5)]
    assert work.batches == [[1], [2]]
    work.go.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
    assert sorted(work.batches) == [[1], [2], [3, 4], [5]]


async def test_a_failure_is_that_of_everything_in_the_batch_and_of_nothing_else() -> None:
    work = Work()
    batches = Batches(work.together, most=10, side_by_side=1)
    tasks = [*await added(batches, 1), *await added(batches, 0, 2)]
    work.go.set()
    first, *others = await asyncio.gather(*tasks, return_exceptions=True)
    assert first == 2
    assert [type(other) for other in others] == [ValueError, ValueError]
    assert await batches.add(3) == 6


async def test_who_does_not_wait_any_more_does_not_disturb_the_others() -> None:
    work = Work()
    batches = Batches(work.together, most=10, side_by_side=1)
    first = await added(batches, 1)
    gone, stays = await added(batches, 2, 3)
    gone.cancel()
    work.go.set()
    assert await asyncio.gather(*first, stays) == [2, 6]
    assert work.batches == [[1], [3]]
    with pytest.raises(asyncio.CancelledError):
        await gone
