"""The table `meter_events`: stretches of usage that are gathered, sent, or given up.

pending, no attempt yet   open: it grows with the counter
pending, with attempts    closed: it has its identifier, and Stripe may know it already
sent                      Stripe has it
dead (with a reason)      older than Stripe takes; somebody bills it by hand, or nobody does
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from claw_webhook.database import Connection, Pool, fetch_all
from claw_webhook.metered.gathering import Stretch
from claw_webhook.stripe_books import MeterEvent

_GATHERED = timedelta(minutes=5)
"""How long a stretch grows before it is sent."""
_ANSWER_DUE = timedelta(minutes=10)
"""When a stretch is sent again whose sender was heard of no more."""
_PAGE = 500


@dataclass(frozen=True)
class Metered:
    """An instance whose plan has a meter."""

    name: str
    customer: str
    plan: str
    usage: str
    """JSON of its status.usage."""
    requested_at: datetime


@dataclass(frozen=True)
class Closed:
    """A stretch that does not change any more."""

    event: MeterEvent
    instance: str
    attempts: int
    """This one included."""
    last_reason: str | None


class MeterEvents:
    """The table. Every method may raise psycopg.Error."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._clock = clock

    async def write(self, connection: Connection, instance: str, customer: str, stretch: Stretch) -> None:
        """Begin the stretch, or make it longer, as part of the caller's transaction.

        One that was closed a moment ago stays as it is: the next reading begins where it ended.
        """
        now = self._clock()
        await connection.execute(
            """
            INSERT INTO meter_events
                (identifier, instance, customer, event_name, period_start, from_value, to_value, created_at, state,
                 due_at)
            VALUES
                (%(open)s, %(instance)s, %(customer)s, %(event_name)s, %(period)s, %(from)s, %(to)s, %(now)s, 'pending',
                 %(due)s)
            ON CONFLICT (instance, event_name, period_start, from_value) DO UPDATE
            SET to_value = excluded.to_value, customer = excluded.customer,
                created_at = CASE WHEN meter_events.to_value = meter_events.from_value
                    THEN excluded.created_at ELSE meter_events.created_at END,
                due_at = CASE WHEN meter_events.to_value = meter_events.from_value
                    THEN excluded.due_at ELSE meter_events.due_at END
            WHERE meter_events.state = 'pending' AND meter_events.attempts = 0
            """,
            {
                # It gets the identifier that Stripe is told when it is closed: that names the last value.
                "open": f"open:{instance}:{stretch.event_name}:{_stamp(stretch.period_start)}:{stretch.from_value}",
                "instance": instance,
                "customer": customer,
                "event_name": stretch.event_name,
                "period": stretch.period_start,
                "from": stretch.from_value,
                "to": stretch.to_value,
                "now": now,
                "due": now + _GATHERED,
            },
        )

    async def close_due(self, most: int) -> list[Closed]:
        """Some stretches that are due for this caller alone, closed for good. Committed when this returns."""
        now = self._clock()
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                """
                SELECT meter_events.*, coalesce(instances.uid, instances.name) AS whose
                FROM meter_events JOIN instances ON instances.name = meter_events.instance
                WHERE state = 'pending' AND due_at <= %s AND to_value > from_value
                ORDER BY due_at LIMIT %s
                FOR UPDATE OF meter_events SKIP LOCKED
                """,
                [now, most],
            )
            closed = [_closed(row) for row in rows]
            for row, one in zip(rows, closed, strict=True):
                await connection.execute(
                    "UPDATE meter_events SET identifier = %s, attempts = %s, due_at = %s WHERE identifier = %s",
                    [one.event.identifier, one.attempts, now + _ANSWER_DUE, row["identifier"]],
                )
        return closed

    async def postpone(self, identifier: str, *, seconds: float, reason: str) -> None:
        """Stripe did not take it: try again later."""
        due = self._clock() + timedelta(seconds=seconds)
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE meter_events SET due_at = %s, reason = %s WHERE identifier = %s AND state = 'pending'",
                [due, reason, identifier],
            )

    async def settle(self, identifier: str, state: str, reason: str | None = None) -> None:
        """It is `sent` or `dead`."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE meter_events SET state = %s, reason = %s WHERE identifier = %s", [state, reason, identifier]
            )


async def metered_instances(connection: Connection, plans: list[str]) -> AsyncGenerator[list[Metered], None]:
    """Instances of these plans that have told their usage, in pages."""
    last = ""
    while True:
        rows = await fetch_all(
            connection,
            """
            SELECT instances.name, subscriptions.customer, subscriptions.plan, instances.usage, instances.requested_at
            FROM instances JOIN subscriptions ON subscriptions.id = instances.subscription
            WHERE instances.name > %s AND subscriptions.plan = ANY(%s) AND instances.usage IS NOT NULL
                AND subscriptions.customer IS NOT NULL
            ORDER BY instances.name LIMIT %s
            """,
            [last, plans, _PAGE],
        )
        if rows:
            yield [Metered(**row) for row in rows]
        if len(rows) < _PAGE:
            return
        last = rows[-1]["name"]


async def newest_stretches(connection: Connection, instances: list[str], event_names: list[str]) -> dict[str, Stretch]:
    """The newest stretch of each instance. One of a meter that no plan names any more does not count."""
    rows = await fetch_all(
        connection,
        # Meter by meter, because that is how the index has them: a busy instance has a hundred thousand after a year.
        """
        SELECT DISTINCT ON (newest.instance) newest.*
        FROM unnest(%s::text[]) AS wanted (instance)
            CROSS JOIN unnest(%s::text[]) AS meter (event_name)
            CROSS JOIN LATERAL (
                SELECT * FROM meter_events
                WHERE meter_events.instance = wanted.instance AND meter_events.event_name = meter.event_name
                ORDER BY period_start DESC, from_value DESC LIMIT 1
            ) AS newest
        ORDER BY newest.instance, newest.period_start DESC, newest.to_value DESC, newest.created_at DESC
        """,
        [instances, event_names],
    )
    return {
        row["instance"]: Stretch(
            row["event_name"],
            row["period_start"],
            row["from_value"],
            row["to_value"],
            open=row["state"] == "pending" and row["attempts"] == 0,
        )
        for row in rows
    }


def _closed(row: dict[str, Any]) -> Closed:
    named = f"{row['whose']}:{_stamp(row['period_start'])}:{row['to_value']}"
    return Closed(
        event=MeterEvent(
            identifier=row["identifier"] if row["attempts"] else named,
            event_name=row["event_name"],
            customer=row["customer"],
            value=row["to_value"] - row["from_value"],
            at=row["created_at"],
        ),
        instance=row["instance"],
        attempts=row["attempts"] + 1,
        last_reason=row["reason"],
    )


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
