"""What an account holds: one frozen record per object, with the facts only. How they look as JSON is rendering's.

References are ids, moments are seconds since 1970, amounts are in the currency's smallest unit.
"""

from claw_dev.simulators.stripe.records.catalogue import Coupon, Discount, Price, Product
from claw_dev.simulators.stripe.records.checkout import CheckoutSession, Line
from claw_dev.simulators.stripe.records.customers import Card, Customer, CustomerDetails, TestClock
from claw_dev.simulators.stripe.records.events import Event
from claw_dev.simulators.stripe.records.invoices import Invoice, InvoiceLine, InvoiceStatus
from claw_dev.simulators.stripe.records.metering import Meter, MeterEvent, UsageSummary
from claw_dev.simulators.stripe.records.portal import PortalConfiguration, PortalSession
from claw_dev.simulators.stripe.records.record import Metadata, Record
from claw_dev.simulators.stripe.records.schedules import Phase, PhaseItem, Schedule
from claw_dev.simulators.stripe.records.subscriptions import (
    Cancellation,
    Subscription,
    SubscriptionItem,
    SubscriptionStatus,
)

__all__ = [
    "Cancellation",
    "Card",
    "CheckoutSession",
    "Coupon",
    "Customer",
    "CustomerDetails",
    "Discount",
    "Event",
    "Invoice",
    "InvoiceLine",
    "InvoiceStatus",
    "Line",
    "Metadata",
    "Meter",
    "MeterEvent",
    "Phase",
    "PhaseItem",
    "PortalConfiguration",
    "PortalSession",
    "Price",
    "Product",
    "Record",
    "Schedule",
    "Subscription",
    "SubscriptionItem",
    "SubscriptionStatus",
    "TestClock",
    "UsageSummary",
]
