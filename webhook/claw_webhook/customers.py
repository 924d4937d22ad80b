"""Who pays, what they subscribed to, and where their instance is: the last known state of each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from claw_crds import naming
from claw_crds.v1alpha1 import ClawInstanceSpec
from claw_webhook import outbox
from claw_webhook.database import Connection, Pool
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
                    "INSERT INTO checkouts (subscription, details) VALUES (%s, %s)"
                    " ON CONFLICT (subscription) DO UPDATE SET details = excluded.details",
                    [subscription, fresh.model_dump_json()],
                )
                return fresh
            row = await (
                await connection.execute("SELECT details FROM checkouts WHERE subscription = %s", [subscription])
            ).fetchone()
        return Checkout.model_validate_json(row["details"]) if row else None

    async def record(self, subscription: Subscription, spec: ClawInstanceSpec | None) -> None:
        """The subscription as it is now and, with a spec, its customer and the instance that is about to be applied."""
        now = self._clock()
        async with self._pool.connection() as connection:
            if spec is not None:
                await _record_customer(connection, spec, now)
            await connection.execute(
                "INSERT INTO subscriptions (id, customer, status, plan, price_ids, paid_until, cancel_at_period_end,"
                " created_at, updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (id) DO UPDATE SET customer = coalesce(excluded.customer, subscriptions.customer),"
                " status = excluded.status, plan = coalesce(excluded.plan, subscriptions.plan),"
                " price_ids = excluded.price_ids, paid_until = excluded.paid_until,"
                " cancel_at_period_end = excluded.cancel_at_period_end, updated_at = excluded.updated_at",
                [
                    subscription.id,
                    spec.customer.id if spec else None,
                    subscription.status,
                    spec.plan_ref.name if spec else None,
                    list(subscription.price_ids),
                    subscription.paid_until,
                    subscription.cancel_at_period_end,
                    now,
                    now,
                ],
            )
            if spec is not None:
                await connection.execute(
                    "INSERT INTO instances (name, namespace, subscription, requested_at) VALUES (%s, %s, %s, %s)"
                    " ON CONFLICT (name) DO UPDATE SET requested_at = excluded.requested_at, uid = NULL,"
                    " deleted_at = NULL WHERE instances.deleted_at IS NOT NULL",
                    [naming.instance_name(subscription.id), self._namespace, subscription.id, now],
                )

    async def instance_seen(self, seen: SeenInstance) -> float | None:
        """Remember what the cluster shows. Seconds from the wish to now when it became available with this call.

        The welcome mail is put into the outbox in the same transaction, so neither is ever there without the other.
        Instances that no subscription asked for are nobody's business here.
        """
        now = self._clock()
        async with self._pool.connection() as connection:
            # Another uid is another object with another key, made after somebody had deleted the first one.
            await connection.execute(
                "UPDATE instances SET uid = %s, url = NULL, secret_name = NULL, available_at = NULL,"
                " available_seconds = NULL, deleted_at = NULL"
                " WHERE name = %s AND namespace = %s AND uid IS DISTINCT FROM %s",
                [seen.uid, seen.name, self._namespace, seen.uid],
            )
            if not seen.available:
                return None
            updated = await connection.execute(
                "UPDATE instances SET url = %(url)s, secret_name = %(secret)s,"
                " available_at = coalesce(available_at, %(now)s),"
                " available_seconds = coalesce(available_seconds, extract(epoch FROM %(now)s - requested_at))"
                " WHERE name = %(name)s AND namespace = %(namespace)s"
                " AND (url, secret_name) IS DISTINCT FROM (%(url)s, %(secret)s)"
                " RETURNING available_at = %(now)s AS first, available_seconds AS seconds",
                {
                    "url": seen.url,
                    "secret": seen.secret_name,
                    "now": now,
                    "name": seen.name,
                    "namespace": self._namespace,
                },
            )
            row = await updated.fetchone()
            if row is None or not row["first"]:
                return None
            await outbox.put(connection, outbox.WELCOME, instance=seen.name, instance_uid=seen.uid, now=now)
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
            rows = await (
                await connection.execute(
                    "SELECT name FROM instances WHERE namespace = %s AND uid IS NOT NULL AND deleted_at IS NULL",
                    [self._namespace],
                )
            ).fetchall()
        return {row["name"] for row in rows}


async def _record_customer(connection: Connection, spec: ClawInstanceSpec, now: datetime) -> None:
    customer = spec.customer
    await connection.execute(
        "INSERT INTO customers (id, email, name, company, timezone, locale, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET email = excluded.email,"
        " name = excluded.name, company = excluded.company, timezone = excluded.timezone, locale = excluded.locale,"
        " updated_at = excluded.updated_at",
        [
            customer.id,
            customer.email,
            customer.name,
            customer.company,
            customer.timezone,
            customer.locale,
            now,
            now,
        ],
    )
