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
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from psycopg.rows import DictRow

from claw_webhook.batches import Batches
from claw_webhook.claims import Claim, claim_subject
from claw_webhook.database import Connection, Pool, committing, fetch_all, fetch_one
from claw_webhook.stripe_objects import Event

_CANDIDATES = 64
_LOOKS = 8
_STORED_AT_ONCE = 64
_STORES = 2
_PATIENCE_SECONDS = 6
_PAYLOAD_KEPT = timedelta(days=90)
_EMPTIED_AT_ONCE = 500

Source = Literal["delivery", "sweep"]


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


@dataclass(frozen=True)
class _Arrival:
    event: Event
    payload: str
    source: Source


class Inbox:
    """The table `inbox`. `random` gives floats in [0, 1)."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime], random: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock
        self._random = random
        self._batches = Batches(self._store, most=_STORED_AT_ONCE, side_by_side=_STORES)
        self.arrived = asyncio.Event()
        """Set when there may be something to claim; the workers clear it."""

    async def store(self, event: Event, payload: str, *, source: Source = "delivery") -> Stored:
        """Store it, durably, if it is not there yet.

        Raises psycopg.Error, TimeoutError: then nobody knows whether it is stored, and Stripe has to come again.
        A second delivery of an event that was given up (somebody pressed "Resend" in Stripe's dashboard) revives it.
        """
        return await self._batches.add(_Arrival(event, payload, source))

    async def _store(self, arrivals: Sequence[_Arrival]) -> list[Stored]:
        now = self._clock()
        async with asyncio.timeout(_PATIENCE_SECONDS), committing(self._pool) as connection:
            # In the order of the ids: two replicas that store the same events must not wait for each other in a ring.
            # Binary (%b): as text, each quotation mark of a payload is escaped, which costs more than all the rest.
            inserted = await fetch_all(
                connection,
                """
                INSERT INTO inbox (id, type, subject, payload, received_at, state, due_at, source)
                SELECT id, type, subject, payload, %(now)s,
                    CASE WHEN subject IS NULL THEN 'ignored' ELSE 'pending' END, %(now)s, source
                FROM unnest(%(ids)b::text[], %(types)b::text[], %(subjects)b::text[], %(payloads)b::text[],
                    %(sources)b::text[]) AS arrived (id, type, subject, payload, source)
                ORDER BY id
                ON CONFLICT (id) DO NOTHING
                RETURNING id
                """,
                {
                    "ids": [arrival.event.id for arrival in arrivals],
                    "types": [arrival.event.type for arrival in arrivals],
                    "subjects": [arrival.event.subject for arrival in arrivals],
                    "payloads": [arrival.payload for arrival in arrivals],
                    "sources": [arrival.source for arrival in arrivals],
                    "now": now,
                },
            )
            new = {row["id"] for row in inserted}
            again = [one.event.id for one in arrivals if one.event.id not in new and one.source == "delivery"]
            revived = {row["id"] for row in await _revive(connection, now, events=again)} if again else set()
        outcomes = [_outcome(arrival, new, revived) for arrival in arrivals]
        if not {Stored.NEW, Stored.REVIVED}.isdisjoint(outcomes):
            self.arrived.set()
        return outcomes

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
        subjects = {row["subject"] for row in [*revived, *looks]}
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


def _outcome(arrival: _Arrival, new: set[str], revived: set[str]) -> Stored:
    """What became of one. An id that is in a batch twice is new once."""
    event = arrival.event
    if event.id in new:
        new.remove(event.id)
        return Stored.IGNORED if event.subject is None else Stored.NEW
    return Stored.REVIVED if event.id in revived else Stored.DUPLICATE


async def _revive(
    connection: Connection, now: datetime, *, events: Sequence[str] = (), reasons: Sequence[str] = ()
) -> list[DictRow]:
    """`id` and `subject` of the events that were refused or given up and are tried again."""
    # The reason stays until the next outcome, so that the same refusal is not reported a second time.
    return await fetch_all(
        connection,
        """
        UPDATE inbox SET state = 'pending', attempts = 0, due_at = %s, finished_at = NULL
        WHERE state IN ('refused', 'dead') AND (id = ANY(%s) OR reason = ANY(%s))
        RETURNING id, subject
        """,
        [now, list(events), list(reasons)],
    )
