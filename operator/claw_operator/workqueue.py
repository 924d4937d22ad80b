"""A keyed work queue: one pass per object at a time, never two; backoff with jitter; delayed requeue.

What changed goes before what is only due for another look, so a new customer does not wait behind a thousand drift
checks. A change that arrives during a pass is not lost: the pass is followed by another one at once. A change that
arrives during a backoff ends the backoff: a corrected spec is tried now, not in a minute.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum

log = logging.getLogger(__name__)


class Lane(IntEnum):
    """Which goes first."""

    CHANGED = 0
    DUE = 1


@dataclass(frozen=True)
class Result:
    """What a pass says about the next one."""

    requeue_after: float | None = None
    """Seconds until the object is due; None waits for a change."""
    failed: bool = False
    """Adds backoff: the next pass comes after `requeue_after` or the backoff, whichever is longer."""
    done: bool = False
    """The object is gone; forget it."""


@dataclass(frozen=True)
class Backoff:
    """Growing gaps after failures, in seconds."""

    first: float = 0.5
    factor: float = 2.0
    limit: float = 60.0

    def seconds(self, failures: int, random: Callable[[], float]) -> float:
        """The gap after that many failures in a row; half of it is jitter, so that failures spread out."""
        gap = min(self.first * self.factor ** min(failures - 1, 30), self.limit)
        return gap * (0.5 + 0.5 * random())


@dataclass
class _Item:
    queued_since: float | None = None
    lane: Lane = Lane.DUE
    """Where it is queued, while it is."""
    running_since: float | None = None
    changed: bool = False
    failures: int = 0
    timer: asyncio.TimerHandle | None = None

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class WorkQueue:
    """Calls `process(key)` for every key that changed or is due, `workers` of them at a time."""

    def __init__(
        self,
        process: Callable[[str], Awaitable[Result]],
        *,
        random: Callable[[], float],
        workers: int = 50,
        backoff: Backoff | None = None,
        pass_deadline: float = 120.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process = process
        self._random = random
        self._workers = workers
        self._backoff = backoff or Backoff()
        self._pass_deadline = pass_deadline
        self._monotonic = monotonic
        self._items: dict[str, _Item] = {}
        self._queue: asyncio.PriorityQueue[tuple[Lane, int, str]] = asyncio.PriorityQueue()
        self._sequence = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def add(self, key: str) -> None:
        """The object changed: a pass as soon as a worker is free."""
        item = self._items.setdefault(key, _Item())
        if item.running_since is not None:
            item.changed = True
            return
        self._enqueue(key, item, Lane.CHANGED)

    @property
    def depth(self) -> int:
        """Objects that wait for a worker."""
        return sum(item.queued_since is not None for item in self._items.values())

    def trouble(self) -> str | None:
        """Why the loop does not make progress; None while it does."""
        if not self._tasks:
            return "the work queue has not been started"
        if any(task.done() for task in self._tasks):
            return "a worker has ended"
        now = self._monotonic()
        limit = self._pass_deadline + 15.0
        if any(i.running_since is not None and now - i.running_since > limit for i in self._items.values()):
            return f"a pass has been running for more than {limit:.0f} s"
        if any(i.queued_since is not None and now - i.queued_since > limit for i in self._items.values()):
            return f"an instance has been waiting for a pass for more than {limit:.0f} s"
        return None

    def start(self) -> None:
        """Start the workers."""
        self._tasks = [asyncio.create_task(self._work(), name=f"worker-{n}") for n in range(self._workers)]

    async def stop(self, grace: float) -> None:
        """Take up nothing new, let running passes finish for `grace` seconds, then cancel them."""
        self._stopping = True
        for item in self._items.values():
            item.cancel_timer()
        for _ in self._tasks:
            self._queue.put_nowait((Lane.CHANGED, next(self._sequence), ""))  # wakes a worker that waits
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _enqueue(self, key: str, item: _Item, lane: Lane) -> None:
        item.cancel_timer()
        if item.queued_since is not None and item.lane <= lane:
            return
        if item.queued_since is None:
            item.queued_since = self._monotonic()
        item.lane = lane
        # A key may stand in both lanes. Whichever comes first is taken; the other one finds nothing to do.
        self._queue.put_nowait((lane, next(self._sequence), key))

    def _due(self, key: str) -> None:
        item = self._items.get(key)
        if item is not None and item.running_since is None:
            self._enqueue(key, item, Lane.DUE)

    async def _work(self) -> None:
        while True:
            _, _, key = await self._queue.get()
            if self._stopping:
                return
            item = self._items.get(key)
            if item is None or item.queued_since is None or item.running_since is not None:
                continue
            await self._pass(key, item)

    async def _pass(self, key: str, item: _Item) -> None:
        item.queued_since, item.running_since, item.changed = None, self._monotonic(), False
        deadline = asyncio.timeout(self._pass_deadline)
        try:
            async with deadline:
                result = await self._process(key)
        except Exception:
            if deadline.expired():
                log.error("pass took too long", extra={"uid": key, "seconds": self._pass_deadline})
            else:
                log.exception("pass failed; this is a bug", extra={"uid": key})
            result = Result(failed=True)
        finally:
            item.running_since = None
        self._schedule(key, item, result)

    def _schedule(self, key: str, item: _Item, result: Result) -> None:
        if result.done and not item.changed:
            self._items.pop(key, None)
            return
        item.failures = item.failures + 1 if result.failed else 0
        if item.changed:
            self._enqueue(key, item, Lane.CHANGED)
            return
        seconds = result.requeue_after
        if result.failed:
            seconds = max(seconds or 0.0, self._backoff.seconds(item.failures, self._random))
        if seconds is not None and not self._stopping:
            item.timer = asyncio.get_running_loop().call_later(seconds, self._due, key)
