"""Stripe's documents for tests, in the shapes that its API really has."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.stripe_objects import Invoice, Subscription

START = datetime(2026, 9, 21, 12, tzinfo=UTC)
"""When the subscription's running period began; days are counted from here."""
PERIOD_DAYS = 30

Prices = tuple[tuple[str, str | None], ...]


def day(number: float) -> datetime:
    """A moment so many days after the period's beginning."""
    return START + timedelta(days=number)


def stamp(number: float) -> int:
    """The same, as Stripe writes it."""
    return int(day(number).timestamp())


def plan(
    name: str,
    *,
    price_ids: tuple[str, ...] = (),
    lookup_keys: tuple[str, ...] = (),
    product_ids: tuple[str, ...] = (),
    monthly: int = 7900,
    currency: str = "usd",
    terms: Mapping[str, int] | None = None,
) -> ClawPlan:
    """A ClawPlan that is sold under these prices. `terms`: graceDays, retentionDays, trialDays."""
    return ClawPlan.model_validate(
        {
            "metadata": {"name": name},
            "spec": {
                "displayName": name.title(),
                "price": {"currency": currency, "amountMonthly": monthly},
                "stripe": {"priceIds": price_ids, "lookupKeys": lookup_keys, "productIds": product_ids},
                "resources": {"cpu": "1", "memory": "1Gi", "storage": "500Mi"},
                "models": {"default": "claude-sonnet-4-5"},
                **(terms or {}),
            },
        }
    )


def customer_document(**changes: Any) -> dict[str, Any]:
    """An expanded customer."""
    return {
        "id": "cus_Ada1",
        "object": "customer",
        "email": "ada@example.com",
        "name": "Ada Lovelace",
        "preferred_locales": ["en-GB"],
        "metadata": {},
        "livemode": False,
        **changes,
    }


def price_document(price: str, lookup_key: str | None = None, **changes: Any) -> dict[str, Any]:
    """A monthly price."""
    return {
        "id": price,
        "object": "price",
        "active": True,
        "currency": "usd",
        "lookup_key": lookup_key,
        "product": f"prod_of_{price}",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
        "unit_amount": 7900,
        **changes,
    }


def subscription_document(
    *, prices: Prices = (("price_pro", None),), begins: float = 0, ends: float = PERIOD_DAYS, **changes: Any
) -> dict[str, Any]:
    """A subscription of the present API version: the period, in days, is written on each item."""
    items = [
        {
            "id": f"si_{number}",
            "object": "subscription_item",
            "current_period_start": stamp(begins),
            "current_period_end": stamp(ends),
            "price": price_document(price, lookup_key),
            "quantity": 1,
        }
        for number, (price, lookup_key) in enumerate(prices)
    ]
    return {
        "id": "sub_Pro1",
        "object": "subscription",
        "status": "active",
        "customer": customer_document(),
        "items": {"object": "list", "data": items, "has_more": False},
        "latest_invoice": invoice_document(line_document("price_pro")),
        "metadata": {},
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "created": stamp(0),
        "currency": "usd",
        "discounts": [],
        "ended_at": None,
        "pause_collection": None,
        "trial_end": None,
        **changes,
    }


def subscription(**changes: Any) -> Subscription:
    """The same, parsed."""
    return Subscription.model_validate(subscription_document(**changes))


def line_document(price: str, *, amount: int = 7900, begins: float = 0, ends: float = PERIOD_DAYS) -> dict[str, Any]:
    """A line of an invoice, as of API version 2025-03-31: the price is an id somewhere deep."""
    return {
        "id": "il_1",
        "object": "line_item",
        "amount": amount,
        "currency": "usd",
        "period": {"start": stamp(begins), "end": stamp(ends)},
        "pricing": {"type": "price_details", "price_details": {"price": price, "product": f"prod_of_{price}"}},
        "quantity": 1,
    }


def invoice_document(*lines: dict[str, Any], created: float = 0, **changes: Any) -> dict[str, Any]:
    """A paid invoice."""
    total = sum(line["amount"] for line in lines)
    return {
        "id": "in_1",
        "object": "invoice",
        "status": "paid",
        "created": stamp(created),
        "due_date": None,
        "currency": "usd",
        "amount_due": total,
        "amount_paid": total,
        "amount_remaining": 0,
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_Pro1"}},
        "lines": {"object": "list", "data": list(lines), "has_more": False},
        **changes,
    }


def open_document(*, created: float, amount: int = 7900, **changes: Any) -> dict[str, Any]:
    """An invoice of which nothing was paid."""
    line = line_document("price_pro", amount=amount, begins=created, ends=created + PERIOD_DAYS)
    owed = {"status": "open", "amount_paid": 0, "amount_remaining": amount}
    return invoice_document(line, created=created, **owed | changes)


def open_invoice(*, created: float, **changes: Any) -> Invoice:
    """The same, parsed."""
    return Invoice.model_validate(open_document(created=created, **changes))


def before_basil(document: dict[str, Any]) -> dict[str, Any]:
    """A subscription as API versions before 2025-03-31 wrote the same facts."""
    items = document["items"]["data"]
    periods = [item for item in items if "current_period_end" in item] or [{}]
    moved = ("current_period_start", "current_period_end")
    older = document | {key: periods[0][key] for key in moved if key in periods[0]}
    older["items"] = {"data": [{key: item[key] for key in item if key not in moved} for item in items]}
    if isinstance(document["latest_invoice"], dict):
        older["latest_invoice"] = invoice_before_basil(document["latest_invoice"])
    return older


def invoice_before_basil(document: dict[str, Any]) -> dict[str, Any]:
    """An invoice of those versions: its subscription and its lines' prices stand where one would look for them."""
    lines = []
    for line in document["lines"]["data"]:
        details = line["pricing"]["price_details"]
        older_line = {key: line[key] for key in line if key != "pricing"}
        lines.append(older_line | {"price": price_document(details["price"], product=details["product"])})
    older = {key: document[key] for key in document if key != "parent"}
    reference = document["parent"]["subscription_details"]["subscription"]
    return older | {"subscription": reference, "lines": {"data": lines}}


def event_document(kind: str, changed: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A snapshot event's envelope."""
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": stamp(0),
        "type": kind,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": changed},
        **changes,
    }


def checkout_document(**changes: Any) -> dict[str, Any]:
    """A completed checkout session in subscription mode."""
    return {
        "id": "cs_test_1",
        "object": "checkout.session",
        "mode": "subscription",
        "status": "complete",
        "payment_status": "paid",
        "customer": "cus_Ada1",
        "subscription": "sub_Pro1",
        "customer_details": {"email": "ada@example.com", "name": "Ada Lovelace"},
        "locale": "auto",
        "metadata": {},
        **changes,
    }
