"""What becomes of a subscription, whoever wants it so: it starts, changes, is paid or not, and ends."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from claw_dev.simulators.stripe import invoices
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.periods import end_of_period
from claw_dev.simulators.stripe.records import (
    Cancellation,
    Customer,
    Invoice,
    Line,
    Metadata,
    Price,
    Subscription,
    SubscriptionItem,
    SubscriptionStatus,
)

REQUESTED = "cancellation_requested"
PAYMENT_FAILED = "payment_failed"
_DAY = 24 * 3600


def start(
    account: Account,
    customer: Customer,
    lines: Sequence[Line],
    *,
    metadata: Metadata,
    description: str | None = None,
    trial_days: int = 0,
) -> Subscription:
    """A subscription that was paid for, or whose trial begins now."""
    now = account.now()
    trial_end = now + trial_days * _DAY if trial_days else None
    begun = account.new(
        Subscription,
        customer=customer.id,
        status=SubscriptionStatus.TRIALING if trial_days else SubscriptionStatus.ACTIVE,
        items=tuple(new_item(account, line.price, line.quantity, period_end=trial_end) for line in lines),
        currency=account.get(Price, lines[0].price).currency,
        metadata=metadata,
        description=description,
        trial_start=now if trial_days else None,
        trial_end=trial_end,
    )
    invoice = invoices.issue(account, begun, "subscription_create", paid=True)
    subscription = account.change(begun, latest_invoice=invoice.id)
    tell(account, "customer.subscription.created", subscription)
    tell(account, "invoice.paid", invoice)
    return subscription


def new_item(account: Account, price_id: str, quantity: int, *, period_end: int | None = None) -> SubscriptionItem:
    """An item that is billed from now on, until the given moment or for one interval of its price."""
    now = account.now()
    return SubscriptionItem(
        id=account.new_id(SubscriptionItem.PREFIX),
        created=now,
        price=price_id,
        quantity=quantity,
        period_start=now,
        period_end=period_end or end_of_period(now, account.get(Price, price_id).interval),
    )


def with_price(account: Account, item: SubscriptionItem, price_id: str) -> SubscriptionItem:
    """The item with another price. Its period goes on, unless the price is billed in another interval."""
    price = account.get(Price, price_id)
    if price.interval == account.get(Price, item.price).interval:
        return replace(item, price=price_id)
    now = account.now()
    return replace(item, price=price_id, period_start=now, period_end=end_of_period(now, price.interval))


def update(account: Account, before: Subscription, **facts: Any) -> Subscription:
    """The subscription with these facts; told if that changes anything."""
    after = account.change(before, **facts)
    if after != before:
        tell(account, "customer.subscription.updated", after, before=before)
    return after


def end_with_period(account: Account, subscription: Subscription, *, wanted: bool) -> Subscription:
    """Let the subscription run out, or run on after all."""
    if wanted == subscription.cancel_at_period_end:
        return subscription
    return update(
        account,
        subscription,
        cancel_at_period_end=wanted,
        cancel_at=subscription.period_end if wanted else None,
        canceled_at=account.now() if wanted else None,
        cancellation=replace(subscription.cancellation, reason=REQUESTED if wanted else None),
    )


def end(account: Account, subscription: Subscription, *, cancellation: Cancellation | None = None) -> Subscription:
    """The end, now and for ever."""
    now = account.now()
    ended = account.change(
        subscription,
        status=SubscriptionStatus.CANCELED,
        canceled_at=subscription.canceled_at or now,
        ended_at=now,
        cancellation=cancellation or replace(subscription.cancellation, reason=REQUESTED),
    )
    tell(account, "customer.subscription.deleted", ended)
    return ended


def finish_period(account: Account, subscription: Subscription) -> Subscription:
    """Time passes until the period is over: the subscription ends if it was to run out, and else renews, paid."""
    if subscription.cancel_at is not None and subscription.cancel_at <= subscription.period_end:
        return end(account, subscription)
    if subscription.status not in (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING):
        raise invalid(f"A subscription that is {subscription.status} is not renewed.")
    items = tuple(
        replace(
            item,
            period_start=item.period_end,
            period_end=end_of_period(item.period_end, account.get(Price, item.price).interval),
        )
        for item in subscription.items
    )
    renewed = replace(subscription, items=items, status=SubscriptionStatus.ACTIVE)
    invoice = invoices.issue(account, renewed, "subscription_cycle", paid=True)
    tell(account, "invoice.paid", invoice)
    return update(account, subscription, items=items, status=renewed.status, latest_invoice=invoice.id)


def move_to(account: Account, subscription: Subscription, status: SubscriptionStatus) -> Subscription:
    """Bring the subscription into the status, with what leads to it: failed payments, a payment after all, a pause."""
    if subscription.status.is_final:
        raise invalid(f"A subscription that is {subscription.status} has no other status any more.")
    match status:
        case SubscriptionStatus.CANCELED:
            return end(account, subscription)
        case SubscriptionStatus.PAST_DUE | SubscriptionStatus.UNPAID:
            return _fail_payment(account, subscription, status)
        case SubscriptionStatus.PAUSED:
            paused = update(account, subscription, status=status, paused_at=account.now())
            tell(account, "customer.subscription.paused", paused)
            return paused
        case SubscriptionStatus.ACTIVE:
            return _activate(account, subscription)
        case SubscriptionStatus.TRIALING:
            now, until = account.now(), subscription.period_end
            return update(account, subscription, status=status, trial_start=now, trial_end=until)
        case SubscriptionStatus.INCOMPLETE_EXPIRED:
            return update(account, subscription, status=status, ended_at=account.now())
    return update(account, subscription, status=status)


def _fail_payment(account: Account, subscription: Subscription, status: SubscriptionStatus) -> Subscription:
    latest = account.get(Invoice, subscription.latest_invoice) if subscription.latest_invoice else None
    if latest is None or latest.paid_at is not None:
        latest = invoices.issue(account, subscription, "subscription_cycle", paid=False)
    tell(account, "invoice.payment_failed", latest)
    account.change(account.get(Customer, subscription.customer), delinquent=True)
    return update(account, subscription, status=status, latest_invoice=latest.id)


def _activate(account: Account, subscription: Subscription) -> Subscription:
    if subscription.latest_invoice is not None:
        invoices.pay(account, subscription.latest_invoice)
    account.change(account.get(Customer, subscription.customer), delinquent=False)
    active = update(account, subscription, status=SubscriptionStatus.ACTIVE, paused_at=None)
    if subscription.status == SubscriptionStatus.PAUSED:
        tell(account, "customer.subscription.resumed", active)
    return active
