"""What Stripe is to sell: a product and a monthly price for each plan, and a portal that moves between them. Pure.

The plans are the source. What a price costs can never be changed at Stripe, so another amount is another price: it
takes over the plan's lookup key, and the old one is archived. Old subscriptions keep the old price; they are recognised
by its id or by its product, and a change after which they would not be is refused before anything happens.

A plan without a lookup key is left alone: its prices are kept by hand and named in `priceIds`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from claw_crds.keys import sha256
from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.front.offers import promises
from claw_webhook.front.stock import Portal, SoldPrice, SoldProduct, Stock

PLAN = "claw_plan"
"""Key of the metadata that names the plan, on everything of ours at Stripe."""
PORTAL_DIGEST = "claw_portal"
"""Key of the metadata by which our portal configuration is found, and whether it is up to date."""
_LARGEST_PORTAL = 10
"""Products that a portal configuration can offer."""


class Action(StrEnum):
    """What is done at Stripe."""

    CREATE_PRODUCT = "create product"
    UPDATE_PRODUCT = "update product"
    CREATE_PRICE = "create price"
    MARK_PRICE = "mark price"
    SET_DEFAULT_PRICE = "set default price of"
    ARCHIVE_PRICE = "archive price"
    CREATE_PORTAL = "create portal configuration"
    UPDATE_PORTAL = "update portal configuration"


@dataclass(frozen=True)
class Change:
    """One request to Stripe. `str()` says it to a person."""

    action: Action
    target: str
    """The id of what is changed; for a new price its lookup key."""
    why: str
    params: Mapping[str, Any] = field(default_factory=dict)
    replaces: str = ""
    """The price whose lookup key a new one takes over."""

    def __str__(self) -> str:
        return f"{self.action} {self.target}: {self.why}"


class CatalogueConflict(Exception):
    """Nothing was changed, because customers would no longer be recognised. The message says what to do first."""


def is_synced(plan: ClawPlan) -> bool:
    """Whether Stripe's side of the plan is made from here."""
    return bool(plan.spec.stripe.lookup_keys)


def product_id(plan: ClawPlan) -> str:
    """The product that the plan is sold as."""
    return next(iter(plan.spec.stripe.product_ids), f"claw_{plan.metadata.name}")


def changes_of_prices(plans: Iterable[ClawPlan], stock: Stock) -> list[Change]:
    """Products and prices that are missing or differ, in the order in which they are to be changed.

    Raises CatalogueConflict.
    """
    return [change for plan in plans if is_synced(plan) for change in _changes_of_plan(plan, stock)]


def _changes_of_plan(plan: ClawPlan, stock: Stock) -> Iterable[Change]:
    product, key = product_id(plan), plan.spec.stripe.lookup_keys[0]
    there, holder = stock.products.get(product), stock.price_with_key(key)
    wrong = _what_is_wrong(holder, plan)
    if holder is not None and wrong:
        _refuse_to_orphan(plan, holder, key)

    yield from _changes_of_product(plan, there)
    if holder is not None and holder.metadata.get(PLAN) != plan.metadata.name:
        # Before its key is taken: should this end half-way, the next run knows by the mark that it is to be archived.
        yield Change(Action.MARK_PRICE, holder.id, f"is of plan {plan.metadata.name}", {"metadata": _mark(plan)})
    if wrong:
        yield Change(Action.CREATE_PRICE, key, wrong, _price(plan), replaces=holder.id if holder else "")
    sold = None if wrong or holder is None else holder.id
    if there is None or sold is None or there.default_price != sold:
        # Stripe archives no price that is its product's default.
        yield Change(Action.SET_DEFAULT_PRICE, product, f"is the one with lookup key {key}", {"lookup_key": key})
    for price in stock.prices:
        ours = price.metadata.get(PLAN) == plan.metadata.name or price.lookup_key == key
        if ours and price.active and price.id != sold and not price.is_metered:
            yield Change(Action.ARCHIVE_PRICE, price.id, f"no longer what plan {plan.metadata.name} costs")


