"""How invoices are collected: finalized, tried, tried again, paid or given up, and what that does to subscriptions."""

from claw_dev.simulators.stripe import standing
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import card_declined, invalid
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.records import (
    Cancellation,
    Card,
    Customer,
    Invoice,
    InvoiceStatus,
    Subscription,
    SubscriptionStatus,
)

_DAY = 24 * 3600
_OWING = (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)


def collect(account: Account, invoice: Invoice) -> Invoice:
    """Finalize a draft, and take the money unless the subscription's collection is paused."""
    paused = account.get(Subscription, invoice.subscription).pause_collection
    if paused == "keep_as_draft":
        return account.change(invoice, auto_advance=False, finalizes_at=None)
    opened = finalize(account, invoice)
    if opened.is_settled or paused is None:
        return opened if opened.is_settled else attempt(account, opened)
    return void(account, opened) if paused == "void" else mark_uncollectible(account, opened)


def finalize(account: Account, invoice: Invoice) -> Invoice:
    """Make a draft final. One of nothing, or of less than the customer's credit, is paid thereby."""
    if invoice.status is not InvoiceStatus.DRAFT:
        raise invalid("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    customer = account.get(Customer, invoice.customer)
    credit = max(0, -customer.balance)
    balance = customer.balance + min(invoice.total, credit)
    opened = account.change(
        invoice,
        status=InvoiceStatus.OPEN,
        number=f"{customer.invoice_prefix}-{customer.next_invoice:04}",
        finalizes_at=None,
        finalized_at=account.now(),
        starting_balance=customer.balance,
        ending_balance=balance,
    )
    account.change(customer, next_invoice=customer.next_invoice + 1, balance=balance)
    tell(account, "invoice.finalized", opened)
    return opened if opened.amount_due > 0 else _paid(account, opened)


def attempt(account: Account, invoice: Invoice) -> Invoice:
    """Try to take the money with the customer's card."""
    card = account.get(Customer, invoice.customer).card
    if card is Card.GOOD:
        return _paid(account, account.change(invoice, attempts=invoice.attempts + 1))
    tried = invoice.attempts + 1
    delays = account.rules.retry_days
    # An invoice is not tried again by itself while its subscription has not even begun.
    begun = account.get(Subscription, invoice.subscription).status is not SubscriptionStatus.INCOMPLETE
    again = account.now() + delays[tried - 1] * _DAY if begun and tried <= len(delays) else None
    failed = account.change(invoice, attempts=tried, next_attempt=again)
    tell(account, "invoice.updated", failed, before=invoice)
    tell(account, "invoice.payment_failed", failed)
    if card is Card.NEEDS_ACTION:
        tell(account, "invoice.payment_action_required", failed)
    _fall_behind(account, failed)
    return account.get(Invoice, failed.id)


def pay(account: Account, invoice: Invoice) -> Invoice:
    """Somebody wants it paid now. Raises StripeProblem when it cannot be, or the card is declined."""
    if invoice.status is InvoiceStatus.PAID:
        raise invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice.status is InvoiceStatus.VOID:
        raise invalid("Invoices that are void cannot be paid.", code="invoice_not_payable")
    opened = finalize(account, invoice) if invoice.status is InvoiceStatus.DRAFT else invoice
    after = opened if opened.is_settled else attempt(account, opened)
    if after.status is not InvoiceStatus.PAID:
        raise card_declined()
    return after


def settle(account: Account, invoice: Invoice) -> Invoice:
    """It is paid in some way that needs no card."""
    opened = finalize(account, invoice) if invoice.status is InvoiceStatus.DRAFT else invoice
    return opened if opened.is_settled else _paid(account, opened)


def void(account: Account, invoice: Invoice) -> Invoice:
    """It was a mistake: nobody owes it."""
    if invoice.status not in (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE):
        raise invalid(f"You can only pass in open or uncollectible invoices. This invoice is {invoice.status}.")
    voided = account.change(
        invoice, status=InvoiceStatus.VOID, voided_at=account.now(), auto_advance=False, next_attempt=None
    )
    tell(account, "invoice.voided", voided)
    _catch_up(account, voided)
    return voided


def mark_uncollectible(account: Account, invoice: Invoice) -> Invoice:
    """Nobody expects it to be paid any more. The subscription stays as it is."""
    if invoice.status is not InvoiceStatus.OPEN:
        raise invalid(f"You can only mark open invoices as uncollectible. This invoice is {invoice.status}.")
    marked = account.change(
        invoice,
        status=InvoiceStatus.UNCOLLECTIBLE,
        uncollectible_at=account.now(),
        auto_advance=False,
        next_attempt=None,
    )
    tell(account, "invoice.marked_uncollectible", marked)
    _forget(account, marked)
    return marked


def _paid(account: Account, invoice: Invoice) -> Invoice:
    paid = account.change(
        invoice,
        status=InvoiceStatus.PAID,
        paid_at=account.now(),
        auto_advance=False,
        next_attempt=None,
    )
    tell(account, "invoice.paid", paid)
    tell(account, "invoice.payment_succeeded", paid)
    _catch_up(account, paid)
    return paid


def _catch_up(account: Account, invoice: Invoice) -> None:
    """Once its latest invoice is settled, a subscription is as good as ever."""
    subscription = _forget(account, invoice)
    resumed = subscription.paused_at is not None and invoice.created >= subscription.paused_at
    if subscription.latest_invoice != invoice.id or not (resumed or subscription.status in _OWING):
        return
    if subscription.status is SubscriptionStatus.INCOMPLETE and invoice.status is InvoiceStatus.VOID:
        expired = SubscriptionStatus.INCOMPLETE_EXPIRED
        standing.update(account, subscription, status=expired, ended_at=account.now())
        return
    active = standing.update(account, subscription, status=SubscriptionStatus.ACTIVE, paused_at=None)
    if resumed:
        tell(account, "customer.subscription.resumed", active)
    standing.note_delinquency(account, subscription.customer, delinquent=False)


def _fall_behind(account: Account, invoice: Invoice) -> None:
    subscription = account.get(Subscription, invoice.subscription)
    if subscription.status.is_final or subscription.status is SubscriptionStatus.INCOMPLETE:
        return
    standing.note_delinquency(account, subscription.customer, delinquent=True)
    if invoice.next_attempt is not None:
        if subscription.status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING):
            standing.update(account, subscription, status=SubscriptionStatus.PAST_DUE)
        return
    match account.rules.after_retries:
        case "canceled":
            standing.end(account, subscription, cancellation=Cancellation(reason=standing.PAYMENT_FAILED))
        case after:
            standing.update(account, subscription, status=SubscriptionStatus(after))


def _forget(account: Account, invoice: Invoice) -> Subscription:
    """The subscription, which waits for this invoice no longer."""
    subscription = account.get(Subscription, invoice.subscription)
    left = tuple(identifier for identifier in subscription.unsettled if identifier != invoice.id)
    return account.change(subscription, unsettled=left)
