"""Erasure: who somebody was is forgotten, what was bought and when stays.

The books must be kept, and they need no name: ids, dates, plans and the billing log stay. What goes is every place in
which the customers database says who that was: the customer's row, what was typed at checkouts, the specs of instances,
what Stripe wrote in its events, what mails were made of, and every pass. Stripe's own copy is Stripe's to erase.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from claw_webhook import billing_log
from claw_webhook.billing import Standing
from claw_webhook.billing_log import Entry
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one

ERASED_EMAIL = "erased@invalid"
"""`invalid` is reserved: no mail can ever go there."""
_PAGE = 2000


class CannotErase(Exception):
    """Something still needs to know who that is. The message says what, and what to do."""


@dataclass(frozen=True)
class Erased:
    """What an erasure has emptied. All zero: it had been done before, and nothing came since."""

    events: int
    checkouts: int
    mails: int
    passes: int
    first_time: bool


class Erasing:
    """Forgets customers."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._clock = clock

    async def check(self, customer: str) -> None:
        """Raises CannotErase unless the customer could be erased now."""
        async with self._pool.connection() as connection:
            await _subscriptions_that_are_over(connection, customer)

    async def erase(self, customer: str, *, actor: str, why: str) -> Erased:
        """Forget who the customer is. May be repeated. Raises CannotErase; then nothing was changed."""
        now = self._clock()
        async with self._pool.connection() as connection:
            subscriptions = await _subscriptions_that_are_over(connection, customer)
            first_time = await _anonymise(connection, customer, now)
            result = Erased(
                events=await _empty_events_about(connection, [customer, *subscriptions], now),
                checkouts=await _execute(
                    connection, "DELETE FROM checkouts WHERE subscription = ANY(%s)", [subscriptions]
                ),
                mails=await _empty_mails(connection, customer, now),
                passes=await _execute(connection, "DELETE FROM passes WHERE customer = %s", [customer]),
                first_time=first_time,
            )
            await _empty_specs(connection, customer, subscriptions)
            if first_time:
                entry = Entry(at=now, actor=actor, action="erased", why=why, customer=customer)
                await billing_log.write(connection, [entry])
        return result

    async def empty_mentions(self, customer: str) -> int:
        """Empty what Stripe wrote about the customer in events that are about nothing of ours, such as charges.

        It reads the whole inbox, page by page, each in a transaction of its own. Returns how many events that were.
        """
        emptied, last = 0, ("-infinity", "")
        while True:
            async with self._pool.connection() as connection:
                row = await fetch_one(
                    connection,
                    """
                    WITH page AS (
                        SELECT id, received_at FROM inbox
                        WHERE payload <> '' AND state IN ('done', 'ignored') AND (received_at, id) > (%s, %s)
                        ORDER BY received_at, id LIMIT %s
                    ), emptied AS (
                        UPDATE inbox SET payload = '' FROM page
                        WHERE inbox.id = page.id AND strpos(inbox.payload, %s) > 0
                        RETURNING inbox.id
                    )
                    SELECT page.received_at, page.id, (SELECT count(*) FROM emptied) AS emptied
                    FROM page ORDER BY page.received_at DESC, page.id DESC LIMIT 1
                    """,
                    [*last, _PAGE, f'"{customer}"'],
                )
            if row is None:
                return emptied
            emptied += row["emptied"]
            last = (row["received_at"], row["id"])


async def _subscriptions_that_are_over(connection: Connection, customer: str) -> list[str]:
    known = await fetch_one(connection, "SELECT id FROM customers WHERE id = %s FOR UPDATE", [customer])
    if known is None:
        raise CannotErase(f"no customer {customer} is recorded: see `claw customers list`")
    rows = await fetch_all(
        connection,
        """
        SELECT subscriptions.id, status, standing, instances.name, deletion_at
        FROM subscriptions
            LEFT JOIN instances ON instances.subscription = subscriptions.id AND instances.deleted_at IS NULL
        WHERE subscriptions.customer = %(customer)s OR subscriptions.payer = %(customer)s
        ORDER BY subscriptions.id
        """,
        {"customer": customer},
    )
    for row in rows:
        if row["standing"] != Standing.ENDED:
            raise CannotErase(
                f"subscription {row['id']} of {customer} is {row['standing'] or row['status']}: cancel it in Stripe"
                " first, and wait until `claw customers show` says Ended"
            )
        if row["name"] is not None:
            until = f", which is kept until {row['deletion_at']:%Y-%m-%d}" if row["deletion_at"] else ""
            raise CannotErase(
                f"instance {row['name']} of {customer} is still there{until}: wait for that, or delete it now with"
                f" `kubectl delete clawinstance {row['name']}`"
            )
    return [row["id"] for row in rows]


async def _anonymise(connection: Connection, customer: str, now: datetime) -> bool:
    """False when it had been done before."""
    changed = await _execute(
        connection,
        """
        UPDATE customers
        SET email = %s, proven_email = NULL, name = NULL, company = NULL, timezone = 'UTC', locale = 'en',
            updated_at = %s, erased_at = %s
        WHERE id = %s AND erased_at IS NULL
        """,
        [ERASED_EMAIL, now, now, customer],
    )
    return changed > 0


async def _empty_events_about(connection: Connection, subjects: list[str], now: datetime) -> int:
    # What was still to be worked on is settled: without its payload it could not be, and all of them have ended.
    return await _execute(
        connection,
        """
        UPDATE inbox
        SET payload = '', message = NULL, finished_at = coalesce(finished_at, %s),
            state = CASE WHEN state = 'ignored' THEN state ELSE 'done' END
        WHERE subject = ANY(%s) AND payload <> ''
        """,
        [now, subjects],
    )


async def _empty_mails(connection: Connection, customer: str, now: datetime) -> int:
    return await _execute(
        connection,
        """
        UPDATE outbox
        SET details = '{}', finished_at = coalesce(finished_at, %s),
            reason = CASE WHEN state = 'pending' THEN 'erased' ELSE reason END,
            state = CASE WHEN state = 'pending' THEN 'dropped' ELSE state END
        WHERE customer = %s AND (details <> '{}' OR state = 'pending')
        """,
        [now, customer],
    )


async def _empty_specs(connection: Connection, customer: str, subscriptions: list[str]) -> None:
    # An instance that another subscription took over, and that is gone, belongs to none: its spec names the customer.
    await connection.execute(
        """
        UPDATE instances SET spec = NULL
        WHERE deleted_at IS NOT NULL AND spec IS NOT NULL
            AND (subscription = ANY(%s) OR strpos(spec, %s) > 0)
        """,
        [subscriptions, f'"{customer}"'],
    )


async def _execute(connection: Connection, query: Any, parameters: list[Any]) -> int:
    return (await connection.execute(query, parameters)).rowcount
