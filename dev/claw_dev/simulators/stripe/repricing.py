"""A change of what a subscription bills, within a period: credited, charged, at once or with the next invoice.

The three behaviours are Stripe's: `create_prorations` leaves the difference to the next invoice, `always_invoice` asks
for it at once, `none` forgets it. A price that is billed in another interval begins a new period, billed at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from claw_dev.simulators.stripe import collection, drafting, standing
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.periods import end_of_period
from claw_dev.simulators.stripe.records import InvoiceLine, Price, Subscription, SubscriptionItem

DEFAULT = "create_prorations"


def reprice(
    account: Account, before: Subscription, items: Sequence[SubscriptionItem], *, behavior: str = DEFAULT, **facts: Any
) -> Subscription:
    """The subscription with these items, and with the facts that change together with them."""
    restarting = not before.is_on_trial and any(_in_another_interval(account, before, item) for item in items)
    wanted = tuple(_restarted(account, item) for item in items) if restarting else tuple(items)
    facts |= {"items": wanted, "anchor": account.now() if restarting else before.anchor}
    lines = _differences(account, before, wanted, behavior, restarting=restarting)
    if not lines or not (restarting or behavior == "always_invoice"):
        return standing.update(account, before, prorations=(*before.prorations, *lines), **facts)
    invoice = drafting.draft(account, replace(before, **facts), "subscription_update", (*before.prorations, *lines))
    unsettled = (*before.unsettled, invoice.id)
    standing.update(account, before, prorations=(), latest_invoice=invoice.id, unsettled=unsettled, **facts)
    collection.collect(account, invoice)
    return account.get(Subscription, before.id)


def _differences(
    account: Account, before: Subscription, wanted: Sequence[SubscriptionItem], behavior: str, *, restarting: bool
) -> tuple[InvoiceLine, ...]:
    """Credits for what goes, charges for what comes. On trial there is nothing to credit and nothing to charge."""
    if before.is_on_trial:
        return ()
    old, new = ({item.id: item for item in items} for items in (before.items, wanted))
    changed = [name for name in old | new if _billed(old.get(name)) != _billed(new.get(name)) or restarting]
    lines: tuple[InvoiceLine, ...] = ()
    for name in changed:
        if behavior != "none":
            charged = None if restarting else new.get(name)
            lines += drafting.prorations(account, old.get(name), charged)
        if restarting and name in new:
            lines += drafting.period_lines(account, before, [new[name]])
    return lines


def _billed(item: SubscriptionItem | None) -> tuple[str, int] | None:
    return None if item is None else (item.price, item.quantity)


def _in_another_interval(account: Account, before: Subscription, item: SubscriptionItem) -> bool:
    earlier = next((old for old in before.items if old.id == item.id), None)
    if earlier is None:
        return False
    old, new = account.get(Price, earlier.price), account.get(Price, item.price)
    return (old.interval, old.interval_count) != (new.interval, new.interval_count)


def _restarted(account: Account, item: SubscriptionItem) -> SubscriptionItem:
    now, price = account.now(), account.get(Price, item.price)
    return replace(item, period_start=now, period_end=end_of_period(now, price.interval, count=price.interval_count))
