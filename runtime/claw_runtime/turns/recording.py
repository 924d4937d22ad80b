"""The end of a turn: the conversation, what waits for a confirmation, and what it cost, all of it or nothing.

An answer that was given must not be lost because the database restarts at that moment, nor be counted half because
whoever waited for it hung up. So the end is waited for, and is not cancelled with the turn.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from claw_runtime.database import DatabaseAway
from claw_runtime.turns.confirmations import Confirmations
from claw_runtime.turns.exchange import ChatReply
from claw_runtime.turns.idempotency import Idempotency
from claw_runtime.turns.strands import record_turn
from claw_runtime.turns.turn import Turn
from claw_runtime.usage.ledger import UsageLedger

if TYPE_CHECKING:
    from claw_runtime.database import Database

log = logging.getLogger(__name__)

ATTEMPTS = 3
WAIT_SECONDS = 5.0

Result = TypeVar("Result")


class Recorder:
    """Ends turns."""

    def __init__(
        self,
        *,
        database: "Database",
        usage: UsageLedger,
        confirmations: Confirmations,
        idempotency: Idempotency,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._usage = usage
        self._confirmations = confirmations
        self._idempotency = idempotency
        self._clock = clock
        self._finishing: set[asyncio.Task[Any]] = set()

    async def record(self, turn: Turn) -> ChatReply:
        """Record the turn and its cost. Raises DatabaseAway, after some patience."""
        attempts = ATTEMPTS
        while True:
            try:
                reply = await self._record(turn)
                return reply or turn.reply(await self._usage.load())
            except DatabaseAway:
                attempts -= 1
                if attempts and await self._database.wait_until_present(WAIT_SECONDS):
                    continue
                log.error("an answer was lost: the database did not come back to record it")
                raise

    async def count(self, turn: Turn) -> None:
        """Count what it cost, of a turn that belongs to no conversation."""
        async with self._database.connection() as connection, connection.transaction():
            usage = await self._usage.settle(connection, turn.reservation, turn.spent)
        self._usage.remember(usage)

    async def give_back(self, turn: Turn) -> None:
        """The turn failed: give its message back, and count what it has cost all the same."""
        try:
            await self._usage.give_back(turn.reservation, turn.spent)
        except DatabaseAway:
            log.warning("a message could not be given back now; it is when its reservation expires")

    async def abandon(self, turn_id: uuid.UUID) -> None:
        """Whoever sends the question again with its key is answered anew, unless it was recorded."""
        try:
            await self._idempotency.abandon(turn_id)
        except DatabaseAway:
            log.warning("a key could not be freed now; it is when its reservation expires")

    async def to_the_end(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Finish the work even when whoever waits for it is cancelled: a count must not be left half done."""
        task = asyncio.create_task(work)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    async def finish(self, seconds: float) -> None:
        """Wait until everything that was begun is done, before the database is closed."""
        if self._finishing:
            await asyncio.wait(self._finishing, timeout=seconds)

    async def _record(self, turn: Turn) -> ChatReply | None:
        """None when the commit of the attempt before did succeed, and only its answer was lost."""
        async with self._database.connection() as connection, connection.transaction():
            is_new = await record_turn(
                connection,
                turn.strand,
                turn.id,
                turn.question,
                turn.answer,
                self._clock(),
                # One that was interrupted ends in the middle: the API would not take it back.
                transcript=turn.thought.transcript if turn.complete and not turn.thought.plain else None,
            )
            if not is_new:
                return None
            await self._confirmations.keep(connection, turn.strand.id, turn.proposed)
            usage = await self._usage.settle(connection, turn.reservation, turn.spent)
            reply = turn.reply(usage)
            if turn.keyed:
                await self._idempotency.finish(connection, turn.id, reply)
        self._usage.remember(usage)
        return reply
