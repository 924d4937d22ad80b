"""What goes on beside the requests: work that is repeated while there is some, and followers that never end."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing

from claw_webhook.backoff import Backoff

_RETRY = Backoff(first=0.5, longest=15)
_GRACE_SECONDS = 10
_CANCELLATIONS = 10
_CANCELLATION_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Background:
    """Named tasks with one life: started together, healthy together, stopped together. `random` gives [0, 1)."""

    def __init__(self, *, poll_seconds: float, random: Callable[[], float], retry: Backoff = _RETRY) -> None:
        self._poll_seconds = poll_seconds
        self._retry = retry
        self._random = random
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._followers: dict[str, asyncio.Task[None]] = {}
        self._signals: list[asyncio.Event] = []
        self._stopping = asyncio.Event()

    def work(
        self,
        name: str,
        once: Callable[[], Awaitable[bool]],
        arrived: asyncio.Event | None = None,
        *,
        poll_seconds: float | None = None,
    ) -> None:
        """Repeat `once` while it returns True; then wait until `arrived` is set, or look again after the poll time.

        The signal makes it quick, the poll makes it certain: what another replica stored signals nobody here.
        `poll_seconds` is for work that comes less often than the others'.
        """
        arrived = arrived or asyncio.Event()
        self._signals.append(arrived)
        pause = self._poll_seconds if poll_seconds is None else poll_seconds
        self._workers[name] = asyncio.create_task(self._work(name, once, arrived, pause), name=name)

    def follow(self, name: str, steps: Callable[[], AsyncGenerator[None, None]]) -> None:
        """Go through steps that never end, and begin anew when one fails."""
        self._followers[name] = asyncio.create_task(self._follow(name, steps), name=name)

    def dead(self) -> list[str]:
        """Names of tasks that have ended although nobody stopped them: a reason to restart the process."""
        tasks = self._workers | self._followers
        return [] if self._stopping.is_set() else [name for name, task in tasks.items() if task.done()]

    async def stop(self) -> None:
        """Let the workers finish what they have in hand, for a few seconds; then cancel everything."""
        self._stopping.set()
        for signal in self._signals:
            signal.set()
        await _end(self._followers.values())
        if self._workers:
            await asyncio.wait(self._workers.values(), timeout=_GRACE_SECONDS)
        await _end(self._workers.values())

    async def _work(self, name: str, once: Callable[[], Awaitable[bool]], arrived: asyncio.Event, pause: float) -> None:
        trouble = _Trouble(name)
        while not self._stopping.is_set():
            arrived.clear()  # before the look, so that what arrives during it is not missed
            try:
                busy = await once()
            except Exception as error:
                trouble.again(error)
                await _wait(self._stopping, self._retry.delay(trouble.failures, self._random))
                continue
            trouble.over()
            if not busy:
                await _wait(arrived, pause)

    async def _follow(self, name: str, steps: Callable[[], AsyncGenerator[None, None]]) -> None:
        trouble = _Trouble(name)
        while not self._stopping.is_set():
            try:
                async with aclosing(steps()) as running:
                    async for _ in running:
                        trouble.over()
            except Exception as error:
                trouble.again(error)
                await _wait(self._stopping, self._retry.delay(trouble.failures, self._random))


class _Trouble:
    """A failure that goes on: logged when it begins and when it is over, not each time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.failures = 0

    def again(self, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            logger.error("%s: interrupted by %s", self._name, type(error).__name__, exc_info=error)

    def over(self) -> None:
        if self.failures:
            logger.info("%s: goes on after %d failures", self._name, self.failures)
        self.failures = 0


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel them until they have ended.

    Once is not always enough: before Python 3.12 `asyncio.wait_for`, by which the connection pool waits, loses a
    cancellation that comes in the moment in which it is served.
    """
    pending = {task for task in tasks if not task.done()}
    for _ in range(_CANCELLATIONS):
        if not pending:
            return
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCELLATION_SECONDS)
    if pending:
        logger.error("left running: %s", ", ".join(task.get_name() for task in pending))


async def _wait(signal: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await signal.wait()
    except TimeoutError:
        return
