"""The inbox: every verified event, stored once before Stripe gets its answer, and worked off afterwards.

What is claimed is not an event but a subject (a subscription, or a customer with all of theirs), with all events about
it that are not done and the look that somebody asked for (`looks.py`): the live subscription is looked at once for all
of them. While somebody holds a claim nobody else gets one for the same subject, or the slower of two could apply an
older look over a newer one. The claim is a transaction and lives no longer than its process: after a crash the same
events are pending again at once, without a lease that would have to run out.

    pending ──▶ done                     the world is as the subscription wishes
            ──▶ refused (with a reason)  it cannot be served; tried again on a delivery, when the plans change, or daily
            ──▶ dead (with a reason)     tried for days; tried again when Stripe is told to resend the event, or daily
    ignored                              a type that nothing is done about; kept, so that nothing is ever lost

Ids stay for ever, as the proof that an event was seen. What Stripe wrote about somebody does not: the payload of a
settled event is emptied after 90 days.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from claw_webhook.claims import Claim, claim_subject
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one
from claw_webhook.stripe_objects import Event

_CANDIDATES = 64
_LOOKS = 8
_PAYLOAD_KEPT = timedelta(days=90)
_EMPTIED_AT_ONCE = 500


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
    looks: dict[str, int]
    """Looks that are waiting for their moment, due, or failing."""


class Inbox:
    """The table `inbox`. `random` gives floats in [0, 1)."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime], random: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock
        self._random = random
        self.arrived = asyncio.Event()
        """Set when there may be something to claim; the workers clear it."""

    async def store(self, event: Event, payload: str, *, source: Literal["delivery", "sweep"] = "delivery") -> Stored:
        """Store it, durably, if it is not there yet. Raises psycopg.Error: then nothing is stored, and Stripe retries.

        A second delivery of an event that was given up (somebody pressed "Resend" in Stripe's dashboard) revives it.
        """
        now = self._clock()
        state = "ignored" if event.subject is None else "pending"
        async with self._pool.connection() as connection:
            inserted = await connection.execute(
                """
                INSERT INTO inbox (id, type, subject, payload, received_at, state, due_at, source)
                VALUES (%(id)s, %(type)s, %(subject)s, %(payload)s, %(now)s, %(state)s, %(now)s, %(source)s)
                ON CONFLICT (id) DO NOTHING
                """,
                {
                    "id": event.id,
                    "type": event.type,
                    "subject": event.subject,
                    "payload": payload,
                    "state": state,
                    "now": now,
                    "source": source,
                },
            )
            if inserted.rowcount:
                stored = Stored.IGNORED if state == "ignored" else Stored.NEW
            elif source == "delivery" and await _revive(connection, now, event=event.id):
                stored = Stored.REVIVED
            else:
                stored = Stored.DUPLICATE
        if stored in {Stored.NEW, Stored.REVIVED}:
            self.arrived.set()
        return stored

    async def revive(self, reasons: Iterable[str]) -> int:
        """Try again what was refused for one of these reasons. Returns how many subscriptions that are."""
        now, sought = self._clock(), list(reasons)
        async with self._pool.connection() as connection:
            revived = await _revive(connection, now, reasons=sought)
            looks = await fetch_all(
                connection,
                """
                UPDATE looks SET due_at = %s, asked = asked + 1 WHERE reason = ANY(%s) AND due_at > %s
                RETURNING subject
                """,
                [now, sought, now],
            )
        subjects = revived | {row["subject"] for row in looks}
        if subjects:
            self.arrived.set()
        return len(subjects)

    @asynccontextmanager
    async def claim(self) -> AsyncIterator[Claim | None]:
        """A subject with an event that is pending or a look that is due, for this caller alone; None if there is none.

        Leaving without having settled or postponed them makes them pending again, at once.
        """
        async with self._pool.connection() as connection, connection.transaction():
            claim = None
            for _ in range(_LOOKS):
                subject = await self._lock_subject(connection)
                if subject is None:
                    break
                # None if whoever held the lock until a moment ago has settled it all: then look for another one.
                claim = await claim_subject(connection, subject, clock=self._clock, random=self._random)
                if claim is not None:
                    break
            yield claim

    async def _lock_subject(self, connection: Connection) -> str | None:
        # Materialized: the due ones are found first and then tried one by one until a lock is free; otherwise the
        # planner may take locks for rows that are not chosen.
        row = await fetch_one(
            connection,
            """
            WITH due AS MATERIALIZED (
                SELECT subject FROM (
                    (SELECT subject, due_at FROM inbox WHERE state = 'pending' AND due_at <= %(now)s
                     ORDER BY due_at LIMIT %(most)s)
                    UNION ALL
                    (SELECT subject, due_at FROM looks WHERE due_at <= %(now)s ORDER BY due_at LIMIT %(most)s)
                ) AS either
                ORDER BY due_at
            )
            SELECT subject FROM due
            WHERE pg_try_advisory_xact_lock(hashtextextended(subject, 0)) LIMIT 1
            """,
            {"now": self._clock(), "most": _CANDIDATES},
        )
        return row["subject"] if row else None

    async def empty_old_payloads(self) -> bool:
        """Empty some payloads that nobody will need again; False when there was none left."""
        async with self._pool.connection() as connection:
            emptied = await connection.execute(
                """
                UPDATE inbox SET payload = '' WHERE id IN (
                    SELECT id FROM inbox
                    WHERE payload <> '' AND state IN ('done', 'ignored') AND received_at < %s
                    ORDER BY received_at LIMIT %s
                    FOR UPDATE SKIP LOCKED
                )
                """,
                [self._clock() - _PAYLOAD_KEPT, _EMPTIED_AT_ONCE],
            )
        return emptied.rowcount > 0

    async def backlog(self) -> Backlog:
        """How much is unsettled, for the metrics. Looks at no settled row, of which there are ever more."""
        now = self._clock()
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
            looks = await fetch_all(
                connection,
                """
                SELECT CASE WHEN reason IS NOT NULL THEN 'failing' WHEN due_at <= %s THEN 'due' ELSE 'waiting' END
                    AS state, count(*) AS number
                FROM looks GROUP BY 1
                """,
                [now],
            )
        oldest = pending["oldest"] if pending else None
        return Backlog(
            pending=pending["number"] if pending else 0,
            oldest_seconds=(now - oldest).total_seconds() if oldest else 0,
            unserved={(row["state"], row["reason"]): row["number"] for row in unserved},
            looks={"waiting": 0, "due": 0, "failing": 0} | {row["state"]: row["number"] for row in looks},
        )


async def _revive(
    connection: Connection, now: datetime, *, event: str = "", reasons: list[str] | None = None
) -> set[str]:
    """Whom the revived events are about."""
    # The reason stays until the next outcome, so that the same refusal is not reported a second time.
    revived = await fetch_all(
        connection,
        """
        UPDATE inbox SET state = 'pending', attempts = 0, due_at = %s, finished_at = NULL
        WHERE state IN ('refused', 'dead') AND (id = %s OR reason = ANY(%s))
        RETURNING subject
        """,
        [now, event, reasons or []],
    )
    return {row["subject"] for row in revived}
