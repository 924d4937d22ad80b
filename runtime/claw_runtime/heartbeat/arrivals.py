"""What has come in since the last look: the rows that Google's notifications leave in `arrivals`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claw_runtime.database import Database

MOST = 20
SUMMARY_CHARACTERS = 300


@dataclass(frozen=True)
class Arrival:
    """Something that came in."""

    id: int
    source: str
    """gmail or calendar."""
    summary: str
    """Strangers wrote it."""


class Arrivals:
    """The arrivals that no beat has looked at yet. Every method raises DatabaseAway."""

    def __init__(self, database: "Database", clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def unseen(self) -> tuple[Arrival, ...]:
        """The latest of them, the oldest first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """select id, source, left(summary, %s) as summary from arrivals
                    where seen_at is null order by id desc limit %s""",
                [SUMMARY_CHARACTERS, MOST],
            )
            rows = await cursor.fetchall()
        return tuple(Arrival(**row) for row in reversed(rows))

    async def seen(self, arrivals: Sequence[Arrival]) -> None:
        """These, and what came before them, need not be looked at again."""
        if not arrivals:
            return
        async with self._database.connection() as connection:
            await connection.execute(
                "update arrivals set seen_at = %s where seen_at is null and id <= %s", [self._clock(), arrivals[-1].id]
            )
