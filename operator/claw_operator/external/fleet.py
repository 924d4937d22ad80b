"""One reading of the whole fleet, shared by all instances that ask at about the same time.

A provider answers for a hundred instances in one call. So a thousand instances that are due for a look cost ten calls
and not a thousand, if they share what was read.
"""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Reading(Generic[T]):
    started_at: float
    task: asyncio.Task[T]


class Shared(Generic[T]):
    """The newest reading, and the one that is under way."""

    def __init__(self, read: Callable[[], Awaitable[T]], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._monotonic = monotonic
        self._newest: _Reading[T] | None = None
        self._under_way: set[asyncio.Task[T]] = set()

    async def get(self, max_age: float) -> T:
        """A reading that began at most `max_age` seconds ago, made now if there is none.

        Its beginning counts: what changed while it was made may be missing in it. Raises what the reading raised; that
        is told to all who waited for it, and the next one who asks begins anew.
        """
        newest = self._newest
        if newest is None or self._monotonic() - newest.started_at > max_age:
            newest = self._newest = self._begin()
        # Who gives up waiting must not take the reading away from the others.
        return await asyncio.shield(newest.task)

    def forget(self) -> None:
        """Whoever asks from now on gets a reading that begins after this moment."""
        self._newest = None

    async def aclose(self) -> None:
        """End what is under way."""
        self.forget()
        for task in self._under_way:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._under_way, return_exceptions=True)

    def _begin(self) -> _Reading[T]:
        async def reading() -> T:
            return await self._read()

        # In an empty context: what it logs is not about the instance that happened to ask first.
        task = asyncio.create_task(reading(), name="fleet-reading", context=contextvars.Context())
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return _Reading(self._monotonic(), task)

    def _ended(self, task: asyncio.Task[T]) -> None:
        self._under_way.discard(task)
        # Looked at in any case: when everybody has given up waiting, nobody else does.
        failed = task.cancelled() or task.exception() is not None
        if failed and self._newest is not None and self._newest.task is task:
            self._newest = None
