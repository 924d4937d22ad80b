"""Who pays, what they subscribed to, and where their instance is: the last known state of each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from claw_crds import naming
from claw_crds.v1alpha1 import ClawInstanceSpec, Customer
from claw_webhook import outbox
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one
from claw_webhook.stripe_objects import Checkout, Subscription


@dataclass(frozen=True)
class SeenInstance:
    """A ClawInstance as the cluster shows it."""

    name: str
    uid: str
    available: bool
    """Ready is True, and address and Secret are known."""
    url: str | None = None
    secret_name: str | None = None


class Customers:
    """The tables `customers`, `subscriptions`, `checkouts` and `instances`."""

    def __init__(self, pool: Pool, *, namespace: str, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._namespace = namespace
        self._clock = clock

    async def checkout(self, subscription: str, fresh: Checkout | None) -> Checkout | None:
        """What was entered at the checkout of the subscription. `fresh` is remembered: it comes with one event only."""
        async with self._pool.connection() as connection:
            if fresh is not None:
                await connection.execute(
                    """
                    INSERT INTO checkouts (subscription, details) VALUES (%s, %s)
                    ON CONFLICT (subscription) DO UPDATE SET details = excluded.details
                    """,
                    [subscription, fresh.model_dump_json()],
                )
                return fresh
            row = await fetch_one(connection, "SELECT details FROM checkouts WHERE subscription = %s", [subscription])
        return Checkout.model_validate_json(row["details"]) if row else None

    async def record(self, subscription: Subscription, spec: ClawInstanceSpec | None) -> None:
        """The subscription as it is now and, with a spec, its customer and the instance that is about to be applied."""
        now = self._clock()
        async with self._pool.connection() as connection:
            if spec is not None:
                await _record_customer(connection, spec.customer, now)
            await _record_subscription(connection, subscription, spec, now)
            if spec is not None:
                await self._record_instance(connection, subscription.id, now)

    async def _record_instance(self, connection: Connection, subscription: str, now: datetime) -> None:
        # One that is gone and wished for again begins anew.
        await connection.execute(
            """
            INSERT INTO instances (name, namespace, subscription, requested_at) VALUES (%s, %s, %s, %s)
            ON CONFLICT (name) DO UPDATE
                SET requested_at = excluded.requested_at, uid = NULL, deleted_at = NULL
                WHERE instances.deleted_at IS NOT NULL
            """,
            [naming.instance_name(subscription), self._namespace, subscription, now],
        )

    async def instance_seen(self, seen: SeenInstance) -> float | None:
        """Remember what the cluster shows. Seconds from the wish to now when it became available with this call.

        The welcome mail is put into the outbox in the same transaction, so neither is ever there without the other.
        Instances that no subscription asked for are nobody's business here.
        """
        now = self._clock()
        values = {
            "name": seen.name,
            "namespace": self._namespace,
            "uid": seen.uid,
            "url": seen.url,
            "secret": seen.secret_name,
            "now": now,
        }
        async with self._pool.connection() as connection:
            # Another uid is another object with another key, made after somebody had deleted the first one.
            await connection.execute(
                """
                UPDATE instances
                SET uid = %(uid)s, url = NULL, secret_name = NULL, available_at = NULL, available_seconds = NULL,
                    deleted_at = NULL
                WHERE name = %(name)s AND namespace = %(namespace)s AND uid IS DISTINCT FROM %(uid)s
                """,
                values,
            )
            if not seen.available:
                return None
            row = await fetch_one(
                connection,
                """
                UPDATE instances
                SET url = %(url)s, secret_name = %(secret)s,
                    available_at = coalesce(available_at, %(now)s),
                    available_seconds = coalesce(available_seconds, extract(epoch FROM %(now)s - requested_at))
                WHERE name = %(name)s AND namespace = %(namespace)s
                    AND (url, secret_name) IS DISTINCT FROM (%(url)s, %(secret)s)
                RETURNING available_at = %(now)s AS first, available_seconds AS seconds,
                    (SELECT customer FROM subscriptions WHERE id = subscription) AS customer
                """,
                values,
            )
            if row is None or not row["first"]:
                return None
            await outbox.put(
                connection,
                outbox.WELCOME,
                occasion=seen.uid,
                customer=row["customer"],
                instance=seen.name,
                instance_uid=seen.uid,
                now=now,
            )
            return float(row["seconds"])

    async def instance_gone(self, name: str) -> None:
        """The cluster no longer has it."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE instances SET deleted_at = %s WHERE name = %s AND namespace = %s AND deleted_at IS NULL",
                [self._clock(), name, self._namespace],
            )

    async def instances_seen_before(self) -> set[str]:
        """Names of the instances that the cluster has shown and that were not seen to go."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                "SELECT name FROM instances WHERE namespace = %s AND uid IS NOT NULL AND deleted_at IS NULL",
                [self._namespace],
            )
        return {row["name"] for row in rows}


async def _record_customer(connection: Connection, customer: Customer, now: datetime) -> None:
    await connection.execute(
        """
        INSERT INTO customers (id, email, name, company, timezone, locale, created_at, updated_at)
        VALUES (%(id)s, %(email)s, %(name)s, %(company)s, %(timezone)s, %(locale)s, %(now)s, %(now)s)
        ON CONFLICT (id) DO UPDATE
        SET email = excluded.email, name = excluded.name, company = excluded.company, timezone = excluded.timezone,
            locale = excluded.locale, updated_at = excluded.updated_at
        """,
        customer.model_dump() | {"now": now},
    )


async def _record_subscription(
    connection: Connection, subscription: Subscription, spec: ClawInstanceSpec | None, now: datetime
) -> None:
    # Of one that has ended or is refused, customer and plan stay what they were when it was last served.
    await connection.execute(
        """
        INSERT INTO subscriptions
            (id, customer, status, plan, price_ids, paid_until, cancel_at_period_end, created_at, updated_at)
        VALUES
            (%(id)s, %(customer)s, %(status)s, %(plan)s, %(prices)s, %(paid_until)s, %(cancels)s, %(now)s, %(now)s)
        ON CONFLICT (id) DO UPDATE
        SET customer = coalesce(excluded.customer, subscriptions.customer), status = excluded.status,
            plan = coalesce(excluded.plan, subscriptions.plan), price_ids = excluded.price_ids,
            paid_until = excluded.paid_until, cancel_at_period_end = excluded.cancel_at_period_end,
            updated_at = excluded.updated_at
        """,
        {
            "id": subscription.id,
            "customer": spec.customer.id if spec else None,
            "status": subscription.status,
            "plan": spec.plan_ref.name if spec else None,
            "prices": list(subscription.price_ids),
            "paid_until": subscription.paid_until,
            "cancels": subscription.cancel_at_period_end,
            "now": now,
        },
    )
