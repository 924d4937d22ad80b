"""The inbox: every verified event, stored once before Stripe gets its answer, and worked off afterwards.

What is claimed is not an event but a subscription, with all events about it that are not done: the live subscription
is looked at once for all of them. While somebody holds a claim nobody else gets one for the same subscription, or the
slower of two could apply an older look over a newer one. The claim is a transaction and lives no longer than its
process: after a crash the same events are pending again at once, without a lease that would have to run out.

    pending ──▶ done                     the world is as the subscription wishes
            ──▶ refused (with a reason)  it cannot be served; tried again on a delivery, or when the plans change
            ──▶ dead (with a reason)     tried for days; tried again when Stripe is told to resend the event
    ignored                              a type that nothing is done about; kept, so that nothing is ever lost
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from claw_webhook.backoff import Backoff
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one
from claw_webhook.stripe_objects import Event

_CANDIDATES = 64
_LOOKS = 8
_RETRY = Backoff(first=1, longest=60)
_MOST_ATTEMPTS = 4320
"""Three days at a minute each: as long as Stripe itself would have tried."""


class Stored(StrEnum):
    """What became of a delivery."""

    NEW = "stored"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"
    REVIVED = "revived"


@dataclass(frozen=True)
class Backlog:
    """How much is unsettled."""

    pending: int
    oldest_seconds: float
    """Age of the oldest pending event; 0 when there is none."""
    unserved: dict[tuple[str, str], int]
    """How many events of each (state, reason) are refused or dead."""


class Inbox:
    """The table `inbox`. `random` gives floats in [0, 1)."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime], random: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock
        self._random = random
        self.arrived = asyncio.Event()
        """Set when there may be something to claim; the workers clear it."""

    async def store(self, event: Event, payload: str) -> Stored:
        """Store it, durably, if it is not there yet. Raises psycopg.Error: then nothing is stored, and Stripe retries.

        A second delivery of an event that was given up (somebody pressed "Resend" in Stripe's dashboard) revives it.
        """
        now = self._clock()
        state = "ignored" if event.subscription_id is None else "pending"
        async with self._pool.connection() as connection:
            inserted = await connection.execute(
                """
                INSERT INTO inbox (id, type, subscription, payload, received_at, state, due_at)
                VALUES (%(id)s, %(type)s, %(subscription)s, %(payload)s, %(now)s, %(state)s, %(now)s)
                ON CONFLICT (id) DO NOTHING
                """,
                {
                    "id": event.id,
                    "type": event.type,
                    "subscription": event.subscription_id,
                    "payload": payload,
                    "state": state,
                    "now": now,
                },
            )
            if inserted.rowcount:
                stored = Stored.IGNORED if state == "ignored" else Stored.NEW
            else:
                stored = Stored.REVIVED if await _revive(connection, now, event=event.id) else Stored.DUPLICATE
        if stored in {Stored.NEW, Stored.REVIVED}:
            self.arrived.set()
        return stored

    async def revive(self, reasons: Iterable[str]) -> int:
        """Try again what was refused for one of these reasons. Returns how many events that are."""
        async with self._pool.connection() as connection:
            revived = await _revive(connection, self._clock(), reasons=list(reasons))
        if revived:
            self.arrived.set()
        return revived

    @asynccontextmanager
    async def claim(self) -> AsyncIterator["Claim | None"]:
        """A subscription with something pending that is due, for this caller alone; None when there is none.

        Leaving without having settled or postponed them makes them pending again, at once.
        """
        async with self._pool.connection() as connection, connection.transaction():
            claim = None
            for _ in range(_LOOKS):
                subscription = await self._lock_subscription(connection)
                if subscription is None:
                    break
                # None if whoever held the lock until a moment ago has settled them all: then look for another one.
                claim = await self._claim_events(connection, subscription)
                if claim is not None:
                    break
            yield claim

    async def _lock_subscription(self, connection: Connection) -> str | None:
        # Materialized: the due ones are found first and then tried one by one until a lock is free; otherwise the
        # planner may take locks for rows that are not chosen.
        row = await fetch_one(
            connection,
            """
            WITH due AS MATERIALIZED (
                SELECT subscription FROM inbox
                WHERE state = 'pending' AND due_at <= %s
                ORDER BY due_at LIMIT %s
            )
            SELECT subscription FROM due
            WHERE pg_try_advisory_xact_lock(hashtextextended(subscription, 0)) LIMIT 1
            """,
            [self._clock(), _CANDIDATES],
        )
        return row["subscription"] if row else None

    async def _claim_events(self, connection: Connection, subscription: str) -> "Claim | None":
        rows = await fetch_all(
            connection,
            """
            SELECT id, payload, state, attempts, reason FROM inbox
            WHERE subscription = %s AND state IN ('pending', 'refused', 'dead')
            ORDER BY received_at
            FOR UPDATE SKIP LOCKED
            """,
            [subscription],
        )
        pending = [row for row in rows if row["state"] == "pending"]
        if not pending:
            return None
        return Claim(
            subscription=subscription,
            events=tuple(Event.parse(row["payload"]) for row in rows),
            attempts=max(row["attempts"] for row in pending),
            known_reasons=frozenset(row["reason"] for row in rows if row["reason"]),
            _connection=connection,
            _clock=self._clock,
            _random=self._random,
        )

    async def backlog(self) -> Backlog:
        """How much is unsettled, for the metrics. Looks at no settled row, of which there are ever more."""
        async with self._pool.connection() as connection:
            pending = await fetch_one(
                connection, "SELECT count(*) AS number, min(received_at) AS oldest FROM inbox WHERE state = 'pending'"
            )
            unserved = await fetch_all(
                connection,
                """
                SELECT state, coalesce(reason, '') AS reason, count(*) AS number FROM inbox
                WHERE state IN ('refused', 'dead')
                GROUP BY 1, 2
                """,
            )
        oldest = pending["oldest"] if pending else None
        return Backlog(
            pending=pending["number"] if pending else 0,
            oldest_seconds=(self._clock() - oldest).total_seconds() if oldest else 0,
            unserved={(row["state"], row["reason"]): row["number"] for row in unserved},
        )


