"""What a subscription is billed: lines for a period, credits and charges for changes within one, discounts."""

from collections.abc import Iterable
from dataclasses import replace

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.records import (
    Customer,
    Discount,
    Invoice,
    InvoiceLine,
    Price,
    Product,
    Subscription,
    SubscriptionItem,
)
from claw_dev.simulators.stripe.usage import usage_of


def draft(
    account: Account,
    subscription: Subscription,
    reason: str,
    lines: Iterable[InvoiceLine],
    *,
    period: tuple[int, int] | None = None,
    waits: int = 0,
    auto_advance: bool = True,
) -> Invoice:
    """A draft of these lines that is finalized after `waits` seconds. The caller links the subscription to it.

    Its own `period` is, as with Stripe, the one that is over by then, and the moment where none is: what is paid for
    is told by the lines.
    """
    customer = account.get(Customer, subscription.customer)
    billed = tuple(lines)
    start, end = period or (account.now(), account.now())
    invoice = account.new(
        Invoice,
        customer=customer.id,
        customer_email=customer.email,
        customer_name=customer.name,
        subscription=subscription.id,
        subscription_metadata=subscription.metadata,
        billing_reason=reason,
        period_start=start,
        period_end=end,
        currency=subscription.currency,
        lines=billed,
        discounts=_discounts(account, subscription, sum(line.amount for line in billed)),
        auto_advance=auto_advance,
        finalizes_at=account.now() + waits if auto_advance else None,
        test_clock=customer.test_clock,
    )
    tell(account, "invoice.created", invoice)
    return invoice


def period_lines(
    account: Account,
    subscription: Subscription,
    items: Iterable[SubscriptionItem],
    *,
    ended: Iterable[SubscriptionItem] = (),
) -> tuple[InvoiceLine, ...]:
    """What each item costs for its period, in advance; what is metered, for the period of it that has `ended`."""
    before = {item.id: item for item in ended}
    return tuple(_period_line(account, subscription, item, before.get(item.id)) for item in items)


def prorations(
    account: Account, before: SubscriptionItem | None, after: SubscriptionItem | None
) -> tuple[InvoiceLine, ...]:
    """For a change now: the rest of the period, credited as it was billed and charged as it will be."""
    found = []
    if before is not None and not _is_metered(account, before):
        found.append(_rest(account, before, sign=-1))
    if after is not None and not _is_metered(account, after):
        found.append(_rest(account, after, sign=1))
    return tuple(found)


def _rest(account: Account, item: SubscriptionItem, *, sign: int) -> InvoiceLine:
    now = account.now()
    whole = _line(account, item)
    share = (item.period_end - now) / max(1, item.period_end - item.period_start)
    words = "Unused time on" if sign < 0 else "Remaining time on"
    return replace(
        whole,
        description=f"{words} {whole.description}",
        amount=sign * round(whole.amount * share),
        period_start=now,
        proration=True,
    )


def _period_line(
    account: Account, subscription: Subscription, item: SubscriptionItem, ended: SubscriptionItem | None
) -> InvoiceLine:
    if subscription.is_on_trial:
        return _line(account, item, unit_amount=0)
    meter = account.get(Price, item.price).meter
    if meter is None:
        return _line(account, item)
    if ended is None:
        return _line(account, replace(item, quantity=0))
    used = round(usage_of(account, meter, subscription.customer, ended.period_start, ended.period_end))
    return _line(account, replace(ended, quantity=used))


def _line(account: Account, item: SubscriptionItem, *, unit_amount: int | None = None) -> InvoiceLine:
    price = account.get(Price, item.price)
    product = account.get(Product, price.product)
    each = price.unit_amount if unit_amount is None else unit_amount
    return InvoiceLine(
        id=account.new_id(InvoiceLine.PREFIX),
        created=account.now(),
        subscription_item=item.id,
        price=price.id,
        product=product.id,
        description=f"{item.quantity} x {product.name}",
        quantity=item.quantity,
        unit_amount=each,
        amount=each * item.quantity,
        period_start=item.period_start,
        period_end=item.period_end,
    )


def _discounts(account: Account, subscription: Subscription, subtotal: int) -> dict[str, int]:
    """How much each of the subscription's discounts takes off, one after the other. Those for once are used up."""
    found: dict[str, int] = {}
    for identifier in subscription.discounts:
        discount = account.get(Discount, identifier)
        off = discount.off(subtotal - sum(found.values()))
        if off > 0 and discount.applies(account.now()):
            found[identifier] = off
            account.change(discount, used=True)
    return found


def _is_metered(account: Account, item: SubscriptionItem) -> bool:
    return account.get(Price, item.price).meter is not None
