"""Subscriptions. Since version 2025-03-31 (basil) their periods are on their items."""

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.records import Customer, Price, Subscription, SubscriptionItem
from claw_dev.simulators.stripe.rendering.catalogue import plan, price
from claw_dev.simulators.stripe.rendering.shapes import Json, head, listing, nothing
from claw_dev.simulators.stripe.versions import since_basil


def subscription(record: Subscription, account: Account, version: str) -> Json:
    """A subscription. Since basil the period is on its items, before that on itself."""
    shown = head(record) | {
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": record.anchor,
        "billing_mode": {
            "flexible": {"proration_discounts": "included"},
            "type": "flexible",
            "updated_at": record.created,
        },
        "billing_schedules": [],
        "cancel_at": record.cancel_at,
        "cancel_at_period_end": record.cancel_at_period_end,
        "canceled_at": record.canceled_at,
        "cancellation_details": {
            "comment": record.cancellation.comment,
            "feedback": record.cancellation.feedback,
            "reason": record.cancellation.reason,
        },
        "collection_method": "charge_automatically",
        "currency": record.currency,
        "customer": record.customer,
        "default_tax_rates": [],
        "description": record.description,
        "discounts": list(record.discounts),
        "ended_at": record.ended_at,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": listing(
            (_item(item, record.id, account, version) for item in record.items),
            f"/v1/subscription_items?subscription={record.id}",
        ),
        "latest_invoice": record.latest_invoice,
        "metadata": dict(record.metadata),
        "pause_collection": _pause_collection(record),
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "schedule": record.schedule,
        "start_date": record.created,
        "status": record.status.value,
        "test_clock": account.get(Customer, record.customer).test_clock,
        "trial_end": record.trial_end,
        "trial_settings": {"end_behavior": {"missing_payment_method": record.without_payment_method}},
        "trial_start": record.trial_start,
        **nothing(
            "application",
            "application_fee_percent",
            "billing_cycle_anchor_config",
            "billing_thresholds",
            "customer_account",
            "days_until_due",
            "default_payment_method",
            "default_source",
            "next_pending_invoice_item_invoice",
            "managed_payments",
            "on_behalf_of",
            "pending_invoice_item_interval",
            "pending_setup_intent",
            "pending_update",
            "transfer_data",
        ),
    }
    if record.paused_at is not None:
        shown["status_details"] = {
            "paused": {
                "subscription": {"type": "pause_requested"},
                "transitioned_at": record.paused_at,
                "type": "subscription",
            }
        }
    if not since_basil(version):
        shown["current_period_start"] = record.period_start
        shown["current_period_end"] = record.period_end
    return shown


def _pause_collection(record: Subscription) -> Json | None:
    if record.pause_collection is None:
        return None
    return {"behavior": record.pause_collection, "resumes_at": record.collection_resumes_at}


def _item(record: SubscriptionItem, subscription_id: str, account: Account, version: str) -> Json:
    billed = account.get(Price, record.price)
    shown: Json = {
        "id": record.id,
        "object": record.OBJECT,
        "billing_thresholds": None,
        "created": record.created,
        "discounts": [],
        "metadata": dict(record.metadata),
        "plan": plan(billed),
        "price": price(billed),
        "subscription": subscription_id,
        "tax_rates": [],
    }
    if billed.meter is None:
        shown["quantity"] = record.quantity
    if since_basil(version):
        shown["current_period_start"] = record.period_start
        shown["current_period_end"] = record.period_end
    return shown