@dataclass(frozen=True)
class Claim:
    """All events about one subscription that are not done. What becomes of one becomes of all."""

    subscription: str
    events: tuple[Event, ...]
    """In the order in which they arrived."""
    attempts: int
    """How often this has failed in a row."""
    known_reasons: frozenset[str]
    """Why it failed or was refused earlier: somebody has been told of these."""
    _connection: Connection
    _clock: Callable[[], datetime]
    _random: Callable[[], float]

    async def done(self) -> None:
        """The world is as the subscription wishes."""
        await self._finish("done", None, None)

    async def refuse(self, reason: str, message: str) -> None:
        """It cannot be served as it is, and trying again changes nothing."""
        await self._finish("refused", reason, message)

    async def postpone(self, reason: str, message: str) -> bool:
        """Something was not there: try again later. False when that was the last attempt."""
        failures = self.attempts + 1
        if failures >= _MOST_ATTEMPTS:
            await self._finish("dead", reason, message)
            return False
        due = self._clock() + timedelta(seconds=_RETRY.delay(failures, self._random))
        await self._connection.execute(
            """
            UPDATE inbox SET attempts = %s, due_at = %s, reason = %s, message = %s
            WHERE id = ANY(%s) AND state = 'pending'
            """,
            [failures, due, reason, message, self._ids],
        )
        return True

    async def _finish(self, state: str, reason: str | None, message: str | None) -> None:
        await self._connection.execute(
            "UPDATE inbox SET state = %s, reason = %s, message = %s, finished_at = %s WHERE id = ANY(%s)",
            [state, reason, message, self._clock(), self._ids],
        )

    @property
    def _ids(self) -> list[str]:
        return [event.id for event in self.events]


async def _revive(connection: Connection, now: datetime, *, event: str = "", reasons: list[str] | None = None) -> int:
    # The reason stays until the next outcome, so that the same refusal is not reported a second time.
    revived = await connection.execute(
        """
        UPDATE inbox SET state = 'pending', attempts = 0, due_at = %s, finished_at = NULL
        WHERE state IN ('refused', 'dead') AND (id = %s OR reason = ANY(%s))
        """,
        [now, event, reasons or []],
    )
    return revived.rowcount
