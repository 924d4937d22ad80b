"""Records as the JSON of one API version. Fields without a fact behind them are null, as with Stripe."""

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.records import (
    CheckoutSession,
    Customer,
    Event,
    Invoice,
    Line,
    Price,
    Product,
    Record,
    Subscription,
)
from claw_dev.simulators.stripe.rendering import catalogue, checkout, events, invoices, people, subscriptions
from claw_dev.simulators.stripe.rendering.shapes import Json


def render(record: Record, account: Account, version: str) -> Json:
    """The object as Stripe shows it in that version. The result is the caller's to change."""
    match record:
        case Product():
            return catalogue.product(record)
        case Price():
            return catalogue.price(record)
        case Customer():
            return people.customer(record)
        case CheckoutSession():
            return checkout.session(record, account)
        case Line():
            return checkout.line(record, account)
        case Subscription():
            return subscriptions.subscription(record, account, version)
        case Invoice():
            return invoices.invoice(record, account, version)
        case Event():
            return events.event(record)
    raise TypeError(f"{type(record).__name__} is part of another object and is never shown alone")
