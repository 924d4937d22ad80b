"""Customers, as requests make and change them."""

from typing import Any

from claw_dev.simulators.stripe import lifecycle
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import missing
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import ChangeCustomer, ListCustomers, Params
from claw_dev.simulators.stripe.records import Customer, Subscription

_INVOICE_PREFIX_LENGTH = 8


def register(account: Account, **facts: Any) -> Customer:
    """A new customer, told to the listener."""
    prefix = account.new_id("req")[-_INVOICE_PREFIX_LENGTH:].upper()
    customer = account.new(Customer, invoice_prefix=prefix, **facts)
    tell(account, "customer.created", customer)
    return customer


def list_customers(account: Account, params: ListCustomers) -> Page[Customer]:
    """`GET /v1/customers`: without the deleted."""
    return page(
        account.all(Customer),
        params,
        lambda customer: not customer.deleted and params.email in (None, customer.email),
    )


def create_customer(account: Account, params: ChangeCustomer) -> Customer:
    """`POST /v1/customers`."""
    return register(account, **_given(params), metadata=params.metadata_after({}))


def retrieve_customer(account: Account, customer_id: str, _: Params) -> Customer:
    """`GET /v1/customers/{id}`: also a deleted one."""
    return account.get(Customer, customer_id)


def update_customer(account: Account, customer_id: str, params: ChangeCustomer) -> Customer:
    """`POST /v1/customers/{id}`."""
    before = _living(account, customer_id)
    after = account.change(before, **_given(params), metadata=params.metadata_after(before.metadata))
    tell(account, "customer.updated", after, before=before)
    return after


def delete_customer(account: Account, customer_id: str, _: Params) -> Customer:
    """`DELETE /v1/customers/{id}`: ends the subscriptions too."""
    customer = _living(account, customer_id)
    for subscription in account.all(Subscription):
        if subscription.customer == customer.id and not subscription.status.is_final:
            lifecycle.end(account, subscription)
    tell(account, "customer.deleted", customer)
    return account.change(customer, deleted=True)


def _living(account: Account, customer_id: str) -> Customer:
    customer = account.get(Customer, customer_id)
    if customer.deleted:
        raise missing(customer.OBJECT, customer_id)
    return customer


def _given(params: ChangeCustomer) -> dict[str, Any]:
    """The facts that the request names. Lists are kept as tuples."""
    facts = params.model_dump(include=params.model_fields_set - {"expand", "metadata"})
    if "preferred_locales" in facts:
        facts["preferred_locales"] = tuple(facts["preferred_locales"])
    return facts
