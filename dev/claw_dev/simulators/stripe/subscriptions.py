"""Subscriptions, as requests see and change them."""

from dataclasses import replace
from typing import Any

from claw_dev.simulators.stripe import lifecycle
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid, missing
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import (
    CancellationDetails,
    CancelSubscription,
    ChangedItem,
    ListSubscriptions,
    Params,
    ResumeSubscription,
    UpdateSubscription,
)
from claw_dev.simulators.stripe.records import (
    Cancellation,
    Price,
    Subscription,
    SubscriptionItem,
    SubscriptionStatus,
)


def retrieve_subscription(account: Account, subscription_id: str, _: Params) -> Subscription:
    """`GET /v1/subscriptions/{id}`: also one that ended."""
    return account.get(Subscription, subscription_id)


def list_subscriptions(account: Account, params: ListSubscriptions) -> Page[Subscription]:
    """`GET /v1/subscriptions`."""

    def matches(subscription: Subscription) -> bool:
        return (
            _has_status(subscription, params.status)
            and params.customer in (None, subscription.customer)
            and (params.price is None or any(item.price == params.price for item in subscription.items))
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
    facts: dict[str, Any] = {"metadata": params.metadata_after(before.metadata)}
    if params.items:
        facts["items"] = _changed_items(account, before, params.items)
    if "description" in given:
        facts["description"] = params.description
    if "pause_collection" in given:
        facts["pause_collection"] = params.pause_collection and params.pause_collection.behavior
    if params.cancellation_details is not None:
        facts["cancellation"] = _in_own_words(before, params.cancellation_details)
    if "cancel_at" in given:
        facts["cancel_at"] = params.cancel_at
        facts["canceled_at"] = None if params.cancel_at is None else account.now()
    subscription = lifecycle.update(account, before, **facts)
    if params.cancel_at_period_end is not None:
        return lifecycle.end_with_period(account, subscription, wanted=params.cancel_at_period_end)
    return subscription


def cancel_subscription(account: Account, subscription_id: str, params: CancelSubscription) -> Subscription:
    """`DELETE /v1/subscriptions/{id}`: ends it now. There is no such subscription any more once it ended."""
    subscription = account.get(Subscription, subscription_id)
    if subscription.status.is_final:
        raise missing(subscription.OBJECT, subscription_id)
    words = params.cancellation_details or CancellationDetails()
    return lifecycle.end(account, subscription, cancellation=_in_own_words(subscription, words, lifecycle.REQUESTED))


def pause_subscription(account: Account, subscription_id: str, _: Params) -> Subscription:
    """`POST /v1/subscriptions/{id}/pause`."""
    return lifecycle.move_to(account, account.get(Subscription, subscription_id), SubscriptionStatus.PAUSED)


def resume_subscription(account: Account, subscription_id: str, _: ResumeSubscription) -> Subscription:
    """`POST /v1/subscriptions/{id}/resume`: only from a pause."""
    subscription = account.get(Subscription, subscription_id)
    if subscription.status != SubscriptionStatus.PAUSED:
        raise invalid(f"You cannot resume a subscription with status {subscription.status}.")
    return lifecycle.move_to(account, subscription, SubscriptionStatus.ACTIVE)


def _in_own_words(subscription: Subscription, details: CancellationDetails, reason: str | None = None) -> Cancellation:
    given = details.model_dump(include=details.model_fields_set)
    return replace(subscription.cancellation, reason=reason or subscription.cancellation.reason, **given)


def _changed_items(
    account: Account, subscription: Subscription, changes: list[ChangedItem]
) -> tuple[SubscriptionItem, ...]:
    """The items after the request. One that names no item adds another, which is seldom what its sender wanted."""
    items = {item.id: item for item in subscription.items}
    for position, change in enumerate(changes):
        at = f"items[{position}]"
        if change.price is not None:
            account.get(Price, change.price, f"{at}[price]")
        if change.id is None:
            if change.price is None:
                raise invalid(f"Missing required param: {at}[price].", f"{at}[price]", "parameter_missing")
            added = lifecycle.new_item(account, change.price, change.quantity or 1)
            items[added.id] = added
        elif change.id not in items:
            raise missing(SubscriptionItem.OBJECT, change.id, f"{at}[id]")
        elif change.deleted:
            del items[change.id]
        else:
            items[change.id] = _changed_item(account, items[change.id], change)
    if not items:
        raise invalid("A subscription must have at least one active plan.", "items")
    return tuple(items.values())


def _changed_item(account: Account, item: SubscriptionItem, change: ChangedItem) -> SubscriptionItem:
    if change.quantity is not None:
        item = replace(item, quantity=change.quantity)
    if change.price is None:
        return item
    return lifecycle.with_price(account, item, change.price)
