"""Checkout sessions: opened by requests, completed by customers."""

from dataclasses import dataclass

from claw_dev.simulators.stripe import customers, lifecycle
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import CreateSession, Listed, ListSessions, Params
from claw_dev.simulators.stripe.records import CheckoutSession, Customer, CustomerDetails, Line, Price, Subscription

_OPEN_FOR = 24 * 3600
"""Seconds that a customer has to pay."""


def create_session(account: Account, params: CreateSession) -> CheckoutSession:
    """`POST /v1/checkout/sessions`."""
    if params.customer is not None:
        account.get(Customer, params.customer, "customer")
        if params.customer_email is not None:
            raise invalid("You may only specify one of these parameters: customer, customer_email.", "customer")
    lines = []
    for position, item in enumerate(params.line_items):
        price = account.get(Price, item.price, f"line_items[{position}][price]")
        if not price.active:
            raise invalid(f"The price specified is inactive: {price.id}.", f"line_items[{position}][price]")
        lines.append(
            Line(id=account.new_id(Line.PREFIX), created=account.now(), price=price.id, quantity=item.quantity)
        )
    session_id = account.new_id(CheckoutSession.PREFIX)
    return account.new(
        CheckoutSession,
        id=session_id,
        lines=tuple(lines),
        url=f"{account.checkout_base}/c/pay/{session_id}",
        success_url=params.success_url,
        cancel_url=params.cancel_url,
        expires_at=account.now() + _OPEN_FOR,
        client_reference_id=params.client_reference_id,
        customer=params.customer,
        customer_email=params.customer_email,
        locale=params.locale,
        allow_promotion_codes=params.allow_promotion_codes,
        metadata=params.metadata_after({}),
        subscription_metadata=params.subscription_data.metadata_after({}),
        subscription_description=params.subscription_data.description,
        trial_days=params.subscription_data.trial_period_days,
    )


@dataclass(frozen=True)
class Purchase:
    """What there is once a customer has paid."""

    session: CheckoutSession
    customer: Customer
    subscription: Subscription


def complete(
    account: Account, session: CheckoutSession, details: CustomerDetails, *, locale: str | None = None
) -> Purchase:
    """The customer pays. Raises StripeProblem when the session is not open any more."""
    if session.status != "open" or session.expires_at <= account.now():
        raise invalid(f"This Checkout Session is no longer open: {session.id}.")
    customer = _customer_of(account, session, details, locale)
    subscription = lifecycle.start(
        account,
        customer,
        session.lines,
        metadata=session.subscription_metadata,
        description=session.subscription_description,
        trial_days=session.trial_days,
    )
    completed = account.change(
        session,
        status="complete",
        payment_status="no_payment_required" if session.trial_days else "paid",
        customer=customer.id,
        customer_details=details,
        subscription=subscription.id,
        invoice=subscription.latest_invoice,
    )
    tell(account, "checkout.session.completed", completed)
    return Purchase(completed, customer, subscription)


def _customer_of(account: Account, session: CheckoutSession, details: CustomerDetails, locale: str | None) -> Customer:
    if session.customer is not None:
        return account.get(Customer, session.customer)
    return customers.register(
        account,
        email=details.email,
        name=details.name,
        phone=details.phone,
        business_name=details.business_name,
        preferred_locales=(locale,) if locale else (),
    )


def retrieve_session(account: Account, session_id: str, _: Params) -> CheckoutSession:
    """`GET /v1/checkout/sessions/{id}`."""
    return account.get(CheckoutSession, session_id)


def list_sessions(account: Account, params: ListSessions) -> Page[CheckoutSession]:
    """`GET /v1/checkout/sessions`."""
    return page(
        account.all(CheckoutSession),
        params,
        lambda session: (
            params.customer in (None, session.customer)
            and params.subscription in (None, session.subscription)
            and params.status in (None, session.status)
        ),
    )


def expire_session(account: Account, session_id: str, _: Params) -> CheckoutSession:
    """`POST /v1/checkout/sessions/{id}/expire`."""
    session = account.get(CheckoutSession, session_id)
    if session.status != "open":
        raise invalid('Only Checkout Sessions with a status in ["open"] can be expired.')
    expired = account.change(session, status="expired")
    tell(account, "checkout.session.expired", expired)
    return expired


def list_lines(account: Account, session_id: str, params: Listed) -> Page[Line]:
    """`GET /v1/checkout/sessions/{id}/line_items`."""
    return page(account.get(CheckoutSession, session_id).lines, params, lambda line: True)
