"""The outbox: mails that must leave, one for each cause and instance, whoever asks for it how often.

SMTP has no idempotency key, so a mail leaves *at least* once: when the process dies after the mail server took it and
before that is noted here, it leaves again. The copy bears the same Message-ID, by which many mail servers drop it, and
its one-time link is the same link: used in one of the two mails, it is used up in both.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from claw_webhook.backoff import Backoff
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one

WELCOME = "welcome"

_RETRY = Backoff(first=5, longest=900)
_MOST_ATTEMPTS = 300
"""Three days."""


async def put(connection: Connection, cause: str, *, instance: str, instance_uid: str, now: datetime) -> None:
    """Ask for a mail, as part of the caller's transaction. Asking again changes nothing."""
    await connection.execute(
        """
        INSERT INTO outbox (cause, instance, instance_uid, created_at, state, due_at)
        VALUES (%s, %s, %s, %s, 'pending', %s)
        ON CONFLICT (cause, instance_uid) DO NOTHING
        """,
        [cause, instance, instance_uid, now, now],
    )


class Outbox:
    """The table `outbox`. `random` gives floats in [0, 1)."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime], random: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock
        self._random = random
        self.arrived = asyncio.Event()
        """Set when there may be something to send; the sender clears it."""

    @asynccontextmanager
    async def claim(self) -> AsyncIterator["PendingMail | None"]:
        """The next mail that is due, for this caller alone; None when there is none.

        Leaving without `sent`, `drop`, `give_up` or `postpone` makes it pending again, at once.
        """
        async with self._pool.connection() as connection, connection.transaction():
            # NO KEY: its one-time link refers to this row and is written on another connection while this one waits.
            row = await fetch_one(
                connection,
                """
                SELECT outbox.id, cause, outbox.instance, instance_uid, attempts, url, email, customers.name,
                    deleted_at IS NOT NULL OR uid IS DISTINCT FROM instance_uid AS gone
                FROM outbox
                    JOIN instances ON instances.name = outbox.instance
                    JOIN subscriptions ON subscriptions.id = instances.subscription
                    JOIN customers ON customers.id = subscriptions.customer
                WHERE state = 'pending' AND due_at <= %s
                ORDER BY due_at LIMIT 1
                FOR NO KEY UPDATE OF outbox SKIP LOCKED
                """,
                [self._clock()],
            )
            if row is None:
                yield None
                return
            yield PendingMail(**row, _connection=connection, _clock=self._clock, _random=self._random)

    async def backlog(self) -> dict[str, int]:
        """How many mails are pending or were given up."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                "SELECT state, count(*) AS number FROM outbox WHERE state IN ('pending', 'dead') GROUP BY state",
            )
        return {"pending": 0, "dead": 0} | {row["state"]: row["number"] for row in rows}


@dataclass(frozen=True)
class PendingMail:
    """A mail that is to leave, with what it needs of its instance and customer as they are now."""

    id: int
    cause: str
    instance: str
    instance_uid: str
    attempts: int
    url: str | None
    email: str
    name: str | None
    gone: bool
    """The instance was deleted before the mail left."""
    _connection: Connection
    _clock: Callable[[], datetime]
    _random: Callable[[], float]

    async def sent(self) -> None:
        """The mail server took it."""
        await self._finish("sent", None)

    async def drop(self, reason: str) -> None:
        """It is no longer wanted."""
        await self._finish("dropped", reason)

    async def give_up(self, reason: str) -> None:
        """It can never be delivered."""
        await self._finish("dead", reason)

    async def postpone(self, reason: str) -> bool:
        """Try again later. False when that was the last attempt."""
        failures = self.attempts + 1
        if failures >= _MOST_ATTEMPTS:
            await self.give_up(reason)
            return False
        await self._connection.execute(
            "UPDATE outbox SET attempts = %s, due_at = %s, reason = %s WHERE id = %s",
            [failures, self._clock() + timedelta(seconds=_RETRY.delay(failures, self._random)), reason, self.id],
        )
        return True

    async def _finish(self, state: str, reason: str | None) -> None:
        await self._connection.execute(
            "UPDATE outbox SET state = %s, reason = %s, finished_at = %s WHERE id = %s",
            [state, reason, self._clock(), self.id],
        )
