"""Invoices: what a subscription is billed for a period, and whether that was paid. Money never moves."""

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import ListInvoices, Params
from claw_dev.simulators.stripe.records import (
    Customer,
    Invoice,
    InvoiceLine,
    Price,
    Product,
    Subscription,
    SubscriptionItem,
)

_RETRY_AFTER = 3 * 24 * 3600
"""Seconds until Stripe would try to collect again."""


def issue(account: Account, subscription: Subscription, reason: str, *, paid: bool) -> Invoice:
    """A final invoice for the subscription's current period. The caller tells what became of it."""
    customer = account.get(Customer, subscription.customer)
    number = sum(1 for invoice in account.all(Invoice) if invoice.customer == customer.id) + 1
    now = account.now()
    return account.new(
        Invoice,
        customer=customer.id,
        customer_email=customer.email,
        customer_name=customer.name,
        number=f"{customer.invoice_prefix}-{number:04}",
        subscription=subscription.id,
        subscription_metadata=subscription.metadata,
        billing_reason=reason,
        period_start=subscription.period_start,
        period_end=subscription.period_end,
        currency=subscription.currency,
        lines=tuple(_line(account, item, free=subscription.is_on_trial) for item in subscription.items),
        paid_at=now if paid else None,
        next_attempt=None if paid else now + _RETRY_AFTER,
    )


def pay(account: Account, invoice_id: str) -> None:
    """Let an open invoice be paid after all."""
    before = account.get(Invoice, invoice_id)
    if before.paid_at is not None:
        return
    after = account.change(before, paid_at=account.now(), attempts=before.attempts + 1, next_attempt=None)
    tell(account, "invoice.paid", after)


def _line(account: Account, item: SubscriptionItem, *, free: bool) -> InvoiceLine:
    price = account.get(Price, item.price)
    product = account.get(Product, price.product)
    unit_amount = 0 if free else price.unit_amount
    return InvoiceLine(
        id=account.new_id(InvoiceLine.PREFIX),
        created=account.now(),
        subscription_item=item.id,
        price=price.id,
        product=product.id,
        description=f"{item.quantity} x {product.name}",
        quantity=item.quantity,
        unit_amount=unit_amount,
        amount=unit_amount * item.quantity,
    )


def retrieve_invoice(account: Account, invoice_id: str, _: Params) -> Invoice:
    """`GET /v1/invoices/{id}`."""
    return account.get(Invoice, invoice_id)


def list_invoices(account: Account, params: ListInvoices) -> Page[Invoice]:
    """`GET /v1/invoices`."""
    return page(
        account.all(Invoice),
        params,
        lambda invoice: (
            params.customer in (None, invoice.customer)
            and params.subscription in (None, invoice.subscription)
            and params.status in (None, invoice.status)
        ),
    )
