"""Search by meaning: keeps the vectors complete in the background, and finds what is near to a question.

Nothing runs while there is nothing to do. What fails is tried again a few times, later and later; then it waits for the
next reason to try, which is somebody who writes or searches. Until then searches go by words, and say so.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from claw_runtime.database import DatabaseAway
from claw_runtime.memory.embedding import Embedder, EmbeddingFailed, Vector
from claw_runtime.memory.ranking import Hit
from claw_runtime.memory.searching import Filters
from claw_runtime.memory.vectors import Unembedded, VectorTable, nearest

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

log = logging.getLogger(__name__)

BATCH = 64
BATCH_SECONDS = 30.0
QUESTION_SECONDS = 2.0
ATTEMPTS = 6
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
PAUSE = 30.0
"""After a failure, searches do not wait for the embedder for so long."""

INCOMPLETE = "Some entries have no vector yet; they are found by their words."


class Meaning:
    """The vectors of one instance's memory, made by one embedder."""

    def __init__(
        self,
        database: "Database",
        embedder: Embedder,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._embedder = embedder
        self._table = VectorTable(database, embedder.model)
        self._sleep = sleep
        self._jitter = jitter
        self._monotonic = monotonic
        self._complete = False
        self._more = False
        self._missing: str | None = "The search by meaning is starting."
        """Why this database cannot have vectors; None when it can."""
        self._problem: str | None = None
        self._paused_until = -1.0
        self._working: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str | None:
        """Why a search by meaning is less than it could be; None when it is not."""
        return self._missing or self._problem or (None if self._complete else INCOMPLETE)

    def grown(self) -> None:
        """There are new chunks, or the first search has come: make the vectors that are missing."""
        self._complete, self._more = False, True
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._catch_up(), name="memory-embedding")

    async def vector_of(self, text: str) -> Vector | None:
        """The vector of a question; None when there is none now, which `problem` then explains."""
        if self._monotonic() < self._paused_until:
            return None
        if not self._complete:
            self.grown()
        if self._missing is not None or not text.strip():
            return None
        try:
            (vector,) = await self._embedder.embed([text], QUESTION_SECONDS)
        except EmbeddingFailed as failed:
            if not failed.refused:  # the question is at fault, and the next one is another
                self._fails(failed)
            return None
        self._works()
        return vector

    async def near(self, connection: "Connection", vector: Vector, filters: Filters) -> list[Hit]:
        """The chunks whose meaning is nearest, the nearest first."""
        return await nearest(connection, vector, filters)

    async def stop(self) -> None:
        """Leave off; the next start goes on from there."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        await self._embedder.close()

    async def _catch_up(self) -> None:
        try:
            self._missing = await self._table.missing()
            if self._missing is not None:
                self._paused_until = self._monotonic() + PAUSE
                log.warning("memory is searched by words only", extra={"reason": self._missing})
                return
            while not self._complete:
                # What is written from here on may be too late for this round.
                self._more = False
                while chunks := await self._table.unembedded(BATCH):
                    if not await self._embed(chunks):
                        return
                self._complete = not self._more
        except DatabaseAway:
            return
        except Exception:
            self._pause("The vectors could not be made. It was recorded.")
            log.exception("making vectors failed unexpectedly")

    async def _embed(self, chunks: Sequence[Unembedded]) -> bool:
        """Make the vectors of these chunks; False after the last attempt."""
        for attempt in range(ATTEMPTS):
            try:
                vectors = await self._embedder.embed([chunk.content for chunk in chunks], BATCH_SECONDS)
            except EmbeddingFailed as failed:
                if failed.refused:
                    return await self._one_by_one(chunks)
                self._fails(failed)
                backoff = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) * (0.5 + self._jitter() / 2)
                if attempt < ATTEMPTS - 1:
                    await self._sleep(min(max(failed.retry_after or 0.0, backoff), LONGEST_WAIT))
            else:
                self._works()
                await self._table.put(chunks, vectors)
                return True
        return False

    async def _one_by_one(self, chunks: Sequence[Unembedded]) -> bool:
        """One text of a batch was refused: find it, and let the others through."""
        if len(chunks) == 1:
            log.warning("the embedding model does not take a text; it is found by its words only")
            await self._table.skip(chunks[0])
            return True
        half = len(chunks) // 2
        return await self._embed(chunks[:half]) and await self._embed(chunks[half:])

    def _pause(self, problem: str) -> None:
        """Tell once, and leave the embedder alone for a while."""
        if self._problem is None:
            log.warning("memory is searched by words only", extra={"reason": problem})
        self._problem = problem
        self._paused_until = self._monotonic() + PAUSE

    def _fails(self, failed: EmbeddingFailed) -> None:
        self._pause(str(failed))

    def _works(self) -> None:
        if self._problem is not None:
            log.info("memory is searched by meaning again")
        self._problem = None
        self._paused_until = -1.0
