"""What came in at Google, until somebody has looked at it: a mail, a change in the calendar.

Summaries are strangers' words. Whoever gives them to a model says so.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from claw_runtime.google.places import Scope
from claw_runtime.text import storable

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

KEPT = timedelta(days=30)
MAX_SUMMARY = 500


@dataclass(frozen=True)
class News:
    """Something that came in. `external_id` is Google's: what is told twice is kept once."""

    source: Scope
    external_id: str
    summary: str
    at: datetime


@dataclass(frozen=True)
class Arrival:
    """News that was kept."""

    id: int
    source: Scope
    external_id: str
    summary: str
    arrived_at: datetime


async def keep(connection: "Connection", news: Sequence[News], now: datetime) -> int:
    """Keep what is new, in the caller's transaction. Returns how many were."""
    added = 0
    for item in news:
        cursor = await connection.execute(
            """insert into arrivals (source, external_id, summary, arrived_at)
               values (%(source)s, %(external_id)s, %(summary)s, %(at)s)
               on conflict (source, external_id) do nothing""",
            {
                "source": item.source,
                "external_id": item.external_id,
                "summary": storable(item.summary)[:MAX_SUMMARY],
                "at": item.at,
            },
        )
        added += cursor.rowcount
    if added:
        await connection.execute("delete from arrivals where arrived_at < %(old)s", {"old": now - KEPT})
    return added


class Arrivals:
    """What came in. Methods raise DatabaseAway."""

    def __init__(self, database: "Database", clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def unseen(self, limit: int = 20) -> tuple[Arrival, ...]:
        """What nobody has looked at, the oldest first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """select id, source, external_id, summary, arrived_at from arrivals
                    where seen_at is null order by id limit %(limit)s""",
                {"limit": limit},
            )
            return tuple(Arrival(**row) for row in await cursor.fetchall())

    async def seen(self, arrivals: Iterable[Arrival]) -> None:
        """Somebody has looked at them."""
        ids = [arrival.id for arrival in arrivals]
        async with self._database.connection() as connection:
            await connection.execute(
                "update arrivals set seen_at = %(now)s where id = any(%(ids)s) and seen_at is null",
                {"now": self._clock(), "ids": ids},
            )
