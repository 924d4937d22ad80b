"""Invoices. Since version 2025-03-31 (basil) they name their subscription under `parent`."""

from collections.abc import Mapping

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.records import Invoice, InvoiceLine, Price
from claw_dev.simulators.stripe.rendering.catalogue import plan, price
from claw_dev.simulators.stripe.rendering.shapes import Json, automatic_tax, head, listing, nothing
from claw_dev.simulators.stripe.versions import since_basil


def invoice(record: Invoice, account: Account, version: str) -> Json:
    """An invoice, wherever it stands."""
    paid = record.amount_due if record.paid_at is not None else 0
    shown = head(record) | {
        "account_country": "US",
        "account_name": "Claw",
        "amount_due": record.amount_due,
        "amount_overpaid": 0,
        "amount_paid": paid,
        "amount_paid_off_stripe": 0,
        "amount_remaining": record.amount_due - paid,
        "amount_shipping": 0,
        "attempt_count": record.attempts,
        "attempted": record.attempts > 0 or record.paid_at is not None,
        "auto_advance": record.auto_advance,
        "automatic_tax": automatic_tax() | {"disabled_reason": None},
        "automatically_finalizes_at": record.finalizes_at,
        "billing_reason": record.billing_reason,
        "collection_method": "charge_automatically",
        "currency": record.currency,
        "customer": record.customer,
        "customer_email": record.customer_email,
        "customer_name": record.customer_name,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "discounts": list(record.discounts),
        "effective_at": record.finalized_at,
        "ending_balance": record.ending_balance,
        "issuer": {"type": "self"},
        "lines": listing(
            (_invoice_line(line, record, account, version) for line in record.lines), f"/v1/invoices/{record.id}/lines"
        ),
        "metadata": {},
        "next_payment_attempt": record.next_attempt,
        "number": record.number,
        "payment_settings": nothing("default_mandate", "payment_method_options", "payment_method_types"),
        "period_end": record.period_end,
        "period_start": record.period_start,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": record.starting_balance,
        "status": record.status.value,
        "status_transitions": {
            "finalized_at": record.finalized_at,
            "marked_uncollectible_at": record.uncollectible_at,
            "paid_at": record.paid_at,
            "voided_at": record.voided_at,
        },
        "subtotal": record.subtotal,
        "subtotal_excluding_tax": record.subtotal,
        "test_clock": record.test_clock,
        "total": record.total,
        "total_discount_amounts": _discount_amounts(record.discounts),
        "total_excluding_tax": record.total,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": record.finalized_at,
        **nothing(
            "account_tax_ids",
            "application",
            "custom_fields",
            "customer_account",
            "customer_address",
            "customer_phone",
            "customer_shipping",
            "default_payment_method",
            "default_source",
            "description",
            "due_date",
            "footer",
            "from_invoice",
            "hosted_invoice_url",
            "invoice_pdf",
            "last_finalization_error",
            "latest_revision",
            "on_behalf_of",
            "receipt_number",
            "rendering",
            "shipping_cost",
            "shipping_details",
            "statement_descriptor",
        ),
    }
    if since_basil(version):
        details = {"metadata": dict(record.subscription_metadata), "subscription": record.subscription}
        shown["parent"] = {
            "quote_details": None,
            "subscription_details": details,
            "type": "subscription_details",
        }
    else:
        shown["subscription"] = record.subscription
    return shown


def _discount_amounts(discounts: Mapping[str, int]) -> list[Json]:
    return [{"amount": amount, "discount": discount} for discount, amount in discounts.items()]


def _invoice_line(record: InvoiceLine, of: Invoice, account: Account, version: str) -> Json:
    shown: Json = {
        "id": record.id,
        "object": record.OBJECT,
        "amount": record.amount,
        "currency": of.currency,
        "description": record.description,
        "discount_amounts": [],
        "discountable": not record.proration,
        "discounts": [],
        "invoice": of.id,
        "livemode": False,
        "metadata": dict(of.subscription_metadata),
        "period": {"start": record.period_start, "end": record.period_end},
        "pretax_credit_amounts": [],
        "quantity": record.quantity,
        "quantity_decimal": str(record.quantity),
        "subscription": of.subscription,
        "subtotal": record.amount,
        "taxes": [],
    }
    if not since_basil(version):
        billed = account.get(Price, record.price)
        return shown | {
            "plan": plan(billed),
            "price": price(billed),
            "proration": record.proration,
            "subscription_item": record.subscription_item,
            "type": "subscription",
        }
    source = {
        "invoice_item": None,
        "proration": record.proration,
        "proration_details": None,
        "subscription": of.subscription,
        "subscription_item": record.subscription_item,
    }
    return shown | {
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": source,
            "type": "subscription_item_details",
        },
        "pricing": {
            "price_details": {"price": record.price, "product": record.product},
            "type": "price_details",
            "unit_amount_decimal": str(record.unit_amount),
        },
    }
