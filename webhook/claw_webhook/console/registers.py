"""What a person reads in the customers database: who there is, how they stand, and what is held back from deletion."""

from dataclasses import dataclass
from datetime import datetime

from claw_webhook.database import Connection, Pool, fetch_all, fetch_one


@dataclass(frozen=True)
class Hold:
    """A subscription of which nothing is deleted until a person decides."""

    subscription: str
    customer: str | None
    standing: str | None
    deletion_at: datetime | None
    instance: str | None
    hold: str


@dataclass(frozen=True)
class SubscriptionLine:
    """A subscription and its instance, as last recorded."""

    id: str
    status: str
    standing: str | None
    since: datetime | None
    plan: str | None
    paid_until: datetime | None
    deletion_at: datetime | None
    hold: str | None
    instance: str | None
    """None when there is none, or none any more."""
    instance_status: str | None
    url: str | None


@dataclass(frozen=True)
class CustomerLine:
    """A customer in a list."""

    id: str
    email: str
    created_at: datetime
    erased_at: datetime | None
    subscriptions: list[str]
    """`plan standing` of each, for example `pro Active`."""


@dataclass(frozen=True)
class CustomerPage:
    """All that is known of a customer."""

    id: str
    email: str
    name: str | None
    company: str | None
    timezone: str
    locale: str
    created_at: datetime
    erased_at: datetime | None
    subscriptions: list[SubscriptionLine]


class Registers:
    """Reads the tables. Every method may raise psycopg.Error."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def holds(self) -> list[Hold]:
        """Everything that is held, the next deletion first."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                """
                SELECT subscriptions.id AS subscription, coalesce(customer, payer) AS customer, standing,
                    CASE WHEN deletion_at IS NOT NULL THEN greatest(deletion_at, keep_until) END AS deletion_at,
                    instances.name AS instance, hold
                FROM subscriptions
                    LEFT JOIN instances
                    ON instances.subscription = subscriptions.id AND instances.deleted_at IS NULL
                WHERE hold IS NOT NULL
                ORDER BY deletion_at NULLS LAST, subscriptions.id
                """,
            )
        return [Hold(**row) for row in rows]

    async def is_held(self, subscription: str) -> bool | None:
        """Whether the subscription is held; None when it was never recorded."""
        async with self._pool.connection() as connection:
            row = await fetch_one(connection, "SELECT hold FROM subscriptions WHERE id = %s", [subscription])
        return None if row is None else row["hold"] is not None

    async def customers(self, *, most: int) -> list[CustomerLine]:
        """The newest customers."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                """
                SELECT customers.id, email, customers.created_at, erased_at,
                    coalesce(array_agg(concat_ws(' ', plan, coalesce(standing, status)) ORDER BY subscriptions.id)
                        FILTER (WHERE subscriptions.id IS NOT NULL), '{}') AS subscriptions
                FROM customers LEFT JOIN subscriptions ON subscriptions.customer = customers.id
                GROUP BY customers.id ORDER BY customers.created_at DESC, customers.id LIMIT %s
                """,
                [most],
            )
        return [CustomerLine(**row) for row in rows]

    async def customer(self, id_or_email: str) -> CustomerPage | None:
        """A customer by Stripe's id, or by address; of several with one address the newest."""
        async with self._pool.connection() as connection:
            row = await fetch_one(
                connection,
                """
                SELECT id, email, name, company, timezone, locale, created_at, erased_at FROM customers
                WHERE id = %(wanted)s OR lower(email) = lower(%(wanted)s)
                ORDER BY created_at DESC LIMIT 1
                """,
                {"wanted": id_or_email},
            )
            return CustomerPage(**row, subscriptions=await _subscriptions(connection, row["id"])) if row else None


async def _subscriptions(connection: Connection, customer: str) -> list[SubscriptionLine]:
    rows = await fetch_all(
        connection,
        """
        SELECT subscriptions.id, status, standing, since, plan, paid_until, hold,
            CASE WHEN deletion_at IS NOT NULL THEN greatest(deletion_at, keep_until) END AS deletion_at,
            instances.name AS instance, instances.ready_reason AS instance_status, instances.url
        FROM subscriptions
            LEFT JOIN instances ON instances.subscription = subscriptions.id AND instances.deleted_at IS NULL
        WHERE customer = %(customer)s OR payer = %(customer)s
        ORDER BY subscriptions.created_at DESC
        """,
        {"customer": customer},
    )
    return [SubscriptionLine(**row) for row in rows]
