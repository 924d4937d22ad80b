"""The billing log: who did what to which subscription, before, after, and why. Only ever added to.

It holds ids and no names or addresses, so it stays as it is when a customer is erased: the books must. The database
itself refuses to change or remove a row.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from claw_webhook.database import Connection, Pool, fetch_all

_MOST_READ = 1000


@dataclass(frozen=True)
class Entry:
    """One line. `before` and `after` are what JSON can hold; None where there is nothing to tell."""

    at: datetime
    actor: str
    """stripe:evt_…, clock, sweep, checkout, customer, or person:<name>."""
    action: str
    why: str
    subscription: str | None = None
    customer: str | None = None
    before: Any = None
    after: Any = None


async def write(connection: Connection, entries: Iterable[Entry]) -> None:
    """Add them, as part of the caller's transaction: a change and its entry are there together or not at all."""
    rows = [
        (
            entry.at,
            entry.actor,
            entry.subscription,
            entry.customer,
            entry.action,
            _json(entry.before),
            _json(entry.after),
            entry.why,
        )
        for entry in entries
    ]
    if not rows:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO billing_log (at, actor, subscription, customer, action, before, after, why)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            rows,
        )


class BillingLog:
    """The table `billing_log`, to read."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def entries(self, *, subscription: str | None = None, customer: str | None = None) -> list[Entry]:
        """What happened to a subscription, or to all those of a customer; oldest first, the newest thousand at most."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                """
                SELECT at, actor, action, why, subscription, customer, before, after FROM billing_log
                WHERE (%(subscription)s::text IS NULL OR subscription = %(subscription)s)
                    AND (%(customer)s::text IS NULL OR customer = %(customer)s)
                ORDER BY id DESC LIMIT %(most)s
                """,
                {"subscription": subscription, "customer": customer, "most": _MOST_READ},
            )
        return [
            Entry(**row | {"before": _parsed(row["before"]), "after": _parsed(row["after"])}) for row in reversed(rows)
        ]


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, default=str)


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
