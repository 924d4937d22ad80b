"""Products, prices and coupons."""

from claw_dev.simulators.stripe.records import Coupon, Discount, Price, Product
from claw_dev.simulators.stripe.rendering.shapes import Json, head, nothing
from claw_dev.simulators.stripe.versions import since_clover


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
            "interval_count": record.interval_count,
            "meter": record.meter,
            "trial_period_days": None,
            "usage_type": _usage_type(record),
        },
        "tax_behavior": record.tax_behavior,
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
        "interval_count": record.interval_count,
        "metadata": dict(record.metadata),
        "nickname": record.nickname,
        "product": record.product,
        "meter": record.meter,
        "usage_type": _usage_type(record),
        **nothing("tiers_mode", "transform_usage", "trial_period_days"),
    }


def _usage_type(record: Price) -> str:
    return "licensed" if record.meter is None else "metered"


def coupon(record: Coupon) -> Json:
    """A coupon."""
    if record.deleted:
        return {"id": record.id, "object": record.OBJECT, "deleted": True}
    return head(record) | {
        "amount_off": record.amount_off,
        "currency": record.currency,
        "duration": record.duration,
        "duration_in_months": record.duration_in_months,
        "max_redemptions": None,
        "metadata": dict(record.metadata),
        "name": record.name,
        "percent_off": record.percent_off,
        "redeem_by": None,
        "times_redeemed": record.redeemed,
        "valid": True,
    }


def discount(record: Discount, version: str) -> Json:
    """A discount. Since 2025-09-30 (clover) it names its coupon under `source`, and before that it holds all of it."""
    shown: Json = {
        "id": record.id,
        "object": record.OBJECT,
        "customer": record.customer,
        "end": record.end,
        "start": record.created,
        "subscription": record.subscription,
        **nothing(
            "checkout_session", "customer_account", "invoice", "invoice_item", "promotion_code", "subscription_item"
        ),
    }
    if since_clover(version):
        return shown | {"source": {"coupon": record.coupon.id, "type": "coupon"}}
    return shown | {"coupon": coupon(record.coupon)}
