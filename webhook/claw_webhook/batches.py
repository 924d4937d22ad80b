"""What arrives at the same time is done together: one round trip, one commit, one flush of the disk for all of it.

Whoever comes alone does not wait for others. While as many batches as are allowed are being worked on, the next one
gathers; so batches grow by themselves just when it matters, and there is nothing to be tuned.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """Calls `together` with what was added: at most `most` items at once, and at most `side_by_side` times at once.

    `together` returns a result for each item, in their order.
    """

    def __init__(
        self, together: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], *, most: int, side_by_side: int
    ) -> None:
        self._together = together
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._free = side_by_side
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, item: Item) -> Result:
        """The item's result. Raises what `together` raised, for everything that was in the batch.

        Who is cancelled no longer hears of it, but the item is done all the same if its batch has begun.
        """
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._work_off())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await result

    async def _work_off(self) -> None:
        try:
            await self._work()
        finally:
            # At once, and not when the task is seen to be done: who comes in between would wait for nobody.
            self._free += 1

    async def _work(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            batch = [(item, result) for item, result in taken if not result.done()]
            try:
                results = await self._together([item for item, _ in batch]) if batch else ()
            except Exception as error:
                for _, waiting in batch:
                    if not waiting.done():
                        waiting.set_exception(error)
            else:
                for (_, waiting), result in zip(batch, results, strict=True):
                    if not waiting.done():
                        waiting.set_result(result)
