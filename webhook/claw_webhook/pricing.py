"""Which plan a Stripe price means, and which plan a customer has paid for. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.stripe_objects import Invoice, StripePrice, Subscription

Catalogue = Mapping[str, ClawPlan]
"""The plans by name."""


@dataclass(frozen=True)
class Bought:
    """The plan that a customer is to have now."""

    plan: str
    until: datetime | None = None
    """When it ends because another one is billed from now on."""
    next_plan: str | None = None
    """That other one."""


def plan_of_price(price: StripePrice, plans: Iterable[ClawPlan]) -> set[str]:
    """Names of the plans that are sold under this price: by its id, its lookup key, or the product it belongs to."""
    return {plan.metadata.name for plan in plans if _sells(plan, price)}


def plans_bought(subscription: Subscription, plans: Iterable[ClawPlan]) -> set[str]:
    """Names of all plans that the subscription's prices mean.

    Lines that no plan sells, such as add-ons, do not matter beside one that some plan does. A quantity of nothing buys
    nothing; any other buys one instance.
    """
    catalogue = tuple(plans)
    bought = (item.price for item in subscription.items.data if item.quantity != 0)
    return {name for price in bought for name in plan_of_price(price, catalogue)}


def bought_plan(subscription: Subscription, plans: Catalogue, now: datetime) -> Bought | None:
    """The one plan that the subscription's prices mean; None when they mean none or several.

    A dearer plan that was paid for goes on until what was paid for is over. So an upgrade counts at once, a downgrade
    at the end of the period, and neither has to be remembered.
    """
    names = plans_bought(subscription, plans.values())
    if len(names) != 1:
        return None
    billed = names.pop()
    paid = [
        Bought(name, until=end, next_plan=billed)
        for price, end in _prices_paid(subscription.latest_invoice, now)
        for name in plan_of_price(price, plans.values())
        if _is_dearer(plans[name], plans[billed])
    ]
    return max(paid, key=lambda one: (plans[one.plan].spec.price.amount_monthly, one.until), default=Bought(billed))


def _prices_paid(invoice: Invoice | None, now: datetime) -> Iterator[tuple[StripePrice, datetime]]:
    """Prices that a paid invoice charges for a period that is running, with its end.

    A price is only charged if more is asked for it than given back: a change of plan in the middle of a period leaves
    a negative line where Stripe is told to credit what was not used.
    """
    if invoice is None or invoice.status != "paid":
        return
    charged: Counter[str] = Counter()
    for line in invoice.lines.data:
        if line.price is not None:
            charged[line.price.id] += line.amount
    for line in invoice.lines.data:
        if (
            line.price is not None
            and line.period is not None
            and line.period.covers(now)
            and charged[line.price.id] > 0
        ):
            yield line.price, line.period.end


def _sells(plan: ClawPlan, price: StripePrice) -> bool:
    sold = plan.spec.stripe
    return price.id in sold.price_ids or price.lookup_key in sold.lookup_keys or price.product in sold.product_ids


def _is_dearer(plan: ClawPlan, than: ClawPlan) -> bool:
    one, other = plan.spec.price, than.spec.price
    return one.currency == other.currency and one.amount_monthly > other.amount_monthly
