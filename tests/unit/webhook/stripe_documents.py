"""Stripe's documents for tests, in the shapes that its API really has."""

from typing import Any

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.stripe_objects import Subscription


def plan(name: str, *, price_ids: tuple[str, ...] = (), lookup_keys: tuple[str, ...] = ()) -> ClawPlan:
    """A ClawPlan that is sold under these prices."""
    return ClawPlan.model_validate(
        {
            "metadata": {"name": name},
            "spec": {
                "displayName": name.title(),
                "price": {"currency": "usd", "amountMonthly": 7900},
                "stripe": {"priceIds": price_ids, "lookupKeys": lookup_keys},
                "resources": {"cpu": "1", "memory": "1Gi", "storage": "500Mi"},
                "models": {"default": "claude-sonnet-4-5"},
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


def subscription_document(
    *, prices: tuple[tuple[str, str | None], ...] = (("price_pro", None),), **changes: Any
) -> Any:
    """A subscription of the present API version: the period is written on each item."""
    items = [
        {
            "id": f"si_{number}",
            "object": "subscription_item",
            "current_period_start": 1_790_000_000,
            "current_period_end": 1_792_592_000,
            "price": {"id": price, "object": "price", "lookup_key": lookup_key, "unit_amount": 7900},
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
        "metadata": {},
        "cancel_at_period_end": False,
        **changes,
    }


def subscription(**changes: Any) -> Subscription:
    """The same, parsed."""
    return Subscription.model_validate(subscription_document(**changes))


def event_document(kind: str, changed: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A snapshot event's envelope."""
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_790_000_000,
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
