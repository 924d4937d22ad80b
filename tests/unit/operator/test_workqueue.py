"""What the queue promises, in virtual time: one pass of a key at once, nothing lost, nothing hurried."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

import pytest

from claw_operator.workqueue import Backoff, Result, WorkQueue
from tests.unit.operator.virtual_time import in_virtual_time, now

Process = Callable[[str], Awaitable[Result]]


class Passes:
    """What was processed when, and how a pass goes."""

    def __init__(self, seconds: float = 0.0, result: Result | None = None) -> None:
        self.started: list[tuple[float, str]] = []
        self.seconds = seconds
        self.result = result or Result()

    async def __call__(self, key: str) -> Result:
        self.started.append((round(now(), 6), key))
        await asyncio.sleep(self.seconds)
        return self.result

    def of(self, key: str) -> list[float]:
        """When passes of that key began."""
        return [moment for moment, whose in self.started if whose == key]


@asynccontextmanager
async def running(process: Process, *, workers: int = 5, random: float = 1.0) -> AsyncIterator[WorkQueue]:
    """A queue whose workers run; stopped at the end."""
    queue = WorkQueue(process, random=lambda: random, workers=workers, monotonic=now)
    queue.start()
    try:
        yield queue
    finally:
        await queue.stop(0.0)


def test_a_change_is_processed_at_once_and_then_rests() -> None:
    async def story() -> None:
        passes = Passes()
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(3600)
        assert passes.started == [(0.0, "a")]

    in_virtual_time(story())


@pytest.mark.parametrize("seed", range(20))
def test_a_key_is_never_processed_twice_at_once_and_no_change_is_lost(seed: int) -> None:
    async def story() -> None:
        chance, added = Random(seed), defaultdict(list)
        started: defaultdict[str, list[float]] = defaultdict(list)
        at_work: set[str] = set()

        async def process(key: str) -> Result:
            assert key not in at_work
            at_work.add(key)
            started[key].append(now())
            await asyncio.sleep(chance.choice([0.0, 0.1, 2.0]))
            at_work.discard(key)
            return Result(requeue_after=chance.choice([None, 0.0, 1.0]), failed=chance.random() < 0.3)

        async with running(process, workers=3) as queue:
            for _ in range(200):
                key = chance.choice("abcde")
                added[key].append(now())
                queue.add(key)
                await asyncio.sleep(chance.choice([0.0, 0.05, 1.0]))
            await asyncio.sleep(300)
            assert queue.trouble() is None
        for key, moments in added.items():
            assert started[key][-1] >= moments[-1]

    in_virtual_time(story())


def test_a_change_during_a_pass_is_followed_by_another_pass_at_once() -> None:
    async def story() -> None:
        passes = Passes(seconds=5.0, result=Result(requeue_after=60.0))
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(1)
            queue.add("a")
            queue.add("a")
            await asyncio.sleep(30)
        assert passes.of("a") == [0.0, 5.0]

    in_virtual_time(story())


def test_a_change_during_the_last_pass_of_an_object_that_is_gone_is_looked_at() -> None:
    async def story() -> None:
        passes = Passes(seconds=5.0, result=Result(done=True))
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(1)
            queue.add("a")
            await asyncio.sleep(30)
        assert passes.of("a") == [0.0, 5.0]

    in_virtual_time(story())


def test_what_is_due_comes_when_it_is_due_and_again_and_again() -> None:
    async def story() -> None:
        passes = Passes(result=Result(requeue_after=60.0))
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(200)
        assert passes.of("a") == [0.0, 60.0, 120.0, 180.0]

    in_virtual_time(story())


def test_a_change_replaces_what_was_due() -> None:
    async def story() -> None:
        passes = Passes(result=Result(requeue_after=60.0))
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(50)
            queue.add("a")
            await asyncio.sleep(65)
        assert passes.of("a") == [0.0, 50.0, 110.0]

    in_virtual_time(story())


def test_failures_grow_apart_up_to_a_minute() -> None:
    async def story() -> None:
        passes = Passes(result=Result(failed=True))
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(300)
        moments = passes.of("a")
        gaps = [round(after - before, 6) for before, after in pairwise(moments)]
        assert gaps[:9] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]

    in_virtual_time(story())


@pytest.mark.parametrize("failures", [1, 2, 5, 8, 50, 10_000])
def test_half_of_a_gap_is_jitter(failures: int) -> None:
    backoff = Backoff()
    longest = backoff.seconds(failures, lambda: 1.0)
    assert longest == min(0.5 * 2.0 ** min(failures - 1, 30), 60.0)
    assert backoff.seconds(failures, lambda: 0.0) == longest / 2
    assert longest / 2 < backoff.seconds(failures, lambda: 0.3) < longest


def test_a_success_ends_the_growth() -> None:
    async def story() -> None:
        passes = Passes(result=Result(failed=True))
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(3)
            passes.result = Result()
            await asyncio.sleep(10)
            passes.result = Result(failed=True)
            queue.add("a")
            await asyncio.sleep(0.6)
        assert passes.of("a")[-2:] == [13.0, 13.5]

    in_virtual_time(story())


def test_a_change_ends_a_backoff() -> None:
    async def story() -> None:
        passes = Passes(result=Result(failed=True))
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(40)  # the next pass would come at 63.5
            queue.add("a")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert passes.of("a")[-1] == 40.0

    in_virtual_time(story())


@pytest.mark.parametrize(("asked", "seconds"), [(90.0, 90.0), (0.1, 0.5), (None, 0.5)])
def test_after_a_failure_the_longer_of_wait_and_backoff_counts(asked: float | None, seconds: float) -> None:
    async def story() -> None:
        passes = Passes(result=Result(requeue_after=asked, failed=True))
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(seconds)
            await asyncio.sleep(0.001)
        assert passes.of("a") == [0.0, seconds]

    in_virtual_time(story())


def test_what_changed_goes_before_what_is_due() -> None:
    async def story() -> None:
        passes = Passes(seconds=1.0, result=Result(requeue_after=5.0))
        async with running(passes, workers=1) as queue:
            for key in ("due-1", "due-2", "due-3"):
                queue.add(key)
            await asyncio.sleep(3.5)  # due at 6, 7 and 8
            passes.seconds, passes.result = 10.0, Result()
            queue.add("long")  # holds the worker until 13.5
            await asyncio.sleep(8)
            queue.add("new")
            queue.add("due-3")  # waits already, and has changed now
            await asyncio.sleep(60)
        assert [key for _, key in passes.started[3:]] == ["long", "new", "due-3", "due-1", "due-2"]

    in_virtual_time(story())


def test_a_pass_that_raises_is_a_bug_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        started: list[float] = []

        async def process(_: str) -> Result:
            started.append(now())
            raise KeyError("a bug")

        async with running(process) as queue:
            queue.add("a")
            await asyncio.sleep(2)
            assert queue.trouble() is None
        assert started == [0.0, 0.5, 1.5]

    in_virtual_time(story())
    assert {record.getMessage() for record in caplog.records} == {"pass failed; this is a bug"}
    assert all(record.exc_info for record in caplog.records)


def test_a_pass_that_takes_too_long_is_ended_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        passes = Passes(seconds=1000.0)
        async with running(passes) as queue:
            queue.add("a")
            await asyncio.sleep(121)
            assert queue.trouble() is None
        assert passes.of("a") == [0.0, 120.5]

    in_virtual_time(story())
    assert [record.getMessage() for record in caplog.records] == ["pass took too long"]


def test_a_timeout_that_nobody_translated_is_a_bug_and_not_a_long_pass(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async def process(_: str) -> Result:
            raise TimeoutError

        async with running(process) as queue:
            queue.add("a")
            await asyncio.sleep(0.1)

    in_virtual_time(story())
    assert [record.getMessage() for record in caplog.records] == ["pass failed; this is a bug"]


class TestTrouble:
    """When /healthz turns red."""

    def test_before_the_start(self) -> None:
        async def story() -> None:
            assert WorkQueue(Passes(), random=lambda: 1.0).trouble() == "the work queue has not been started"

        in_virtual_time(story())

    def test_when_a_worker_died(self) -> None:
        class Death(BaseException):
            """Nothing that a worker survives."""

        async def story() -> None:
            async def process(_: str) -> Result:
                raise Death

            async with running(process) as queue:
                queue.add("a")
                await asyncio.sleep(1)
                assert queue.trouble() == "a worker has ended"

        in_virtual_time(story())

    def test_when_a_pass_does_not_even_end_when_it_is_cancelled(self) -> None:
        async def story() -> None:
            async def process(_: str) -> Result:
                for _attempt in range(3):
                    try:
                        await asyncio.sleep(1000)
                    except asyncio.CancelledError:
                        continue
                return Result()

            async with running(process) as queue:
                queue.add("a")
                await asyncio.sleep(134)
                assert queue.trouble() is None
                await asyncio.sleep(2)
                assert queue.trouble() == "a pass has been running for more than 135 s"

        in_virtual_time(story())

    def test_when_an_object_waits_for_a_pass_for_too_long(self) -> None:
        async def story() -> None:
            passes = Passes(seconds=100.0)
            async with running(passes, workers=1) as queue:
                for key in "abc":
                    queue.add(key)
                await asyncio.sleep(134)
                assert queue.trouble() is None
                await asyncio.sleep(2)
                assert queue.trouble() == "an instance has been waiting for a pass for more than 135 s"
                await asyncio.sleep(100)
                assert queue.trouble() is None

        in_virtual_time(story())


def test_the_depth_counts_objects_and_not_changes() -> None:
    async def story() -> None:
        passes = Passes(seconds=1.0)
        async with running(passes, workers=1) as queue:
            queue.add("running")
            await asyncio.sleep(0.5)
            for _ in range(1000):
                queue.add("a")
                queue.add("b")
            assert queue.depth == 2
            assert queue._queue.qsize() == 2  # a storm of changes while all workers are busy must not fill the memory
            await asyncio.sleep(10)
            assert queue.depth == 0
        assert passes.started == [(0.0, "running"), (1.0, "a"), (2.0, "b")]

    in_virtual_time(story())


def test_an_object_that_is_gone_leaves_nothing_behind() -> None:
    async def story() -> None:
        async with running(Passes(result=Result(done=True))) as queue:
            for number in range(100):
                queue.add(str(number))
            await asyncio.sleep(1)
            assert queue._items == {}

    in_virtual_time(story())


class TestStop:
    """The end of a process."""

    def test_running_passes_finish(self) -> None:
        async def story() -> None:
            finished: list[str] = []

            async def process(key: str) -> Result:
                await asyncio.sleep(5)
                finished.append(key)
                return Result(requeue_after=0.0)

            queue = WorkQueue(process, random=lambda: 1.0, workers=2, monotonic=now)
            queue.start()
            queue.add("a")
            queue.add("b")
            await asyncio.sleep(1)
            await queue.stop(20.0)
            assert (finished, now()) == (["a", "b"], 5.0)

        in_virtual_time(story())

    def test_nothing_new_is_taken_up(self) -> None:
        async def story() -> None:
            passes = Passes(seconds=5.0, result=Result(requeue_after=1.0))
            queue = WorkQueue(passes, random=lambda: 1.0, workers=2, monotonic=now)
            queue.start()
            queue.add("a")
            await asyncio.sleep(1)
            queue.add("b")
            queue.add("a")
            await queue.stop(20.0)
            queue.add("c")
            await asyncio.sleep(60)
            assert passes.started == [(0.0, "a")]

        in_virtual_time(story())

    def test_what_is_late_is_cancelled(self) -> None:
        async def story() -> None:
            queue = WorkQueue(Passes(seconds=50.0), random=lambda: 1.0, workers=2, monotonic=now)
            queue.start()
            queue.add("a")
            await asyncio.sleep(1)
            await queue.stop(20.0)
            assert now() == 21.0

        in_virtual_time(story())

    def test_it_may_be_told_twice_or_before_the_start(self) -> None:
        async def story() -> None:
            queue = WorkQueue(Passes(), random=lambda: 1.0)
            await queue.stop(20.0)
            queue = WorkQueue(Passes(), random=lambda: 1.0)
            queue.start()
            await queue.stop(20.0)
            await queue.stop(20.0)
            assert now() == 0.0

        in_virtual_time(story())
