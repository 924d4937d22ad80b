"""Products and prices."""

from claw_dev.simulators.stripe.records import Price, Product
from claw_dev.simulators.stripe.rendering.shapes import Json, head, nothing


def product(record: Product) -> Json:
    """A product."""
    return head(record) | {
        "active": record.active,
        "default_price": record.default_price,
        "description": record.description,
        "images": [],
        "marketing_features": [],
        "metadata": dict(record.metadata),
        "name": record.name,
        "type": "service",
        "updated": record.created,
        **nothing("package_dimensions", "shippable", "statement_descriptor", "tax_code", "unit_label", "url"),
    }


def price(record: Price) -> Json:
    """A recurring price."""
    return head(record) | {
        "active": record.active,
        "billing_scheme": "per_unit",
        "currency": record.currency,
        "lookup_key": record.lookup_key,
        "metadata": dict(record.metadata),
        "nickname": record.nickname,
        "product": record.product,
        "recurring": {
            "interval": record.interval,
            "interval_count": 1,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        },
        "tax_behavior": "unspecified",
        "type": "recurring",
        "unit_amount": record.unit_amount,
        "unit_amount_decimal": str(record.unit_amount),
        **nothing("custom_unit_amount", "tiers_mode", "transform_quantity"),
    }


def plan(record: Price) -> Json:
    """The price in the shape that it had before prices existed. Subscription items still carry both."""
    return head(record) | {
        "object": "plan",
        "active": record.active,
        "amount": record.unit_amount,
        "amount_decimal": str(record.unit_amount),
        "billing_scheme": "per_unit",
        "currency": record.currency,
        "interval": record.interval,
        "interval_count": 1,
        "metadata": dict(record.metadata),
        "nickname": record.nickname,
        "product": record.product,
        "usage_type": "licensed",
        **nothing("meter", "tiers_mode", "transform_usage", "trial_period_days"),
    }
