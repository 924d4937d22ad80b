"""The outbox: mails that must leave, one for each cause and occasion, whoever asks for it how often.

Whom a mail goes to and whether it is still true is read when it leaves, not when it is asked for: between the two the
customer may have paid, come back, changed the address or been erased.

SMTP has no idempotency key, so a mail leaves *at least* once: when the process dies after the mail server took it and
before that is noted here, it leaves again. The copy bears the same Message-ID, by which many mail servers drop it, and
its one-time link is the same link: used in one of the two mails, it is used up in both.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from claw_webhook.backoff import Backoff
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one
from claw_webhook.mails.letters import Facts

WELCOME = "welcome"

_RETRY = Backoff(first=5, longest=900)
_MOST_ATTEMPTS = 300
"""Three days."""


async def put(
    connection: Connection,
    cause: str,
    *,
    occasion: str,
    customer: str,
    instance: str | None,
    now: datetime,
    details: Mapping[str, str] = MappingProxyType({}),
    instance_uid: str | None = None,
    due_at: datetime | None = None,
) -> None:
    """Ask for a mail, as part of the caller's transaction. Asking again for the same occasion changes nothing.

    `occasion` is unique with the cause for ever. `details` are words for the template, dates as ISO 8601 days.
    `instance_uid` ties the mail to one object: it is dropped when another has taken the place under that name.
    The mail leaves at `due_at`, at once when that is not given.
    """
    await connection.execute(
        """
        INSERT INTO outbox (cause, occasion, customer, instance, instance_uid, details, created_at, state, due_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, 'pending', %s)
        ON CONFLICT (cause, occasion) DO NOTHING
        """,
        [cause, occasion, customer, instance, instance_uid, json.dumps(dict(details)), now, due_at or now],
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
                SELECT outbox.id, outbox.customer, email, attempts, cause, outbox.created_at AS asked_at, details,
                    customers.name, timezone, erased_at IS NOT NULL AS erased, outbox.instance, url,
                    deleted_at IS NOT NULL OR uid IS DISTINCT FROM coalesce(instance_uid, uid) AS gone,
                    standing, since, trial_end, grace_until, paid_until,
                    CASE
                        WHEN deletion_at IS NULL THEN NULL
                        WHEN hold IS NULL THEN greatest(deletion_at, keep_until)
                        ELSE '9999-12-31'
                    END AS deletion_at
                FROM outbox
                    JOIN customers ON customers.id = outbox.customer
                    LEFT JOIN instances ON instances.name = outbox.instance
                    LEFT JOIN subscriptions ON subscriptions.id = instances.subscription
                WHERE state = 'pending' AND due_at <= %s
                ORDER BY due_at LIMIT 1
                FOR NO KEY UPDATE OF outbox SKIP LOCKED
                """,
                [self._clock()],
            )
            if row is None:
                yield None
                return
            yield PendingMail(
                **{name: row.pop(name) for name in ("id", "customer", "email", "attempts")},
                facts=Facts(**row | {"details": json.loads(row["details"])}),
                _connection=connection,
                _clock=self._clock,
                _random=self._random,
            )

    async def has_left(self, cause: str, *, instance: str, since: datetime) -> bool:
        """Whether the mail that was owed at `since` was sent, or can never be delivered. Otherwise it is withdrawn."""
        async with self._pool.connection() as connection:
            # Waits for a sender that has it in hand just now; what that made of it counts.
            await connection.execute(
                """
                UPDATE outbox SET state = 'dropped', reason = 'it came too late', finished_at = %s
                WHERE cause = %s AND instance = %s AND state = 'pending'
                """,
                [self._clock(), cause, instance],
            )
            row = await fetch_one(
                connection,
                """
                SELECT FROM outbox
                WHERE cause = %s AND instance = %s AND created_at >= %s AND state IN ('sent', 'dead')
                """,
                [cause, instance, since],
            )
        return row is not None

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
    """A mail that is to leave, with everything about it as it is now."""

    id: int
    customer: str
    email: str
    attempts: int
    facts: Facts
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
        # What an assistant wrote is its customer's alone, and of no use here any more.
        await self._connection.execute(
            """
            UPDATE outbox
            SET state = %(state)s, reason = %(reason)s, finished_at = %(now)s,
                details = CASE WHEN cause = 'message' THEN '{}' ELSE details END
            WHERE id = %(id)s
            """,
            {"state": state, "reason": reason, "now": self._clock(), "id": self.id},
        )
