"""Who pays, what they subscribed to, how that stands, and the instance that was wished for: as last recorded.

`record` is the one place where an outcome is written: the rows, the lines of the billing log and the mails that follow
from it, in one transaction and before anything is done in the cluster. So a payment that came just in time is known
here before anybody can act on an older answer, and whoever sees a ClawInstance finds its row.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from claw_crds import naming
from claw_crds.v1alpha1 import ClawInstanceSpec
from claw_webhook import billing_log
from claw_webhook.billing import Account, Decision, Gone, Memory, Standing, Wished, resumes
from claw_webhook.billing_log import Entry
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one
from claw_webhook.mails import outbox
from claw_webhook.notices import Notice
from claw_webhook.recording import (
    after,
    differences,
    lock_books,
    write_customer,
    write_instance,
    write_subscription,
)
from claw_webhook.stripe_objects import Checkout, Subscription


class Customers:
    """The tables `customers`, `subscriptions`, `checkouts` and `instances`. All methods may raise psycopg.Error."""

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

    async def memory(self, subscription: Subscription) -> Memory:
        """What is remembered of a subscription; of one by which a customer comes back, with the instance that waits."""
        memory = await self._memory(subscription.id)
        ended = resumes(subscription)
        if memory.instance is not None or ended is None:
            return memory
        return await self._resumed(memory, ended, subscription.customer.id)

    async def _memory(self, subscription: str) -> Memory:
        async with self._pool.connection() as connection:
            row = await fetch_one(
                connection,
                """
                SELECT standing, since, deletion_at, warned_at, hold, name, spec, keep_until
                FROM subscriptions
                    LEFT JOIN instances ON instances.subscription = subscriptions.id AND instances.deleted_at IS NULL
                WHERE subscriptions.id = %s
                """,
                [subscription],
            )
        if row is None:
            return Memory()
        return Memory(
            instance=row["name"],
            spec=_read(row["spec"]),
            standing=Standing(row["standing"]) if row["standing"] else None,
            since=row["since"],
            deletion_at=row["deletion_at"],
            warned_at=row["warned_at"],
            keep_until=row["keep_until"],
            hold=row["hold"],
        )

    async def _resumed(self, memory: Memory, ended: str, payer: str) -> Memory:
        """With the instance of the ended subscription, if that is there and was paid by the same customer."""
        async with self._pool.connection() as connection:
            row = await fetch_one(
                connection,
                """
                SELECT name, spec, keep_until
                FROM instances JOIN subscriptions ON subscriptions.id = instances.subscription
                WHERE subscriptions.id = %s AND payer = %s AND standing = %s AND instances.deleted_at IS NULL
                """,
                [ended, payer, Standing.ENDED],
            )
        if row is None:
            return memory
        return replace(memory, instance=row["name"], spec=_read(row["spec"]), keep_until=row["keep_until"])

    async def subscriptions_of(self, payer: str) -> list[str]:
        """All subscriptions of a Stripe customer of which something is left to be decided."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                """
                SELECT id FROM subscriptions
                WHERE payer = %s AND (standing IS DISTINCT FROM %s OR EXISTS (
                    SELECT FROM instances WHERE subscription = subscriptions.id AND deleted_at IS NULL
                ))
                """,
                [payer, Standing.ENDED],
            )
        return [row["id"] for row in rows]

    async def record(
        self, account: Account, decision: Decision, notices: Sequence[Notice], *, actor: str, why: str, now: datetime
    ) -> bool:
        """What was decided about the account at `now`. `actor` and `why` are for the billing log.

        False when nothing is recorded and nothing may be done: a deletion that somebody has put a hold on just now.
        """
        subscription, instance = account.subscription, account.memory.instance
        async with self._pool.connection() as connection:
            before = await lock_books(connection, subscription.id)
            if isinstance(decision, Gone) and before.hold is not None:
                return False
            books = after(before, decision, {notice.cause for notice in notices}, now)
            log = _Log(now, actor, why, subscription.id, subscription.customer.id)
            entries = [log.entry(*difference) for difference in differences(before, books)]
            if isinstance(decision, Wished):
                served = decision.standing.is_served
                await write_customer(connection, decision.spec.customer, now, served=served)
            await write_subscription(connection, subscription, books, now)
            if isinstance(decision, Wished):
                instance = instance or naming.instance_name(subscription.id)
                entries += await self._wish(connection, instance, account, decision.spec, log)
            if isinstance(decision, Gone):
                entries.append(log.entry("deleted", instance, None))
            await billing_log.write(connection, entries)
            for notice in notices:
                await outbox.put(
                    connection,
                    notice.cause,
                    occasion=notice.occasion,
                    customer=subscription.customer.id,
                    instance=instance,
                    details=notice.details,
                    now=now,
                )
        return True

    async def _wish(
        self, connection: Connection, name: str, account: Account, spec: ClawInstanceSpec, log: "_Log"
    ) -> list[Entry]:
        subscription = account.subscription.id
        ended = await write_instance(
            connection, name, namespace=self._namespace, subscription=subscription, spec=spec, now=log.at
        )
        if ended is not None:
            # Nothing that was said of the ended one may touch the instance any more.
            await connection.execute(
                "UPDATE subscriptions SET deletion_at = NULL, warned_at = NULL, hold = NULL WHERE id = %s", [ended]
            )
            return [log.entry("resumed", ended, subscription)]
        return [] if account.memory.instance else [log.entry("instance", None, name)]

    async def hold(self, subscription: str, reason: str, *, actor: str, why: str) -> None:
        """Let nothing of it be deleted until a person decides, or until it is paid for. The first reason stays.

        One without an instance has nothing that could be deleted, and gets none.
        """
        await self._set_hold(subscription, reason, actor=actor, why=why)

    async def release(self, subscription: str, *, actor: str, why: str) -> None:
        """A person decided: the deletion takes its course."""
        await self._set_hold(subscription, None, actor=actor, why=why)

    async def _set_hold(self, subscription: str, reason: str | None, *, actor: str, why: str) -> None:
        async with self._pool.connection() as connection:
            before = await fetch_one(
                connection,
                """
                SELECT hold, payer, EXISTS (
                    SELECT FROM instances WHERE subscription = subscriptions.id AND deleted_at IS NULL
                ) AS has_instance
                FROM subscriptions WHERE id = %s FOR NO KEY UPDATE
                """,
                [subscription],
            )
            if before is None or (before["hold"] is None) == (reason is None):
                return
            if reason is not None and not before["has_instance"]:
                return
            await connection.execute("UPDATE subscriptions SET hold = %s WHERE id = %s", [reason, subscription])
            log = _Log(self._clock(), actor, why, subscription, before["payer"])
            await billing_log.write(connection, [log.entry("hold", before["hold"], reason)])

    async def standings(self) -> dict[str, int]:
        """How many subscriptions there are of each standing; of none yet: empty."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                "SELECT coalesce(standing, '') AS standing, count(*) AS number FROM subscriptions GROUP BY 1",
            )
        return {row["standing"]: row["number"] for row in rows}

    async def holds(self) -> int:
        """How many instances wait for a person."""
        async with self._pool.connection() as connection:
            row = await fetch_one(
                connection,
                """
                SELECT count(*) AS number
                FROM subscriptions JOIN instances ON instances.subscription = subscriptions.id
                WHERE hold IS NOT NULL AND deleted_at IS NULL
                """,
            )
        return row["number"] if row else 0


class _Log:
    """What all entries of one outcome share."""

    def __init__(self, at: datetime, actor: str, why: str, subscription: str, customer: str | None) -> None:
        self.at = at
        self._actor = actor
        self._why = why
        self._subscription = subscription
        self._customer = customer

    def entry(self, action: str, before: object, after: object) -> Entry:
        return Entry(self.at, self._actor, action, self._why, self._subscription, self._customer, before, after)


def _read(spec: str | None) -> ClawInstanceSpec | None:
    return None if spec is None else ClawInstanceSpec.model_validate_json(spec)
