"""Customers, as requests make and change them."""

from typing import Any

from claw_dev.simulators.stripe import standing
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import missing
from claw_dev.simulators.stripe.events import change, tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import Bare, CreateCustomer, ListCustomers, Params, UpdateCustomer
from claw_dev.simulators.stripe.records import Card, Customer, Subscription, TestClock

_INVOICE_PREFIX_LENGTH = 8


def register(account: Account, **facts: Any) -> Customer:
    """A new customer, told to the listener."""
    prefix = account.new_id("req")[-_INVOICE_PREFIX_LENGTH:].upper()
    customer = account.new(Customer, invoice_prefix=prefix, **facts)
    tell(account, "customer.created", customer)
    return customer


def list_customers(account: Account, params: ListCustomers) -> Page[Customer]:
    """`GET /v1/customers`: without the deleted, and without those of test clocks unless one is named."""
    return page(
        account.all(Customer),
        params,
        lambda customer: (
            not customer.deleted and params.email in (None, customer.email) and params.test_clock == customer.test_clock
        ),
    )


def create_customer(account: Account, params: CreateCustomer) -> Customer:
    """`POST /v1/customers`."""
    if params.test_clock is not None:
        account.get(TestClock, params.test_clock, "test_clock")
    facts = _given(params)
    if params.payment_method is not None:
        facts["card"] = Card.of(params.payment_method)
    return register(account, **facts, test_clock=params.test_clock, metadata=params.metadata_after({}))


def retrieve_customer(account: Account, customer_id: str, _: Params) -> Customer:
    """`GET /v1/customers/{id}`: also a deleted one."""
    return account.get(Customer, customer_id)


def update_customer(account: Account, customer_id: str, params: UpdateCustomer) -> Customer:
    """`POST /v1/customers/{id}`."""
    before = _living(account, customer_id)
    metadata = params.metadata_after(before.metadata)
    return change(account, "customer.updated", before, **_given(params), metadata=metadata)


def change_card(account: Account, customer_id: str, card: Card) -> Customer:
    """From now on payments go as this card lets them."""
    return change(account, "customer.updated", _living(account, customer_id), card=card)


def delete_customer(account: Account, customer_id: str, _: Bare) -> Customer:
    """`DELETE /v1/customers/{id}`: ends the subscriptions too."""
    customer = _living(account, customer_id)
    for subscription in account.all(Subscription):
        if subscription.customer == customer.id and not subscription.status.is_final:
            standing.end(account, subscription)
    tell(account, "customer.deleted", customer)
    return account.change(account.get(Customer, customer_id), deleted=True)


def _living(account: Account, customer_id: str) -> Customer:
    customer = account.get(Customer, customer_id)
    if customer.deleted:
        raise missing(customer.OBJECT, customer_id)
    return customer


def _given(params: UpdateCustomer) -> dict[str, Any]:
    """The facts that the request names. Lists are kept as tuples, and of the card only how well it works."""
    apart = {"expand", "metadata", "invoice_settings", "payment_method", "test_clock"}
    facts = params.model_dump(include=params.model_fields_set - apart)
    if "preferred_locales" in facts:
        facts["preferred_locales"] = tuple(facts["preferred_locales"])
    if params.invoice_settings and params.invoice_settings.default_payment_method:
        facts["card"] = Card.of(params.invoice_settings.default_payment_method)
    return facts
