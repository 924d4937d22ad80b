"""Customers and test clocks."""

from claw_dev.simulators.stripe.records import Customer, TestClock
from claw_dev.simulators.stripe.rendering.shapes import Json, head, nothing

_KEPT = 30 * 24 * 3600
"""Seconds after which Stripe deletes a test clock."""


def customer(record: Customer) -> Json:
    """A customer; of a deleted one only that it is deleted."""
    if record.deleted:
        return {"id": record.id, "object": record.OBJECT, "deleted": True}
    # The one field that is left out and not null when nobody gave it.
    company = {"business_name": record.business_name} if record.business_name else {}
    return (
        head(record)
        | company
        | {
            "balance": record.balance,
            "delinquent": record.delinquent,
            "description": record.description,
            "email": record.email,
            "invoice_prefix": record.invoice_prefix,
            "invoice_settings": nothing("custom_fields", "footer", "rendering_options")
            | {"default_payment_method": record.card.payment_method},
            "metadata": dict(record.metadata),
            "name": record.name,
            "next_invoice_sequence": record.next_invoice,
            "phone": record.phone,
            "preferred_locales": list(record.preferred_locales),
            "tax_exempt": "none",
            "test_clock": record.test_clock,
            **nothing("address", "currency", "default_source", "discount", "shipping"),
        }
    )


def clock(record: TestClock) -> Json:
    """A test clock; of a deleted one only that it is deleted."""
    if record.deleted:
        return {"id": record.id, "object": record.OBJECT, "deleted": True}
    advancing = {"advancing": {"target_frozen_time": record.target}} if record.status == "advancing" else {}
    return head(record) | {
        "deletes_after": record.created + _KEPT,
        "frozen_time": record.frozen_time,
        "name": record.name,
        "status": record.status,
        "status_details": advancing,
    }
