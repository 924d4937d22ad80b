"""Looks: subscriptions that are looked at without an event. A clock ran out, the sweep found something, somebody asks.

One row for each subject, at the earliest moment that anybody wished for. The workers claim looks together with events
(`inbox.py`): a look is never taken by two, and one that fails is repeated as an event would be.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from claw_webhook.database import Connection, Pool

CLOCK = "clock"
"""A moment came that was known before: the end of a grace period, of what was paid, of the retention."""
CUSTOMER = "customer"
"""Something was changed about who pays."""


class Looks:
    """The table `looks`. `arrived` is the workers' signal, set when a look is due at once."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime], arrived: asyncio.Event) -> None:
        self._pool = pool
        self._clock = clock
        self._arrived = arrived

    async def ask(self, subject: str, *, why: str, due_at: datetime | None = None) -> None:
        """Ask for a look at a subscription (sub_…), or at all those of a customer (cus_…); now unless said otherwise.

        Of two moments the earlier one stays. Committed when this returns. Raises psycopg.Error.
        """
        now = self._clock()
        async with self._pool.connection() as connection:
            await ask(connection, subject, why=why, due_at=due_at or now)
        if due_at is None or due_at <= now:
            self._arrived.set()


async def ask(connection: Connection, subject: str, *, why: str, due_at: datetime) -> None:
    """As `Looks.ask`, as part of the caller's transaction."""
    # `asked` tells the worker that is at it just now that somebody asked again: that look may have come too early.
    await connection.execute(
        """
        INSERT INTO looks (subject, due_at, why) VALUES (%(subject)s, %(due_at)s, %(why)s)
        ON CONFLICT (subject) DO UPDATE
        SET asked = looks.asked + 1, due_at = least(looks.due_at, excluded.due_at),
            why = CASE WHEN excluded.due_at < looks.due_at THEN excluded.why ELSE looks.why END
        """,
        {"subject": subject, "due_at": due_at, "why": why},
    )
