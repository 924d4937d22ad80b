"""Where a subscription stands: every change of it is told here, and its end comes here, whoever wants it."""

from dataclasses import replace
from typing import Any

from claw_dev.simulators.stripe import events
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.records import (
    Cancellation,
    Customer,
    Invoice,
    Schedule,
    Subscription,
    SubscriptionStatus,
)

REQUESTED = "cancellation_requested"
PAYMENT_FAILED = "payment_failed"


def update(account: Account, before: Subscription, **facts: Any) -> Subscription:
    """The subscription with these facts; told if that changes anything."""
    return events.change(account, "customer.subscription.updated", before, **facts)


def end(account: Account, subscription: Subscription, *, cancellation: Cancellation | None = None) -> Subscription:
    """The end, now and for ever. What is still open stays owed, but nobody tries to collect it any more."""
    now = account.now()
    for identifier in subscription.unsettled:
        account.change(account.get(Invoice, identifier), auto_advance=False, finalizes_at=None, next_attempt=None)
    if subscription.schedule is not None:
        schedule = account.get(Schedule, subscription.schedule)
        events.change(account, "subscription_schedule.canceled", schedule, status="canceled", canceled_at=now)
    ended = account.change(
        subscription,
        status=SubscriptionStatus.CANCELED,
        canceled_at=subscription.canceled_at or now,
        ended_at=now,
        cancellation=cancellation or replace(subscription.cancellation, reason=REQUESTED),
        schedule=None,
        unsettled=(),
        prorations=(),
    )
    events.tell(account, "customer.subscription.deleted", ended)
    return ended


def pause(account: Account, subscription: Subscription) -> Subscription:
    """Nothing is billed until somebody resumes it."""
    paused = update(account, subscription, status=SubscriptionStatus.PAUSED, paused_at=account.now())
    events.tell(account, "customer.subscription.paused", paused)
    return paused


def note_delinquency(account: Account, customer_id: str, *, delinquent: bool) -> None:
    """Whether the customer's last payment failed."""
    events.change(account, "customer.updated", account.get(Customer, customer_id), delinquent=delinquent)