def _what_is_wrong(holder: SoldPrice | None, plan: ClawPlan) -> str:
    price = plan.spec.price
    if holder is None:
        return f"plan {plan.metadata.name} costs {price.amount_monthly} {price.currency} a month"
    if not holder.charges(plan):
        return f"{holder.id} is not {price.amount_monthly} {price.currency} a month"
    if holder.product != product_id(plan):
        return f"{holder.id} belongs to product {holder.product}, and not to {product_id(plan)}"
    return "" if holder.active else f"{holder.id} is archived"


def _refuse_to_orphan(plan: ClawPlan, holder: SoldPrice, key: str) -> None:
    named = plan.spec.stripe
    if holder.id in named.price_ids or holder.product in named.product_ids:
        return
    raise CatalogueConflict(
        f"Lookup key {key} has to move away from {holder.id}, and who subscribed to that price would no longer be"
        f" recognised. First add {holder.id} to stripe.priceIds of ClawPlan {plan.metadata.name}."
    )


def _changes_of_product(plan: ClawPlan, there: SoldProduct | None) -> Iterable[Change]:
    wished = {"name": f"Claw {plan.spec.display_name}", "description": ", ".join(promises(plan)), "active": True}
    if there is None:
        params = {"id": product_id(plan), **wished, "metadata": _mark(plan)}
        yield Change(Action.CREATE_PRODUCT, product_id(plan), f"plan {plan.metadata.name} is sold as it", params)
        return
    differs: dict[str, Any] = {name: value for name, value in wished.items() if getattr(there, name) != value}
    if there.metadata.get(PLAN) != plan.metadata.name:
        differs["metadata"] = _mark(plan)
    if differs:
        yield Change(Action.UPDATE_PRODUCT, there.id, f"{', '.join(sorted(differs))} as in the plan", differs)


def _price(plan: ClawPlan) -> dict[str, Any]:
    return {
        "product": product_id(plan),
        "currency": plan.spec.price.currency,
        "unit_amount": plan.spec.price.amount_monthly,
        "recurring": {"interval": "month"},
        "lookup_key": plan.spec.stripe.lookup_keys[0],
        "transfer_lookup_key": True,
        "metadata": _mark(plan),
    }


def _mark(plan: ClawPlan) -> dict[str, str]:
    return {PLAN: plan.metadata.name}


def change_of_portal(plans: Iterable[ClawPlan], stock: Stock) -> Change | None:
    """What the customer portal needs, once the prices are there; None when it has it.

    Its configuration is not compared field by field: Stripe leaves some out of its answers and adds others. A digest in
    its metadata tells whether it was written from these plans.
    """
    synced = [plan for plan in plans if is_synced(plan)]
    if not synced:
        return None
    if len(synced) > _LARGEST_PORTAL:
        raise CatalogueConflict(f"Stripe's portal offers at most {_LARGEST_PORTAL} plans, and these are {len(synced)}.")
    features = _features([_offered(plan, stock) for plan in sorted(synced, key=lambda plan: plan.metadata.name)])
    digest = sha256(json.dumps(features, sort_keys=True))
    params = {"features": features, "metadata": {PORTAL_DIGEST: digest}}
    ours = our_portal(stock.portals)
    if ours is None:
        return Change(Action.CREATE_PORTAL, "for customers", "change plan, cancel, pay, see invoices", params)
    if ours.metadata.get(PORTAL_DIGEST) == digest:
        return None
    return Change(Action.UPDATE_PORTAL, ours.id, "it offers other prices than the plans", params)


def our_portal(portals: Iterable[Portal]) -> Portal | None:
    """The portal configuration that was made from the plans."""
    return next((portal for portal in portals if portal.active and PORTAL_DIGEST in portal.metadata), None)


def _offered(plan: ClawPlan, stock: Stock) -> dict[str, Any]:
    key = plan.spec.stripe.lookup_keys[0]
    price = stock.price_with_key(key)
    # Before the price is made, only in a dry run, its lookup key stands for it.
    return {"product": product_id(plan), "prices": [price.id if price else key]}


def _features(products: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "subscription_update": {
            "enabled": True,
            "default_allowed_updates": ["price"],
            "products": products,
            # More is had and paid for at once; less begins when what was paid for is over.
            "proration_behavior": "always_invoice",
            "schedule_at_period_end": {"conditions": [{"type": "decreasing_item_amount"}]},
        },
        "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
        "payment_method_update": {"enabled": True},
        "invoice_history": {"enabled": True},
    }
