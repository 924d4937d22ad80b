"""What becomes of a subscription at somebody's wish: it starts, runs out, is brought into a status.

What time does to it is renewal's, a change of its prices repricing's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from claw_dev.simulators.stripe import collection, drafting, standing
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.coupons import redeem
from claw_dev.simulators.stripe.errors import card_declined, invalid
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.periods import end_of_period
from claw_dev.simulators.stripe.records import (
    Card,
    Customer,
    Invoice,
    InvoiceStatus,
    Metadata,
    Price,
    Subscription,
    SubscriptionItem,
    SubscriptionStatus,
)

TRIAL_END_ANNOUNCED = 3 * 24 * 3600
"""Seconds before the end of a trial when it is announced."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a new subscription is to be."""

    items: Sequence[tuple[str, int]]
    """Prices and quantities."""
    metadata: Metadata
    description: str | None = None
    trial_end: int | None = None
    without_payment_method: str = "create_invoice"
    coupons: Sequence[str] = ()
    payment_behavior: str = "allow_incomplete"


def start(account: Account, customer: Customer, terms: Terms) -> Subscription:
    """A new subscription, billed for its first period or on trial. Raises StripeProblem when that cannot be."""
    _check(account, customer, terms)
    now = account.now()
    begun = account.new(
        Subscription,
        customer=customer.id,
        status=SubscriptionStatus.TRIALING if terms.trial_end else SubscriptionStatus.INCOMPLETE,
        items=tuple(new_item(account, price, count, period_end=terms.trial_end) for price, count in terms.items),
        anchor=terms.trial_end or now,
        currency=account.get(Price, terms.items[0][0]).currency,
        metadata=terms.metadata,
        description=terms.description,
        trial_start=now if terms.trial_end else None,
        trial_end=terms.trial_end,
        without_payment_method=terms.without_payment_method,
    )
    discounts = tuple(redeem(account, coupon, begun).id for coupon in terms.coupons)
    begun = account.change(begun, discounts=discounts)
    lines = drafting.period_lines(account, begun, begun.items)
    invoice = drafting.draft(account, begun, "subscription_create", lines)
    pays = terms.payment_behavior != "default_incomplete" and account.get(Customer, customer.id).card is Card.GOOD
    if begun.status is SubscriptionStatus.INCOMPLETE and (invoice.amount_due == 0 or pays):
        begun = replace(begun, status=SubscriptionStatus.ACTIVE)
    begun = account.change(begun, latest_invoice=invoice.id, unsettled=(invoice.id,))
    tell(account, "customer.subscription.created", begun)
    opened = collection.finalize(account, invoice)
    if not opened.is_settled and terms.payment_behavior != "default_incomplete":
        collection.attempt(account, opened)
    if terms.trial_end and terms.trial_end <= now + TRIAL_END_ANNOUNCED:
        announce_trial_end(account, account.get(Subscription, begun.id))
    return account.get(Subscription, begun.id)


def _check(account: Account, customer: Customer, terms: Terms) -> None:
    prices = [account.get(Price, price, f"items[{at}][price]") for at, (price, _) in enumerate(terms.items)]
    for position, price in enumerate(prices):
        if not price.active:
            raise invalid(f"The price specified is inactive: {price.id}.", f"items[{position}][price]")
        if price.currency != prices[0].currency:
            raise invalid("All prices on a subscription must have the same currency.", f"items[{position}][price]")
    if terms.payment_behavior == "error_if_incomplete" and not terms.trial_end and customer.card is not Card.GOOD:
        raise card_declined()


def new_item(account: Account, price_id: str, quantity: int, *, period_end: int | None = None) -> SubscriptionItem:
    """An item that is billed from now on, until the given moment or for one interval of its price."""
    now, price = account.now(), account.get(Price, price_id)
    return SubscriptionItem(
        id=account.new_id(SubscriptionItem.PREFIX),
        created=now,
        price=price_id,
        quantity=quantity,
        period_start=now,
        period_end=period_end or end_of_period(now, price.interval, count=price.interval_count),
    )


def announce_trial_end(account: Account, subscription: Subscription) -> Subscription:
    """Tell that the trial is about to end."""
    told = account.change(subscription, trial_end_told=True)
    tell(account, "customer.subscription.trial_will_end", told)
    return told


def end_with_period(account: Account, subscription: Subscription, *, wanted: bool) -> Subscription:
    """Let the subscription run out, or run on after all."""
    if wanted == subscription.cancel_at_period_end:
        return subscription
    return standing.update(
        account,
        subscription,
        cancel_at_period_end=wanted,
        cancel_at=subscription.period_end if wanted else None,
        canceled_at=account.now() if wanted else None,
        cancellation=replace(subscription.cancellation, reason=standing.REQUESTED if wanted else None),
    )


def move_to(account: Account, subscription: Subscription, status: SubscriptionStatus) -> Subscription:
    """Bring the subscription into the status, with what leads to it: failed payments, a payment after all, a pause."""
    if subscription.status.is_final:
        raise invalid(f"A subscription that is {subscription.status} has no other status any more.")
    match status:
        case SubscriptionStatus.CANCELED:
            return standing.end(account, subscription)
        case SubscriptionStatus.PAST_DUE | SubscriptionStatus.UNPAID:
            return _fail_payment(account, subscription, status)
        case SubscriptionStatus.PAUSED:
            return standing.pause(account, subscription)
        case SubscriptionStatus.ACTIVE:
            return _activate(account, subscription)
        case SubscriptionStatus.TRIALING:
            now, until = account.now(), subscription.period_end
            return standing.update(account, subscription, status=status, trial_start=now, trial_end=until)
        case SubscriptionStatus.INCOMPLETE_EXPIRED:
            return standing.update(account, subscription, status=status, ended_at=account.now())
    return standing.update(account, subscription, status=status)


def _fail_payment(account: Account, subscription: Subscription, status: SubscriptionStatus) -> Subscription:
    """From now on the card is declined, for a bill that there is already or for a new one."""
    account.change(account.get(Customer, subscription.customer), card=Card.DECLINES)
    latest = account.get(Invoice, subscription.latest_invoice) if subscription.latest_invoice else None
    if latest is None or latest.is_settled:
        lines = drafting.period_lines(account, subscription, subscription.items)
        latest = drafting.draft(account, subscription, "subscription_cycle", lines)
        unsettled = (*subscription.unsettled, latest.id)
        subscription = account.change(subscription, latest_invoice=latest.id, unsettled=unsettled)
    if latest.status is InvoiceStatus.DRAFT:
        latest = collection.finalize(account, latest)
    if not latest.is_settled:
        collection.attempt(account, latest)
    return standing.update(account, account.get(Subscription, subscription.id), status=status)


def _activate(account: Account, subscription: Subscription) -> Subscription:
    """The card works again, and what was owed is paid, the oldest first."""
    customer = account.get(Customer, subscription.customer)
    if customer.card is not Card.GOOD:
        account.change(customer, card=Card.GOOD)
    for identifier in subscription.unsettled:
        collection.settle(account, account.get(Invoice, identifier))
    paid = account.get(Subscription, subscription.id)
    if paid.status is not SubscriptionStatus.ACTIVE:
        paid = standing.update(account, paid, status=SubscriptionStatus.ACTIVE, paused_at=None)
    if subscription.status is SubscriptionStatus.PAUSED:
        tell(account, "customer.subscription.resumed", paid)
    return paid
