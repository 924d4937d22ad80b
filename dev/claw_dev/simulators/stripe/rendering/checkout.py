"""Checkout sessions and their lines."""

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.records import CheckoutSession, Coupon, Invoice, Line, Price, Product
from claw_dev.simulators.stripe.rendering.catalogue import price
from claw_dev.simulators.stripe.rendering.shapes import Json, automatic_tax, head, listing, nothing


def session(record: CheckoutSession, account: Account) -> Json:
    """A session. Its line items are only shown to those who expand them."""
    prices = {line.price: account.get(Price, line.price) for line in record.lines}
    due_today = 0 if record.has_trial else sum(_amount(prices[line.price], line) for line in record.lines)
    off = _off(record, account, due_today)
    return head(record) | {
        "adaptive_pricing": {"enabled": False},
        "allow_promotion_codes": record.allow_promotion_codes,
        "amount_subtotal": due_today,
        "amount_total": due_today - off,
        "automatic_tax": automatic_tax(),
        "billing_address_collection": record.billing_address_collection,
        "cancel_url": record.cancel_url,
        "client_reference_id": record.client_reference_id,
        "currency": prices[record.lines[0].price].currency,
        "custom_fields": [],
        "custom_text": nothing("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"),
        "customer": record.customer,
        "customer_creation": "always",
        "customer_details": _customer_details(record),
        "customer_email": record.customer_email,
        "discounts": [{"coupon": record.coupon, "promotion_code": None}] if record.coupon else [],
        "expires_at": record.expires_at,
        "invoice": record.invoice,
        "locale": record.locale,
        "metadata": dict(record.metadata),
        "mode": "subscription",
        "payment_method_collection": record.payment_method_collection,
        "payment_method_options": {},
        "payment_method_types": list(record.payment_method_types),
        "payment_status": record.payment_status,
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": record.status,
        "subscription": record.subscription,
        "success_url": record.success_url,
        "total_details": {"amount_discount": off, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": record.url if record.status == "open" else None,
        **nothing(
            "after_expiration",
            "client_secret",
            "collected_information",
            "consent",
            "consent_collection",
            "currency_conversion",
            "customer_account",
            "integration_identifier",
            "invoice_creation",
            "managed_payments",
            "origin_context",
            "payment_intent",
            "payment_link",
            "payment_method_configuration_details",
            "permissions",
            "recovered_from",
            "saved_payment_method_options",
            "setup_intent",
            "shipping_address_collection",
            "shipping_cost",
            "submit_type",
            "wallet_options",
        ),
    }


def line_items(record: CheckoutSession, account: Account) -> Json:
    """The lines as a list object."""
    return listing((line(bought, account) for bought in record.lines), f"/v1/checkout/sessions/{record.id}/line_items")


def line(record: Line, account: Account) -> Json:
    """A line of a session."""
    bought = account.get(Price, record.price)
    amount = _amount(bought, record)
    return {
        "id": record.id,
        "object": record.OBJECT,
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": bought.currency,
        "description": account.get(Product, bought.product).name,
        "metadata": {},
        "price": price(bought),
        "quantity": record.quantity,
    }


def _amount(billed: Price, bought: Line) -> int:
    """What is to be paid in advance."""
    return billed.unit_amount * bought.quantity if billed.meter is None else 0


def _off(record: CheckoutSession, account: Account, amount: int) -> int:
    """How much less it is by the coupon; once it is paid, how much less it was."""
    if record.coupon is None:
        return 0
    if record.invoice is not None:
        return sum(account.get(Invoice, record.invoice).discounts.values())
    return account.get(Coupon, record.coupon).off(amount)


def _customer_details(record: CheckoutSession) -> Json | None:
    typed = record.customer_details
    if typed is None and record.customer_email is None:
        return None
    return {
        "business_name": typed.business_name if typed else None,
        "email": typed.email if typed else record.customer_email,
        "name": typed.name if typed else None,
        "phone": typed.phone if typed else None,
        "tax_exempt": "none",
        "tax_ids": [] if typed else None,
        **nothing("address", "individual_name"),
    }
