"""What a person does with events: see what became of them, and have them worked on once more."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from claw_webhook import billing_log, looks
from claw_webhook.billing_log import Entry
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one

WHY = "person"


@dataclass(frozen=True)
class InboxEvent:
    """An event, without what Stripe wrote in it."""

    id: str
    type: str
    subject: str | None
    state: str
    source: str
    received_at: datetime
    attempts: int
    reason: str | None
    message: str | None


class Replaying:
    """The table `inbox`, for a person."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._clock = clock

    async def events(self, *, state: str | None, subject: str | None, most: int) -> list[InboxEvent]:
        """The newest events of that state and subject; None: of any."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                """
                SELECT id, type, subject, state, source, received_at, attempts, reason, message FROM inbox
                WHERE (%(state)s::text IS NULL OR state = %(state)s)
                    AND (%(subject)s::text IS NULL OR subject = %(subject)s)
                ORDER BY received_at DESC LIMIT %(most)s
                """,
                {"state": state, "subject": subject, "most": most},
            )
        return [InboxEvent(**row) for row in rows]

    async def event(self, event_id: str) -> InboxEvent | None:
        """One of them."""
        async with self._pool.connection() as connection:
            row = await fetch_one(
                connection,
                """
                SELECT id, type, subject, state, source, received_at, attempts, reason, message FROM inbox
                WHERE id = %s
                """,
                [event_id],
            )
        return InboxEvent(**row) if row else None

    async def replay_event(self, event: InboxEvent, *, actor: str) -> None:
        """Have it worked on again, whatever became of it. One without a subject has nothing to be worked on."""
        if event.subject is None:
            return
        async with self._pool.connection() as connection:
            await self._revive(connection, [event.id])
            await self._look(connection, {event.subject: event.id}, actor)

    async def replay_subject(self, subject: str, *, actor: str) -> int:
        """Have all that was refused or given up about a subject worked on again, and look at it in any case."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                "SELECT id FROM inbox WHERE subject = %s AND state IN ('refused', 'dead')",
                [subject],
            )
            await self._revive(connection, [row["id"] for row in rows])
            await self._look(connection, {subject: f"{len(rows)} events"}, actor)
        return len(rows)

    async def replay_dead(self, *, actor: str) -> int:
        """Have everything that was given up worked on again. Returns how many events and looks that are."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(connection, "SELECT id, subject FROM inbox WHERE state = 'dead'")
            # A look that was given up is nobody's event: it has failures, and a long pause.
            given_up = await fetch_all(connection, "SELECT subject FROM looks WHERE attempts > 0")
            await self._revive(connection, [row["id"] for row in rows])
            subjects = {row["subject"]: "a look" for row in given_up} | {row["subject"]: row["id"] for row in rows}
            await self._look(connection, subjects, actor)
        return len(subjects)

    async def _revive(self, connection: Connection, events: list[str]) -> None:
        # The reason stays until the next outcome, so that the same refusal is not reported a second time.
        await connection.execute(
            """
            UPDATE inbox SET state = 'pending', attempts = 0, due_at = %s, finished_at = NULL
            WHERE id = ANY(%s) AND state IN ('refused', 'dead')
            """,
            [self._clock(), events],
        )

    async def _look(self, connection: Connection, subjects: dict[str, str], actor: str) -> None:
        now = self._clock()
        for subject in sorted(subjects):
            await looks.ask(connection, subject, why=WHY, due_at=now)
        await billing_log.write(
            connection,
            [
                Entry(
                    at=now,
                    actor=actor,
                    action="replayed",
                    why="claw billing replay",
                    subscription=subject if subject.startswith("sub_") else None,
                    customer=subject if subject.startswith("cus_") else None,
                    after=what,
                )
                for subject, what in sorted(subjects.items())
            ],
        )
