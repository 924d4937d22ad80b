"""Subscriptions, as requests see and change them."""

from dataclasses import replace
from typing import Any

from claw_dev.simulators.stripe import collection, drafting, lifecycle, standing
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.coupons import redeem
from claw_dev.simulators.stripe.errors import invalid, missing
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.items import changed_items
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import (
    CancellationDetails,
    CancelSubscription,
    CreateSubscription,
    ListSubscriptions,
    Params,
    ResumeSubscription,
    UpdateSubscription,
)
from claw_dev.simulators.stripe.periods import end_of_period
from claw_dev.simulators.stripe.records import (
    Cancellation,
    Customer,
    Price,
    Subscription,
    SubscriptionItem,
    SubscriptionStatus,
)
from claw_dev.simulators.stripe.renewal import finish_period
from claw_dev.simulators.stripe.repricing import reprice

_DAY = 24 * 3600


def create_subscription(account: Account, params: CreateSubscription) -> Subscription:
    """`POST /v1/subscriptions`."""
    customer = account.get(Customer, params.customer, "customer")
    if params.trial_end is not None and params.trial_period_days is not None:
        raise invalid("Only one of trial_end and trial_period_days can be given.", "trial_end")
    terms = lifecycle.Terms(
        items=[(item.price, item.quantity) for item in params.items],
        metadata=params.metadata_after({}),
        description=params.description,
        trial_end=trial_end(account, params.trial_end, params.trial_period_days),
        without_payment_method=params.trial_settings.end_behavior.missing_payment_method,
        coupons=[discount.coupon for discount in params.discounts],
        payment_behavior=params.payment_behavior,
    )
    subscription = lifecycle.start(account, customer, terms)
    return lifecycle.end_with_period(account, subscription, wanted=params.cancel_at_period_end)


def trial_end(account: Account, moment: int | str | None, days: int | None) -> int | None:
    """When a trial ends that was asked for so; None when there is none."""
    if days is not None:
        return account.now() + days * _DAY
    if moment is None or moment == "now":
        return None
    if int(moment) <= account.now():
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", "trial_end")
    return int(moment)


def retrieve_subscription(account: Account, subscription_id: str, _: Params) -> Subscription:
    """`GET /v1/subscriptions/{id}`: also one that ended."""
    return account.get(Subscription, subscription_id)


def list_subscriptions(account: Account, params: ListSubscriptions) -> Page[Subscription]:
    """`GET /v1/subscriptions`: those of a test clock's customers only to who names it, or the customer."""

    def matches(subscription: Subscription) -> bool:
        clock = account.get(Customer, subscription.customer).test_clock
        return (
            _has_status(subscription, params.status)
            and params.customer in (None, subscription.customer)
            and (params.price is None or any(item.price == params.price for item in subscription.items))
            and (params.test_clock == clock or params.customer is not None)
        )

    return page(account.all(Subscription), params, matches)


def _has_status(subscription: Subscription, wanted: str | None) -> bool:
    match wanted:
        case None:
            return subscription.status != SubscriptionStatus.CANCELED
        case "all":
            return True
        case "ended":
            return subscription.status.is_final
    return subscription.status == wanted


def update_subscription(account: Account, subscription_id: str, params: UpdateSubscription) -> Subscription:
    """`POST /v1/subscriptions/{id}`."""
    before = account.get(Subscription, subscription_id)
    given = params.model_fields_set - {"expand"}
    if before.status.is_final and given - {"cancellation_details", "metadata"}:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    if {"cancel_at", "cancel_at_period_end"} <= given:
        raise invalid("Only one of cancel_at and cancel_at_period_end can be given.", "cancel_at")
    facts = _facts(account, before, params)
    if params.items:
        items = changed_items(account, before, params.items)
        subscription = reprice(account, before, items, behavior=params.proration_behavior, **facts)
    else:
        subscription = standing.update(account, before, **facts)
    if params.trial_end == "now" and subscription.is_on_trial:
        now = account.now()
        cut = tuple(replace(item, period_end=now) for item in subscription.items)
        subscription = finish_period(account, account.change(subscription, trial_end=now, items=cut, anchor=now))
    if params.cancel_at_period_end is not None:
        return lifecycle.end_with_period(account, subscription, wanted=params.cancel_at_period_end)
    return subscription


