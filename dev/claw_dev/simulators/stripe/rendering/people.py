"""Customers."""

from claw_dev.simulators.stripe.records import Customer
from claw_dev.simulators.stripe.rendering.shapes import Json, head, nothing


def customer(record: Customer) -> Json:
    """A customer; of a deleted one only that it is deleted."""
    if record.deleted:
        return {"id": record.id, "object": record.OBJECT, "deleted": True}
    return head(record) | {
        "balance": 0,
        "business_name": record.business_name,
        "delinquent": record.delinquent,
        "description": record.description,
        "email": record.email,
        "invoice_prefix": record.invoice_prefix,
        "invoice_settings": nothing("custom_fields", "default_payment_method", "footer", "rendering_options"),
        "metadata": dict(record.metadata),
        "name": record.name,
        "next_invoice_sequence": 1,
        "phone": record.phone,
        "preferred_locales": list(record.preferred_locales),
        "tax_exempt": "none",
        **nothing("address", "currency", "default_source", "discount", "shipping", "test_clock"),
    }
