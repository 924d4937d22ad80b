"""Which request does what. Each operation is a plain function of the account; api.py lends it HTTP."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from claw_dev.simulators.stripe import (
    catalogue,
    checkout,
    clocks,
    coupons,
    customers,
    events,
    invoices,
    metering,
    portal,
    schedules,
    subscriptions,
)
from claw_dev.simulators.stripe import params as p
from claw_dev.simulators.stripe.listing import Page
from claw_dev.simulators.stripe.records import Record


@dataclass(frozen=True)
class Operation:
    """A request and the function that carries it out: `run(account, *ids in the path, params)`."""

    method: str
    path: str
    params: type[p.Bare | p.Params]
    run: Callable[..., Record | Page[Any]]


_CATALOGUE = (
    Operation("GET", "/v1/products", p.ListProducts, catalogue.list_products),
    Operation("POST", "/v1/products", p.CreateProduct, catalogue.create_product),
    Operation("GET", "/v1/products/{id}", p.Params, catalogue.retrieve_product),
    Operation("POST", "/v1/products/{id}", p.UpdateProduct, catalogue.update_product),
    Operation("GET", "/v1/prices", p.ListPrices, catalogue.list_prices),
    Operation("POST", "/v1/prices", p.CreatePrice, catalogue.create_price),
    Operation("GET", "/v1/prices/{id}", p.Params, catalogue.retrieve_price),
    Operation("POST", "/v1/prices/{id}", p.UpdatePrice, catalogue.update_price),
    Operation("GET", "/v1/coupons", p.Listed, coupons.list_coupons),
    Operation("POST", "/v1/coupons", p.CreateCoupon, coupons.create_coupon),
    Operation("GET", "/v1/coupons/{id}", p.Params, coupons.retrieve_coupon),
    Operation("DELETE", "/v1/coupons/{id}", p.Bare, coupons.delete_coupon),
    Operation("GET", "/v1/billing/meters", p.ListMeters, metering.list_meters),
    Operation("POST", "/v1/billing/meters", p.CreateMeter, metering.create_meter),
    Operation("GET", "/v1/billing/meters/{id}", p.Params, metering.retrieve_meter),
    Operation("POST", "/v1/billing/meters/{id}", p.UpdateMeter, metering.update_meter),
    Operation("POST", "/v1/billing/meters/{id}/deactivate", p.Params, metering.deactivate_meter),
    Operation("POST", "/v1/billing/meters/{id}/reactivate", p.Params, metering.reactivate_meter),
    Operation("GET", "/v1/billing/meters/{id}/event_summaries", p.ListUsage, metering.list_usage),
    Operation("POST", "/v1/billing/meter_events", p.CreateMeterEvent, metering.create_meter_event),
)

_CUSTOMERS = (
    Operation("GET", "/v1/customers", p.ListCustomers, customers.list_customers),
    Operation("POST", "/v1/customers", p.CreateCustomer, customers.create_customer),
    Operation("GET", "/v1/customers/{id}", p.Params, customers.retrieve_customer),
    Operation("POST", "/v1/customers/{id}", p.UpdateCustomer, customers.update_customer),
    Operation("DELETE", "/v1/customers/{id}", p.Bare, customers.delete_customer),
    Operation("GET", "/v1/checkout/sessions", p.ListSessions, checkout.list_sessions),
    Operation("POST", "/v1/checkout/sessions", p.CreateSession, checkout.create_session),
    Operation("GET", "/v1/checkout/sessions/{id}", p.Params, checkout.retrieve_session),
    Operation("POST", "/v1/checkout/sessions/{id}/expire", p.Params, checkout.expire_session),
    Operation("GET", "/v1/checkout/sessions/{id}/line_items", p.Paged, checkout.list_lines),
    Operation("GET", "/v1/billing_portal/configurations", p.ListConfigurations, portal.list_configurations),
    Operation("POST", "/v1/billing_portal/configurations", p.CreateConfiguration, portal.create_configuration),
    Operation("GET", "/v1/billing_portal/configurations/{id}", p.Params, portal.retrieve_configuration),
    Operation("POST", "/v1/billing_portal/configurations/{id}", p.UpdateConfiguration, portal.update_configuration),
    Operation("POST", "/v1/billing_portal/sessions", p.CreatePortalSession, portal.create_session),
)

_SUBSCRIPTIONS = (
    Operation("GET", "/v1/subscriptions", p.ListSubscriptions, subscriptions.list_subscriptions),
    Operation("POST", "/v1/subscriptions", p.CreateSubscription, subscriptions.create_subscription),
    Operation("GET", "/v1/subscriptions/{id}", p.Params, subscriptions.retrieve_subscription),
    Operation("POST", "/v1/subscriptions/{id}", p.UpdateSubscription, subscriptions.update_subscription),
    Operation("DELETE", "/v1/subscriptions/{id}", p.CancelSubscription, subscriptions.cancel_subscription),
    Operation("POST", "/v1/subscriptions/{id}/pause", p.Params, subscriptions.pause_subscription),
    Operation("POST", "/v1/subscriptions/{id}/resume", p.ResumeSubscription, subscriptions.resume_subscription),
    Operation("GET", "/v1/subscription_schedules", p.ListSchedules, schedules.list_schedules),
    Operation("POST", "/v1/subscription_schedules", p.CreateSchedule, schedules.create_schedule),
    Operation("GET", "/v1/subscription_schedules/{id}", p.Params, schedules.retrieve_schedule),
    Operation("POST", "/v1/subscription_schedules/{id}", p.UpdateSchedule, schedules.update_schedule),
    Operation("POST", "/v1/subscription_schedules/{id}/release", p.ReleaseSchedule, schedules.release_schedule),
    Operation("POST", "/v1/subscription_schedules/{id}/cancel", p.Params, schedules.cancel_schedule),
    Operation("GET", "/v1/invoices", p.ListInvoices, invoices.list_invoices),
    Operation("GET", "/v1/invoices/{id}", p.Params, invoices.retrieve_invoice),
    Operation("POST", "/v1/invoices/{id}/finalize", p.FinalizeInvoice, invoices.finalize_invoice),
    Operation("POST", "/v1/invoices/{id}/pay", p.PayInvoice, invoices.pay_invoice),
    Operation("POST", "/v1/invoices/{id}/void", p.Params, invoices.void_invoice),
    Operation("POST", "/v1/invoices/{id}/mark_uncollectible", p.Params, invoices.give_up_invoice),
)

_TIME = (
    Operation("GET", "/v1/events", p.ListEvents, events.list_events),
    Operation("GET", "/v1/events/{id}", p.Params, events.retrieve_event),
    Operation("GET", "/v1/test_helpers/test_clocks", p.Paged, clocks.list_clocks),
    Operation("POST", "/v1/test_helpers/test_clocks", p.CreateClock, clocks.create_clock),
    Operation("GET", "/v1/test_helpers/test_clocks/{id}", p.Params, clocks.retrieve_clock),
    Operation("POST", "/v1/test_helpers/test_clocks/{id}/advance", p.AdvanceClock, clocks.advance_clock),
    Operation("DELETE", "/v1/test_helpers/test_clocks/{id}", p.Bare, clocks.delete_clock),
)

OPERATIONS = (*_CATALOGUE, *_CUSTOMERS, *_SUBSCRIPTIONS, *_TIME)
"""Everything that the simulator understands."""
