"""The rows in which an outcome is recorded, and what of it goes into the billing log."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from claw_crds.v1alpha1 import ClawInstanceSpec, Customer
from claw_webhook.billing import Decision, Gone, Nothing, Refusal, Standing, Wished
from claw_webhook.database import Connection, fetch_one
from claw_webhook.notices import Cause
from claw_webhook.stripe_objects import Subscription


@dataclass(frozen=True)
class Books:
    """What is recorded of a subscription and changes only by an outcome. Each field is a column."""

    customer: str | None = None
    plan: str | None = None
    standing: str | None = None
    since: datetime | None = None
    grace_until: datetime | None = None
    deletion_at: datetime | None = None
    warned_at: datetime | None = None
    hold: str | None = None


LOGGED = {"standing": "standing", "plan": "plan", "deletion_at": "deletion", "hold": "hold"}
"""Columns whose changes the billing log tells, and what it calls them."""


def after(before: Books, decision: Decision, causes: Collection[Cause], now: datetime) -> Books:
    """The books once the decision is recorded together with mails of those causes. Pure.

    A refusal changes nothing, except that who pays is not deleted for being refused.
    """
    match decision:
        case Refusal(standing=standing):
            served = standing is not None and standing.is_served
            return replace(before, deletion_at=None, warned_at=None) if served else before
        case Wished(spec=spec, standing=standing):
            stays = before.standing == standing
            warned_at = now if Cause.DELETION_DAY in causes else before.warned_at
            return Books(
                customer=spec.customer.id,
                plan=spec.plan_ref.name,
                standing=standing,
                since=before.since if stays else now,
                grace_until=decision.grace_until,
                deletion_at=decision.deletion_at,
                warned_at=warned_at if decision.deletion_at else None,
                hold=None if standing.is_served else before.hold,
            )
        case Nothing(standing=standing):
            since = before.since if before.standing == standing else now
            return replace(before, standing=standing, since=since, grace_until=None, deletion_at=None, warned_at=None)
        case Gone():
            since = before.since if before.standing == Standing.ENDED else now
            return replace(before, standing=Standing.ENDED, since=since, grace_until=None)


def differences(before: Books, now: Books) -> Iterator[tuple[str, Any, Any]]:
    """What the billing log is told: action, before, after. Pure."""
    for column, action in LOGGED.items():
        old, new = getattr(before, column), getattr(now, column)
        if old != new:
            yield action, old, new


async def lock_books(connection: Connection, subscription: str) -> Books:
    """The books as they are; nobody changes them before the caller's transaction ends."""
    row = await fetch_one(
        connection,
        """
        SELECT customer, plan, standing, since, grace_until, deletion_at, warned_at, hold
        FROM subscriptions WHERE id = %s FOR NO KEY UPDATE
        """,
        [subscription],
    )
    return Books(**row) if row else Books()


async def write_customer(connection: Connection, customer: Customer, now: datetime, *, served: bool) -> None:
    """The customer as the instance is to know them. Who was erased is only written again when they are served again."""
    await connection.execute(
        """
        INSERT INTO customers (id, email, name, company, timezone, locale, created_at, updated_at)
        VALUES (%(id)s, %(email)s, %(name)s, %(company)s, %(timezone)s, %(locale)s, %(now)s, %(now)s)
        ON CONFLICT (id) DO UPDATE
        SET email = excluded.email, name = excluded.name, company = excluded.company, timezone = excluded.timezone,
            locale = excluded.locale, updated_at = excluded.updated_at, erased_at = NULL
        WHERE customers.erased_at IS NULL OR %(served)s
        """,
        customer.model_dump() | {"now": now, "served": served},
    )


async def write_subscription(connection: Connection, subscription: Subscription, books: Books, now: datetime) -> None:
    """What Stripe says now, and the books."""
    await connection.execute(
        """
        INSERT INTO subscriptions
            (id, payer, status, price_ids, paid_until, cancel_at_period_end, trial_end, ended_at, customer, plan,
             standing, since, grace_until, deletion_at, warned_at, hold, created_at, updated_at)
        VALUES
            (%(id)s, %(payer)s, %(status)s, %(prices)s, %(paid_until)s, %(cancels)s, %(trial_end)s, %(ended_at)s,
             %(customer)s, %(plan)s, %(standing)s, %(since)s, %(grace_until)s, %(deletion_at)s, %(warned_at)s,
             %(hold)s, %(now)s, %(now)s)
        ON CONFLICT (id) DO UPDATE
        SET payer = excluded.payer, status = excluded.status, price_ids = excluded.price_ids,
            paid_until = excluded.paid_until, cancel_at_period_end = excluded.cancel_at_period_end,
            trial_end = excluded.trial_end, ended_at = excluded.ended_at, customer = excluded.customer,
            plan = excluded.plan, standing = excluded.standing, since = excluded.since,
            grace_until = excluded.grace_until, deletion_at = excluded.deletion_at, warned_at = excluded.warned_at,
            hold = excluded.hold, updated_at = excluded.updated_at
        """,
        vars(books)
        | {
            "id": subscription.id,
            "payer": subscription.customer.id,
            "status": subscription.status,
            "prices": list(subscription.price_ids),
            "paid_until": subscription.paid_until,
            "cancels": subscription.ends_with_period,
            "trial_end": subscription.trial_end,
            "ended_at": subscription.ended_at,
            "now": now,
        },
    )


async def write_instance(
    connection: Connection, name: str, *, namespace: str, subscription: str, spec: ClawInstanceSpec, now: datetime
) -> str | None:
    """The instance that is about to be applied. The subscription that it belonged to until now, if another one."""
    before = await fetch_one(
        connection, "SELECT subscription, deleted_at FROM instances WHERE name = %s FOR NO KEY UPDATE", [name]
    )
    # One subscription has one instance: the row of an earlier one, which is gone, lets go of it.
    await connection.execute(
        "UPDATE instances SET subscription = NULL WHERE subscription = %s AND name <> %s AND deleted_at IS NOT NULL",
        [subscription, name],
    )
    # One that is gone and wished for again begins anew.
    await connection.execute(
        """
        INSERT INTO instances (name, namespace, subscription, requested_at, spec)
        VALUES (%(name)s, %(namespace)s, %(subscription)s, %(now)s, %(spec)s)
        ON CONFLICT (name) DO UPDATE
        SET subscription = excluded.subscription, spec = excluded.spec,
            requested_at = CASE WHEN instances.deleted_at IS NULL THEN instances.requested_at
                ELSE excluded.requested_at END,
            uid = CASE WHEN instances.deleted_at IS NULL THEN instances.uid END,
            deleted_at = NULL
        """,
        {
            "name": name,
            "namespace": namespace,
            "subscription": subscription,
            "spec": written(spec),
            "now": now,
        },
    )
    owner = before["subscription"] if before else None
    return owner if owner != subscription else None


def written(spec: ClawInstanceSpec) -> str:
    """The spec as it is stored: only what is set, because only that is applied."""
    return json.dumps(spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True))
