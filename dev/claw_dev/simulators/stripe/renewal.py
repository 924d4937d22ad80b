"""What time does to a subscription: which step is next, when, and what happens then.

`next_step` looks at the facts alone, so nothing has to be scheduled, moved or taken back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from claw_dev.simulators.stripe import collection, drafting, lifecycle, schedules, standing
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.periods import end_of_period
from claw_dev.simulators.stripe.records import (
    Card,
    CheckoutSession,
    Customer,
    Invoice,
    InvoiceStatus,
    Price,
    Subscription,
    SubscriptionItem,
    SubscriptionStatus,
)

_INCOMPLETE_FOR = 23 * 3600


@dataclass(frozen=True)
class Step:
    """Something that is going to happen by itself."""

    moment: int
    take: Callable[[], object]


def next_step(account: Account, subject: Subscription | CheckoutSession) -> Step | None:
    """The next thing that time does to it; None when it waits for nothing."""
    steps = _of_session(account, subject) if isinstance(subject, CheckoutSession) else _of(account, subject)
    return min(steps, key=lambda step: step.moment, default=None)


def finish_period(account: Account, subscription: Subscription) -> Subscription:
    """The period is over, now: the subscription ends if it was to run out, and else renews and is billed at once."""
    if _runs_out(subscription):
        return standing.end(account, subscription)
    if not subscription.status.is_renewed and not subscription.is_on_trial:
        raise invalid(f"A subscription that is {subscription.status} is not renewed.")
    renewed = _renew(account, subscription)
    if renewed.status.is_renewed and renewed.unsettled:
        latest = account.get(Invoice, renewed.unsettled[-1])
        if latest.status is InvoiceStatus.DRAFT and latest.auto_advance:
            collection.collect(account, latest)
    return account.get(Subscription, subscription.id)


def _of_session(account: Account, session: CheckoutSession) -> Iterator[Step]:
    if session.status == "open":
        yield Step(session.expires_at, partial(_expire_session, account, session))


def _of(account: Account, subscription: Subscription) -> Iterator[Step]:
    if subscription.status.is_final:
        return
    yield from _of_invoices(account, subscription)
    if subscription.cancel_at is not None:
        yield Step(subscription.cancel_at, partial(standing.end, account, subscription))
    if subscription.collection_resumes_at is not None:
        yield Step(subscription.collection_resumes_at, partial(_resume_collection, account, subscription))
    if subscription.status is SubscriptionStatus.INCOMPLETE:
        yield Step(subscription.created + _INCOMPLETE_FOR, partial(_expire, account, subscription))
    if subscription.trial_end is not None and subscription.is_on_trial and not subscription.trial_end_told:
        moment = subscription.trial_end - lifecycle.TRIAL_END_ANNOUNCED
        yield Step(moment, partial(lifecycle.announce_trial_end, account, subscription))
    if (subscription.status.is_renewed or subscription.is_on_trial) and not _runs_out(subscription):
        yield Step(subscription.period_end, partial(_renew, account, subscription))


def _of_invoices(account: Account, subscription: Subscription) -> Iterator[Step]:
    for identifier in subscription.unsettled:
        invoice = account.get(Invoice, identifier)
        if invoice.finalizes_at is not None:
            yield Step(invoice.finalizes_at, partial(collection.collect, account, invoice))
        elif invoice.next_attempt is not None and subscription.pause_collection is None:
            yield Step(invoice.next_attempt, partial(collection.attempt, account, invoice))


def _runs_out(subscription: Subscription) -> bool:
    return subscription.cancel_at is not None and subscription.cancel_at <= subscription.period_end


def _renew(account: Account, before: Subscription) -> Subscription:
    """The next period begins: of the items whose last one is over, billed an hour later."""
    if before.is_on_trial and account.get(Customer, before.customer).card is Card.NONE:
        match before.without_payment_method:
            case "cancel":
                return standing.end(account, before)
            case "pause":
                return standing.pause(account, before)
    due = schedules.enter_next_phase(account, before)
    over = [item for item in due.items if item.period_end == due.period_end]
    next_items = tuple(_next_period(account, due, item) if item in over else item for item in due.items)
    status = SubscriptionStatus.ACTIVE if due.is_on_trial else due.status
    renewed = replace(due, items=next_items, status=status)
    begun = [item for item in next_items if item not in due.items]
    lines = drafting.period_lines(account, renewed, begun, ended=() if due.is_on_trial else over)
    collected = status is not SubscriptionStatus.UNPAID and due.pause_collection != "keep_as_draft"
    invoice = drafting.draft(
        account,
        renewed,
        "subscription_cycle",
        (*due.prorations, *lines),
        period=(due.period_start, due.period_end),
        waits=account.rules.draft_seconds,
        auto_advance=collected,
    )
    return standing.update(
        account,
        account.get(Subscription, due.id),
        items=next_items,
        status=status,
        latest_invoice=invoice.id,
        unsettled=(*due.unsettled, invoice.id),
        prorations=(),
    )


def _next_period(account: Account, subscription: Subscription, item: SubscriptionItem) -> SubscriptionItem:
    price = account.get(Price, item.price)
    start = item.period_end
    end = end_of_period(start, price.interval, count=price.interval_count, anchor=subscription.anchor)
    return replace(item, period_start=start, period_end=end)


def _resume_collection(account: Account, subscription: Subscription) -> Subscription:
    return standing.update(account, subscription, pause_collection=None, collection_resumes_at=None)


def _expire(account: Account, subscription: Subscription) -> None:
    """Nobody paid the first invoice in time."""
    if subscription.latest_invoice in subscription.unsettled:
        collection.void(account, account.get(Invoice, subscription.unsettled[0]))
        return
    expired = SubscriptionStatus.INCOMPLETE_EXPIRED
    standing.update(account, subscription, status=expired, ended_at=account.now())


def _expire_session(account: Account, session: CheckoutSession) -> None:
    expired = account.change(session, status="expired")
    tell(account, "checkout.session.expired", expired)
