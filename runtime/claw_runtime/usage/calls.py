"""Calls of the API: counted by the day, and bought from the day's limit in blocks.

A write for each call would double what the cheapest calls cost and keep a database awake that answers none of them.
So a process takes a block of calls at a time, atomically and only within the limit, and counts down in memory: the
limit holds however many processes there are. Blocks shrink as the limit comes near, and a clean stop gives back what
is left of one. A crash wastes that, at most a block, until midnight, and the month's sum, which limits nothing, misses
what was made of it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, LiteralString

from claw_crds.configuration import PlanConfiguration
from claw_runtime.problems import limit_reached
from claw_runtime.usage.limits import Usage, day_after, month_of, remaining

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

LARGEST_BLOCK = 50
PART = 10
"""A block is at most this part of what the day has left."""
ASK_AGAIN = timedelta(seconds=10)
"""Who goes on calling when the day's calls are used up is refused from memory for so long."""


def block_size(limit: int | None, taken: int) -> int:
    """How many calls to take at a time when so many of the day's are taken; 0 when none are left."""
    left = remaining(limit, taken)
    if left is None:
        return LARGEST_BLOCK
    return min(left, LARGEST_BLOCK, max(1, left // PART))


@dataclass
class Block:
    """Calls of one day."""

    day: date
    limit: int | None
    """The plan's, when it was taken."""
    taken_at: datetime
    used: int
    """Of the day's calls, before it."""
    size: int
    left: int
    made: int = 0
    """Calls that are not in the month's usage yet."""

    @property
    def month(self) -> datetime:
        """To which its calls belong."""
        return month_of(datetime.combine(self.day, time(), UTC))


def no_block() -> Block:
    """None yet, or none any more."""
    return Block(date.min, None, datetime.min.replace(tzinfo=UTC), used=0, size=0, left=0)


_BOOK: LiteralString = """
insert into usage as u (period_start, api_calls) values (%(month)s, %(made)s)
on conflict (period_start) do update set api_calls = u.api_calls + excluded.api_calls, version = u.version + 1
returning period_start, messages_used, input_tokens, output_tokens, api_calls, version
"""

_LOCK: LiteralString = """
insert into api_calls as c (day, calls) values (%(day)s, 0)
on conflict (day) do update set calls = c.calls
returning calls
"""

_TAKE: LiteralString = "update api_calls set calls = calls + %(calls)s where day = %(day)s"


class ApiCalls:
    """The calls of one process."""

    def __init__(
        self, database: "Database", clock: Callable[[], datetime], remember: Callable[[Usage], object]
    ) -> None:
        self._database = database
        self._clock = clock
        self._remember = remember
        self._block = no_block()
        self._taking = asyncio.Lock()

    def unbooked(self, month: datetime) -> int:
        """Calls made in the month that its row does not know of yet. Never touches the database."""
        return self._block.made if self._block.month == month else 0

    def today(self) -> int | None:
        """Calls of the day as far as this process knows; None before its first. Never touches the database."""
        held = self._block
        if held.day != self._clock().astimezone(UTC).date():
            return None
        return held.used + held.size - held.left

    async def count(self, plan: PlanConfiguration) -> None:
        """Count one call. Raises Problem when the day's calls are used up, and DatabaseAway when a block is needed."""
        now, limit = self._clock(), plan.limits.api_calls_per_day
        while not self._fits(now, limit):
            async with self._taking:
                if not self._fits(now, limit):
                    await self._take(now, limit)
        held = self._block
        if held.left == 0:
            raise limit_reached(
                "apiCallsPerDay",
                "calls of the API a day",
                plan=plan.display_name,
                limit=limit or 0,
                used=held.used,
                now=now,
                resets_at=day_after(now),
            )
        held.left -= 1
        held.made += 1

    async def release(self) -> None:
        """Book what was made and give back what is left. Raises DatabaseAway."""
        async with self._taking:
            if self._block.left == self._block.made == 0:
                return
            async with self._database.connection() as connection, connection.transaction():
                usage = await _close(connection, self._block)
            self._opened(usage, no_block())

    def _fits(self, now: datetime, limit: int | None) -> bool:
        """Whether the block answers for now: it has calls left, or it was empty a moment ago."""
        held = self._block
        if held.day != now.astimezone(UTC).date() or held.limit != limit:
            return False
        return held.left > 0 or (held.size == 0 and now - held.taken_at < ASK_AGAIN)

    async def _take(self, now: datetime, limit: int | None) -> None:
        day = now.astimezone(UTC).date()
        async with self._database.connection() as connection, connection.transaction():
            usage = await _close(connection, self._block)
            cursor = await connection.execute(_LOCK, {"day": day})
            row = await cursor.fetchone()
            used = int(row["calls"]) if row is not None else 0
            size = block_size(limit, used)
            await connection.execute(_TAKE, {"day": day, "calls": size})
        self._opened(usage, Block(day, limit, taken_at=now, used=used, size=size, left=size))

    def _opened(self, usage: Usage | None, block: Block) -> None:
        if usage is not None:
            self._remember(usage)
        self._block = block


async def _close(connection: "Connection", block: Block) -> Usage | None:
    """Book what was made of a block and give back the rest; the month's usage if that changed it."""
    if block.left > 0:
        await connection.execute(_TAKE, {"day": block.day, "calls": -block.left})
    if block.made == 0:
        return None
    cursor = await connection.execute(_BOOK, {"month": block.month, "made": block.made})
    row = await cursor.fetchone()
    return Usage(**row) if row is not None else None
