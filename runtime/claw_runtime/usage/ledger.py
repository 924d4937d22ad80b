"""Usage and limits: reserve, then settle or give back.

A turn reserves before the model is asked: a message, a stream and room for tokens, atomically and only within the
limits, so fifty requests at a limit of ten get ten answers, however they interleave. Its end settles the reservation
in the transaction that records the conversation, with the tokens that it really took. A failure gives the message
back, and counts what was spent until then.

A crash in between leaves a reservation that expires: then the message is given back, for there was no answer, and the
tokens that the first call of the model needed at least are counted, for the provider counts them too. What it spent
beyond that nobody knows, and the customer does not pay.

Nothing is ever counted in memory alone; what the last change returned is kept there, so that reading usage does not
wake a sleeping database.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, LiteralString

from claw_crds.configuration import ModelPrices, PlanConfiguration
from claw_runtime.database import DatabaseAway
from claw_runtime.problems import Problem
from claw_runtime.turns.messages import Tokens
from claw_runtime.usage import statements
from claw_runtime.usage.calls import ApiCalls
from claw_runtime.usage.daily import Spent, book, total
from claw_runtime.usage.leases import LEASE, Leases
from claw_runtime.usage.limits import Source, Underway, Usage, month_of, refusal, room

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reservation:
    """A turn that is counted but not answered yet."""

    id: uuid.UUID
    period_start: datetime
    source: Source
    room: int | None
    """Tokens that the turn may use; None when the month has no limit."""
    day: date
    """On which its cost is booked."""
    needed: int
    prices: ModelPrices | None


class UsageLedger:
    """Counts in the database; remembers the last count. Raises DatabaseAway unless said otherwise."""

    def __init__(self, database: "Database", clock: Callable[[], datetime], leases: Leases | None = None) -> None:
        self._database = database
        self._clock = clock
        self._leases = leases or Leases(database, clock)
        self.calls = ApiCalls(database, clock, self.remember)
        self._latest: Usage | None = None

    def current(self) -> Usage:
        """Usage of this month as last seen. Never touches the database."""
        month = month_of(self._clock())
        known = self._latest
        usage = Usage(month) if known is None or known.period_start != month else known
        return replace(usage, api_calls=usage.api_calls + self.calls.unbooked(month))

    async def load(self) -> Usage:
        """Read this month's usage, and settle what a crash left reserved."""
        now = self._clock()
        async with self._database.connection() as connection:
            await connection.execute(statements.EXPIRE, {"now": now, "month": month_of(now)})
            await self._read(connection, month_of(now))
        return self.current()

    async def reserve(
        self,
        plan: PlanConfiguration,
        agent: str,
        *,
        source: Source = "chat",
        tokens: int,
        turn: uuid.UUID | None = None,
    ) -> Reservation:
        """Count a turn that needs so many tokens at least: its prompt and a short answer.

        `turn` becomes the reservation's id. Raises Problem when a limit does not allow the turn.
        """
        reserving = asyncio.create_task(self._reserve(plan, agent, source, tokens, turn or uuid.uuid4()))
        try:
            return await asyncio.shield(reserving)
        except asyncio.CancelledError:  # whoever asked is gone, and would leave behind what nobody settles
            with contextlib.suppress(Problem, DatabaseAway):
                await self.give_back(await reserving)
            raise

    async def _reserve(
        self, plan: PlanConfiguration, agent: str, source: Source, tokens: int, turn: uuid.UUID
    ) -> Reservation:
        now = self._clock()
        month = month_of(now)
        async with self._database.connection() as connection:
            async with connection.transaction():
                # The month's row is locked until the transaction ends, so what follows sees all earlier reservations.
                usage = Usage(**await _one(connection, statements.LOCK, {"period": month}))
                held = await _one(connection, statements.EXPIRE, {"now": now, "month": month})
                if held["expired"]:
                    usage = Usage(**await _one(connection, statements.READ, {"period": month}))
                underway = Underway(streams=held["streams"], tokens=held["tokens"])
                problem = refusal(plan, usage, underway, source, tokens, now)
                reservation = Reservation(
                    id=turn,
                    period_start=month,
                    source=source,
                    room=room(plan, usage, underway, tokens),
                    day=now.astimezone(UTC).date(),
                    needed=tokens,
                    prices=plan.prices,
                )
                if problem is None:
                    usage = await self._hold(connection, reservation, agent, now)
            self.remember(usage)
        if problem is not None:
            raise problem
        self._leases.hold(reservation.id)
        return reservation

    async def _hold(self, connection: "Connection", reservation: Reservation, agent: str, now: datetime) -> Usage:
        wish = _values(reservation) | {
            "agent": agent,
            "expires": now + LEASE,
            "messages": 1 if reservation.source == "chat" else 0,
        }
        return Usage(**await _one(connection, statements.RESERVE, wish))

    async def settle(self, connection: "Connection", reservation: Reservation, spent: Sequence[Spent]) -> Usage:
        """Turn the reservation into a counted answer, in the caller's transaction; `remember` it after the commit.

        To be called once. One that expired under a very slow answer was taken for a crash: that is put right.
        """
        self._leases.drop(reservation.id)
        chats = 1 if reservation.source == "chat" else 0
        if await self._ended(connection, reservation):
            usage = await self._count(connection, reservation, 0, total(spent))
        else:
            usage = await self._count(connection, reservation, chats, total(spent), already=reservation.needed)
            await connection.execute(statements.UNBOOK_UNKNOWN, _values(reservation))
        await book(connection, reservation.day, spent, reservation.prices, messages=chats)
        return usage

    async def give_back(self, reservation: Reservation, spent: Sequence[Spent] = ()) -> None:
        """Undo the reservation, but for what was spent. Doing so twice, or after it was settled, changes nothing.

        Nor does it after the reservation expired: what it needed is counted then instead of what it spent.
        """
        self._leases.drop(reservation.id)
        async with self._database.connection() as connection:
            async with connection.transaction():
                if not await self._ended(connection, reservation):
                    return
                chats = 1 if reservation.source == "chat" else 0
                usage = await self._count(connection, reservation, -chats, total(spent))
                await book(connection, reservation.day, spent, reservation.prices, messages=0)
            self.remember(usage)

    async def _ended(self, connection: "Connection", reservation: Reservation) -> bool:
        """Delete the reservation; False when it was ended before."""
        cursor = await connection.execute(statements.END, {"id": reservation.id})
        return cursor.rowcount == 1

    async def _count(
        self, connection: "Connection", reservation: Reservation, messages: int, tokens: Tokens, already: int = 0
    ) -> Usage:
        change = {
            "period": reservation.period_start,
            "messages": messages,
            "input": tokens.read - already,
            "output": tokens.output,
        }
        return Usage(**await _one(connection, statements.COUNT, change))

    async def _read(self, connection: "Connection", period: datetime) -> None:
        cursor = await connection.execute(statements.READ, {"period": period})
        row = await cursor.fetchone()
        if row is not None:
            self.remember(Usage(**row))

    def remember(self, usage: Usage) -> Usage:
        """Keep what the database said, unless something newer is known."""
        known = self._latest
        if known is None or (known.period_start, known.version) < (usage.period_start, usage.version):
            self._latest = usage
        return usage

    async def close(self) -> None:
        """Book the calls that were made. A database that is away loses them, but no limit."""
        await self._leases.close()
        try:
            await self.calls.release()
        except DatabaseAway:
            log.warning("the last calls of the API were not booked: the database is away")


def _values(reservation: Reservation) -> dict[str, Any]:
    return {
        "id": reservation.id,
        "period": reservation.period_start,
        "source": reservation.source,
        "day": reservation.day,
        "needed": reservation.needed,
        "tokens": reservation.needed if reservation.room is None else reservation.room,
    }


async def _one(connection: "Connection", statement: LiteralString, values: dict[str, Any]) -> dict[str, Any]:
    cursor = await connection.execute(statement, values)
    row = await cursor.fetchone()
    if row is None:
        raise LookupError("the month's row is missing; nobody deletes one")
    return row
