"""The items of a subscription as a request wants them: changed, added, taken away."""

from dataclasses import replace

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid, missing
from claw_dev.simulators.stripe.params import ChangedItem
from claw_dev.simulators.stripe.records import Price, Subscription, SubscriptionItem


def changed_items(
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
            added = _added(account, subscription, change)
            items[added.id] = added
        elif change.id not in items:
            raise missing(SubscriptionItem.OBJECT, change.id, f"{at}[id]")
        elif change.deleted:
            del items[change.id]
        else:
            items[change.id] = _changed_item(items[change.id], change)
    if not items:
        raise invalid("A subscription must have at least one active plan.", "items")
    return tuple(items.values())


def _changed_item(item: SubscriptionItem, change: ChangedItem) -> SubscriptionItem:
    if change.quantity is not None:
        item = replace(item, quantity=change.quantity)
    return item if change.price is None else replace(item, price=change.price)


def _added(account: Account, subscription: Subscription, change: ChangedItem) -> SubscriptionItem:
    """Another item, billed from now on in the subscription's own periods."""
    return SubscriptionItem(
        id=account.new_id(SubscriptionItem.PREFIX),
        created=account.now(),
        price=change.price or "",
        quantity=1 if change.quantity is None else change.quantity,
        period_start=subscription.period_start,
        period_end=subscription.period_end,
    )
