"""Records as the JSON of one API version. Fields without a fact behind them are null, as with Stripe."""

from claw_dev.simulators.stripe import records as r
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.rendering import (
    catalogue,
    checkout,
    events,
    invoices,
    metering,
    people,
    portal,
    schedules,
    subscriptions,
)
from claw_dev.simulators.stripe.rendering.shapes import Json


def render(record: r.Record, account: Account, version: str) -> Json:
    """The object as Stripe shows it in that version. The result is the caller's to change."""
    match record:
        case r.Subscription():
            return subscriptions.subscription(record, account, version)
        case r.Invoice():
            return invoices.invoice(record, account, version)
        case r.Customer():
            return people.customer(record)
        case r.Event():
            return events.event(record)
        case r.CheckoutSession():
            return checkout.session(record, account)
        case r.Line():
            return checkout.line(record, account)
        case r.Schedule():
            return schedules.schedule(record, account)
        case r.Discount():
            return catalogue.discount(record, version)
    return _plain(record)


def _plain(record: r.Record) -> Json:
    """Objects that look the same in every version and show nothing of others."""
    match record:
        case r.Product():
            return catalogue.product(record)
        case r.Price():
            return catalogue.price(record)
        case r.Coupon():
            return catalogue.coupon(record)
        case r.TestClock():
            return people.clock(record)
        case r.PortalConfiguration():
            return portal.configuration(record)
        case r.PortalSession():
            return portal.session(record)
        case r.Meter():
            return metering.meter(record)
        case r.MeterEvent():
            return metering.meter_event(record)
        case r.UsageSummary():
            return metering.summary(record)
    raise TypeError(f"{type(record).__name__} is part of another object and is never shown alone")