def _facts(account: Account, before: Subscription, params: UpdateSubscription) -> dict[str, Any]:
    """What the request says of anything but items."""
    given = params.model_fields_set
    facts: dict[str, Any] = {"metadata": params.metadata_after(before.metadata)}
    if "description" in given:
        facts["description"] = params.description
    if "pause_collection" in given:
        facts["pause_collection"] = params.pause_collection and params.pause_collection.behavior
        facts["collection_resumes_at"] = params.pause_collection and params.pause_collection.resumes_at
    if params.cancellation_details is not None:
        facts["cancellation"] = _in_own_words(before, params.cancellation_details)
    if "cancel_at" in given:
        facts["cancel_at"] = params.cancel_at
        facts["cancel_at_period_end"] = False
        facts["canceled_at"] = None if params.cancel_at is None else account.now()
    if "discounts" in given:
        facts["discounts"] = tuple(redeem(account, one.coupon, before).id for one in params.discounts or ())
    if isinstance(params.trial_end, int):
        facts |= _longer_trial(account, before, trial_end(account, params.trial_end, None) or 0)
    return facts


def _longer_trial(account: Account, before: Subscription, until: int) -> dict[str, Any]:
    items = tuple(replace(item, period_end=until) for item in before.items)
    started = before.trial_start or account.now()
    return {
        "status": SubscriptionStatus.TRIALING,
        "trial_start": started,
        "trial_end": until,
        "trial_end_told": False,
        "anchor": until,
        "items": items,
    }


def cancel_subscription(account: Account, subscription_id: str, params: CancelSubscription) -> Subscription:
    """`DELETE /v1/subscriptions/{id}`: ends it now. There is no such subscription any more once it ended."""
    subscription = account.get(Subscription, subscription_id)
    if subscription.status.is_final:
        raise missing(subscription.OBJECT, subscription_id)
    words = params.cancellation_details or CancellationDetails()
    return standing.end(account, subscription, cancellation=_in_own_words(subscription, words, standing.REQUESTED))


def pause_subscription(account: Account, subscription_id: str, _: Params) -> Subscription:
    """`POST /v1/subscriptions/{id}/pause`."""
    return lifecycle.move_to(account, account.get(Subscription, subscription_id), SubscriptionStatus.PAUSED)


def resume_subscription(account: Account, subscription_id: str, params: ResumeSubscription) -> Subscription:
    """`POST /v1/subscriptions/{id}/resume`: only from a pause. A new period begins, and has to be paid for first."""
    subscription = account.get(Subscription, subscription_id)
    if subscription.status is not SubscriptionStatus.PAUSED:
        raise invalid(f"You cannot resume a subscription with status {subscription.status}.")
    now = account.now()
    if params.billing_cycle_anchor == "unchanged" and subscription.period_end > now:
        resumed = standing.update(account, subscription, status=SubscriptionStatus.ACTIVE, paused_at=None)
        tell(account, "customer.subscription.resumed", resumed)
        return resumed
    items = tuple(_from_now(account, item) for item in subscription.items)
    renewed = replace(subscription, items=items, anchor=now)
    lines = drafting.period_lines(account, renewed, items)
    invoice = drafting.draft(account, renewed, "subscription_cycle", lines)
    unsettled = (*subscription.unsettled, invoice.id)
    facts = {"items": items, "anchor": now, "latest_invoice": invoice.id}
    # Once the invoice is paid, now or some day, the subscription is active again.
    standing.update(account, subscription, **facts, unsettled=unsettled)
    collection.collect(account, invoice)
    return account.get(Subscription, subscription_id)


def _from_now(account: Account, item: SubscriptionItem) -> SubscriptionItem:
    now, price = account.now(), account.get(Price, item.price)
    return replace(item, period_start=now, period_end=end_of_period(now, price.interval, count=price.interval_count))


def _in_own_words(subscription: Subscription, details: CancellationDetails, reason: str | None = None) -> Cancellation:
    given = details.model_dump(include=details.model_fields_set)
    return replace(subscription.cancellation, reason=reason or subscription.cancellation.reason, **given)
