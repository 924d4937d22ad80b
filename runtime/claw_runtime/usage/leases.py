"""Reservations are leases: short, so that a crash frees what it held soon, and renewed while an answer takes its time.

Nothing runs, and nothing is asked, while nothing is reserved.
"""

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

from claw_runtime.database import DatabaseAway

if TYPE_CHECKING:
    from claw_runtime.database import Database

LEASE = timedelta(seconds=90)
RENEW_SECONDS = 30.0

_RENEW: LiteralString = "update reservations set expires_at = %(until)s where id = any(%(ids)s)"


class Leases:
    """Renews this process's reservations for as long as it holds any."""

    def __init__(
        self, database: "Database", clock: Callable[[], datetime], *, every_seconds: float = RENEW_SECONDS
    ) -> None:
        self._database = database
        self._clock = clock
        self._every = every_seconds
        self._held: set[uuid.UUID] = set()
        self._renewing: asyncio.Task[None] | None = None

    def hold(self, reservation: uuid.UUID) -> None:
        """Renew it from now on."""
        self._held.add(reservation)
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(), name="leases")

    def drop(self, reservation: uuid.UUID) -> None:
        """Renew it no longer. One that is not held is fine."""
        self._held.discard(reservation)
        if not self._held and self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    async def close(self) -> None:
        """Renew nothing any more."""
        renewing, self._renewing = self._renewing, None
        self._held.clear()
        if renewing is not None:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            values = {"until": self._clock() + LEASE, "ids": list(self._held)}
            try:
                async with self._database.connection() as connection:
                    await connection.execute(_RENEW, values)
            except DatabaseAway:
                continue  # which tells of itself; at worst a reservation expires, and settling puts that right
