"""Checkout sessions: opened by requests, completed by customers."""

from dataclasses import dataclass

from claw_dev.simulators.stripe import coupons, customers, lifecycle
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import card_declined, invalid
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import CreateSession, ListSessions, Paged, Params
from claw_dev.simulators.stripe.records import (
    Card,
    CheckoutSession,
    Customer,
    CustomerDetails,
    Invoice,
    Line,
    Price,
    Subscription,
)
from claw_dev.simulators.stripe.subscriptions import trial_end

_OPEN_FOR = 24 * 3600
"""Seconds that a customer has to pay."""
_DAY = 24 * 3600


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
    for discount in params.discounts:
        coupons.living(account, discount.coupon, "discounts[0][coupon]")
    if params.discounts and params.allow_promotion_codes:
        raise invalid("You may only specify one of these parameters: allow_promotion_codes, discounts.", "discounts")
    wanted = params.subscription_data
    if wanted.trial_end is not None and wanted.trial_period_days is not None:
        raise invalid("Only one of trial_end and trial_period_days can be given.", "subscription_data[trial_end]")
    session_id = account.new_id(CheckoutSession.PREFIX)
    return account.new(
        CheckoutSession,
        id=session_id,
        lines=tuple(lines),
        url=f"{account.base_url}/c/pay/{session_id}",
        success_url=params.success_url,
        cancel_url=params.cancel_url,
        expires_at=params.expires_at or account.now() + _OPEN_FOR,
        client_reference_id=params.client_reference_id,
        customer=params.customer,
        customer_email=params.customer_email,
        locale=params.locale,
        allow_promotion_codes=params.allow_promotion_codes,
        metadata=params.metadata_after({}),
        billing_address_collection=params.billing_address_collection,
        payment_method_collection=params.payment_method_collection,
        payment_method_types=tuple(params.payment_method_types),
        coupon=params.discounts[0].coupon if params.discounts else None,
        subscription_metadata=wanted.metadata_after({}),
        subscription_description=wanted.description,
        trial_days=wanted.trial_period_days or 0,
        trial_end=trial_end(account, wanted.trial_end, None),
        without_payment_method=wanted.trial_settings.end_behavior.missing_payment_method,
    )


@dataclass(frozen=True)
class Purchase:
    """What there is once a customer has paid."""

    session: CheckoutSession
    customer: Customer
    subscription: Subscription


def complete(
    account: Account,
    session: CheckoutSession,
    details: CustomerDetails,
    *,
    locale: str | None = None,
    card: Card = Card.GOOD,
) -> Purchase:
    """The customer pays. Raises StripeProblem when the session is not open any more, or the card is declined."""
    if session.status != "open" or session.expires_at <= account.now():
        raise invalid(f"This Checkout Session is no longer open: {session.id}.")
    if card is Card.NONE and session.payment_method_collection != "if_required":
        raise invalid("This Checkout Session asks for a card.")
    until = account.now() + session.trial_days * _DAY if session.trial_days else session.trial_end
    if until is None and card is not Card.GOOD:
        raise card_declined()
    customer = account.change(_customer_of(account, session, details, locale), card=card)
    terms = lifecycle.Terms(
        items=[(line.price, line.quantity) for line in session.lines],
        metadata=session.subscription_metadata,
        description=session.subscription_description,
        trial_end=until,
        without_payment_method=session.without_payment_method,
        coupons=[session.coupon] if session.coupon else (),
    )
    subscription = lifecycle.start(account, customer, terms)
    due = account.get(Invoice, subscription.latest_invoice or "").amount_due
    completed = account.change(
        session,
        status="complete",
        payment_status="paid" if due else "no_payment_required",
        customer=customer.id,
        customer_details=details,
        subscription=subscription.id,
        invoice=subscription.latest_invoice,
    )
    tell(account, "checkout.session.completed", completed)
    return Purchase(completed, account.get(Customer, customer.id), subscription)


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


def list_lines(account: Account, session_id: str, params: Paged) -> Page[Line]:
    """`GET /v1/checkout/sessions/{id}/line_items`."""
    return page(account.get(CheckoutSession, session_id).lines, params, lambda line: True)
