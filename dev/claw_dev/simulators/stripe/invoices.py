"""Invoices, as requests see and change them. What is on them is drafting's, how they are paid collection's."""

from claw_dev.simulators.stripe import collection
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import FinalizeInvoice, ListInvoices, Params, PayInvoice
from claw_dev.simulators.stripe.records import Card, Customer, Invoice


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


def finalize_invoice(account: Account, invoice_id: str, _: FinalizeInvoice) -> Invoice:
    """`POST /v1/invoices/{id}/finalize`."""
    return collection.finalize(account, account.get(Invoice, invoice_id))


def pay_invoice(account: Account, invoice_id: str, params: PayInvoice) -> Invoice:
    """`POST /v1/invoices/{id}/pay`: with the customer's card, or with the one of this request."""
    invoice = account.get(Invoice, invoice_id)
    if params.paid_out_of_band:
        return collection.settle(account, invoice)
    if params.payment_method is not None:
        customer = account.get(Customer, invoice.customer)
        account.change(customer, card=Card.of(params.payment_method))
    return collection.pay(account, invoice)


def void_invoice(account: Account, invoice_id: str, _: Params) -> Invoice:
    """`POST /v1/invoices/{id}/void`."""
    return collection.void(account, account.get(Invoice, invoice_id))


def give_up_invoice(account: Account, invoice_id: str, _: Params) -> Invoice:
    """`POST /v1/invoices/{id}/mark_uncollectible`."""
    return collection.mark_uncollectible(account, account.get(Invoice, invoice_id))
