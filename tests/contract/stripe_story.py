"""A visit to every corner of the simulator, with Stripe's own client, and a record of everything that was answered."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import stripe

from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.operations import OPERATIONS, Operation
from claw_dev.simulators.stripe.orders import CompleteCheckout
from claw_dev.simulators.stripe.records import Card
from claw_dev.simulators.stripe.simulator import StripeSimulator

EXPANDED = {
    "/v1/products": ["data.default_price"],
    "/v1/prices": ["data.product"],
    "/v1/prices/{id}": ["product"],
    "/v1/customers/{id}": ["subscriptions", "test_clock"],
    "/v1/checkout/sessions": ["data.customer", "data.subscription"],
    "/v1/checkout/sessions/{id}": ["customer", "invoice", "line_items", "subscription.latest_invoice"],
    "/v1/checkout/sessions/{id}/line_items": ["data.price.product"],
    "/v1/subscriptions": ["data.customer", "data.latest_invoice", "data.discounts", "data.schedule"],
    "/v1/subscriptions/{id}": ["customer", "latest_invoice.discounts", "discounts.source.coupon", "schedule"],
    "/v1/invoices": ["data.customer", "data.discounts"],
    "/v1/invoices/{id}": ["customer", "parent.subscription_details.subscription"],
    "/v1/subscription_schedules": ["data.customer", "data.subscription"],
    "/v1/subscription_schedules/{id}": ["customer", "subscription", "phases.items.price"],
}
"""What is asked for in whole, of each list and each object that is read."""

_DAY = 24 * 3600


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    operation: Operation
    url: str
    status: int
    answer: Any


@dataclass
class Recorder:
    """Keeps what was asked and answered."""

    exchanges: list[Exchange] = field(default_factory=list)

    def keep(self, method: str, url: str, status: int, content: bytes) -> None:
        """Note an exchange."""
        path = urlsplit(url).path
        known = sorted(OPERATIONS, key=lambda operation: operation.path.count("{"))
        of_path = (one for one in known if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), path))
        operation = next(one for one in of_path if one.method == method.upper())
        self.exchanges.append(Exchange(operation, url, status, json.loads(content)))


class _Listening(stripe.HTTPXClient):
    """The library's own way to the network, with somebody who listens."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    async def request_async(self, method: str, url: str, headers: Any, post_data: Any = None, **rest: Any) -> Any:
        answer = await super().request_async(method, url, headers, post_data, **rest)
        content, status, _ = answer
        self._recorder.keep(method, url, status, content)
        return answer


@asynccontextmanager
async def recording(simulator: StripeSimulator, key: str, recorder: Recorder) -> AsyncIterator[Any]:
    """The `v1` of a client whose exchanges are recorded."""
    http = _Listening(recorder)
    try:
        yield stripe.StripeClient(
            key, base_addresses={"api": simulator.url}, http_client=http, max_network_retries=0
        ).v1
    finally:
        await http.close_async()  # type: ignore[no-untyped-call]  # the library has no type for it


async def tell_story(v1: Any, controls: StripeControls) -> None:
    """Do everything that can be done, so that objects of every kind and in many states are shown."""
    coupon = await _fill_the_shop(v1)
    ada = await _buy(v1, controls, coupon)
    await _change_minds(v1, ada)
    await _fall_behind(v1, controls)
    await _use_up(v1, ada)
    await _stop_the_clock(v1)
    await _say_goodbye(v1, controls, ada)


async def _fill_the_shop(v1: Any) -> str:
    product = await v1.products.create_async({"name": "Claw Extra", "id": "prod_extra", "metadata": {"plan": "extra"}})
    recurring = {"interval": "year"}
    price = await v1.prices.create_async(
        {"currency": "usd", "unit_amount": 99000, "product": product.id, "recurring": recurring, "lookup_key": "extra"}
    )
    await v1.prices.update_async(price.id, {"nickname": "yearly", "active": False})
    await v1.products.update_async(product.id, {"default_price": price.id, "description": "More of it"})
    coupon = await v1.coupons.create_async({"percent_off": 25, "duration": "repeating", "duration_in_months": 3})
    await v1.coupons.retrieve_async(coupon.id)
    gone = await v1.coupons.create_async({"amount_off": 500, "currency": "usd", "name": "Five off"})
    await v1.coupons.delete_async(gone.id)
    await v1.coupons.list_async()
    return str(coupon.id)


async def _buy(v1: Any, controls: StripeControls, coupon: str) -> Any:
    """Ada's subscription, bought with a coupon in a session that we opened."""
    session = {
        "mode": "subscription",
        "success_url": "https://claw.example/welcome",
        "line_items": [{"price": "price_pro_monthly", "quantity": 1}],
    }
    opened = await v1.checkout.sessions.create_async(
        {**session, "discounts": [{"coupon": coupon}], "subscription_data": {"metadata": {"plan": "pro"}}}
    )
    await v1.checkout.sessions.retrieve_async(opened.id)
    await controls.complete_checkout(CompleteCheckout(session=opened.id, email="ada@example.com", locale="en-GB"))
    paid = await v1.checkout.sessions.retrieve_async(opened.id)
    await v1.checkout.sessions.line_items.list_async(opened.id)
    forgotten = await v1.checkout.sessions.create_async(session)
    await v1.checkout.sessions.expire_async(forgotten.id)
    return await v1.subscriptions.retrieve_async(paid.subscription)


async def _change_minds(v1: Any, subscription: Any) -> None:
    """Up at once, down with the next period, leaving and staying, in the portal and without it."""
    item = subscription["items"].data[0].id
    dearer = [{"id": item, "price": "price_team_monthly", "quantity": 1}]
    await v1.subscriptions.update_async(subscription.id, {"items": dearer, "proration_behavior": "always_invoice"})
    await v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    await v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": False})
    await v1.subscriptions.update_async(subscription.id, {"pause_collection": {"behavior": "void"}})
    await v1.subscriptions.update_async(subscription.id, {"pause_collection": ""})
    schedules = v1.subscription_schedules
    first = await schedules.create_async({"from_subscription": subscription.id})
    await schedules.release_async(first.id)
    schedule = await schedules.create_async({"from_subscription": subscription.id})
    running = {"start_date": schedule.phases[0].start_date, "end_date": schedule.phases[0].end_date}
    phases = [
        {**running, "items": [{"price": "price_team_monthly", "quantity": 1}]},
        {"items": [{"price": "price_starter_monthly", "quantity": 1}], "proration_behavior": "none"},
    ]
    await schedules.update_async(schedule.id, {"phases": phases, "end_behavior": "release"})
    offered = [{"product": "prod_claw_pro", "prices": ["price_pro_monthly"]}]
    conditions = {"conditions": [{"type": "decreasing_item_amount"}]}
    features = {
        "subscription_update": {
            "enabled": True,
            "default_allowed_updates": ["price"],
            "products": offered,
            "schedule_at_period_end": conditions,
        },
        "subscription_cancel": {"enabled": True},
    }
    configurations = v1.billing_portal.configurations
    configuration = await configurations.create_async({"features": features})
    await configurations.update_async(configuration.id, {"name": "Claw", "metadata": {"made_by": "claw"}})
    flow = {"type": "subscription_cancel", "subscription_cancel": {"subscription": subscription.id}}
    await v1.billing_portal.sessions.create_async(
        {"customer": subscription.customer, "return_url": "https://claw.example"}
    )
    await v1.billing_portal.sessions.create_async({"customer": subscription.customer, "flow_data": flow})


async def _fall_behind(v1: Any, controls: StripeControls) -> None:
    """Invoices that are open, paid late, given up, void; subscriptions that are incomplete and paused."""
    customer = await v1.customers.create_async(
        {"email": "eve@example.com", "payment_method": "pm_card_chargeCustomerFail"}
    )
    await v1.customers.update_async(customer.id, {"name": "Eve", "preferred_locales": ["de"]})
    wanted = {"customer": customer.id, "items": [{"price": "price_pro_monthly"}]}
    given_up, mistaken, late = [await v1.subscriptions.create_async(wanted) for _ in range(3)]
    await v1.invoices.mark_uncollectible_async(given_up.latest_invoice)
    await v1.invoices.void_invoice_async(mistaken.latest_invoice)
    await v1.invoices.pay_async(late.latest_invoice, {"payment_method": "pm_card_visa"})
    paused = await v1.subscriptions.create_async({**wanted, "trial_period_days": 5})
    await v1.subscriptions.pause_async(paused.id)
    await v1.subscriptions.resume_async(paused.id)
    sleeping = await v1.subscriptions.create_async({**wanted, "trial_period_days": 5})
    await v1.subscriptions.pause_async(sleeping.id)
    kept = {"behavior": "keep_as_draft"}
    await v1.subscriptions.update_async(late.id, {"pause_collection": kept})
    await controls.set_card(late.id, Card.NEEDS_ACTION)
    await controls.advance(seconds=40 * _DAY)
    draft = (await v1.invoices.list_async({"subscription": late.id, "status": "draft"})).data[0]
    await v1.invoices.finalize_invoice_async(draft.id)


async def _use_up(v1: Any, subscription: Any) -> None:
    meters = v1.billing.meters
    sums = {"formula": "sum"}
    meter = await meters.create_async({"display_name": "Tokens", "event_name": "tokens", "default_aggregation": sums})
    recurring = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    price = await v1.prices.create_async(
        {"currency": "usd", "unit_amount": 1, "product": "prod_extra", "recurring": recurring}
    )
    await v1.subscriptions.update_async(subscription.id, {"items": [{"price": price.id}]})
    payload = {"stripe_customer_id": subscription.customer, "value": "250"}
    await v1.billing.meter_events.create_async({"event_name": "tokens", "payload": payload, "identifier": "once"})
    span = {"start_time": 0, "end_time": 4_000_000_020}
    await meters.event_summaries.list_async(meter.id, {"customer": subscription.customer, **span})
    await meters.update_async(meter.id, {"display_name": "All tokens"})
    await meters.deactivate_async(meter.id)
    await meters.reactivate_async(meter.id)


async def _stop_the_clock(v1: Any) -> None:
    clocks = v1.test_helpers.test_clocks
    clock = await clocks.create_async({"frozen_time": 1_800_000_000, "name": "two weeks"})
    customer = await v1.customers.create_async({"test_clock": clock.id, "payment_method": "pm_card_visa"})
    wanted = {"customer": customer.id, "items": [{"price": "price_pro_monthly"}], "trial_period_days": 14}
    await v1.subscriptions.create_async(wanted)
    await clocks.advance_async(clock.id, {"frozen_time": 1_800_000_000 + 15 * _DAY})
    await clocks.retrieve_async(clock.id)
    await clocks.list_async()
    await clocks.delete_async(clock.id)
    kept = await clocks.create_async({"frozen_time": 1_800_000_000})
    await v1.customers.create_async({"test_clock": kept.id})


async def _say_goodbye(v1: Any, controls: StripeControls, ada: Any) -> None:
    for end in (v1.subscriptions.cancel_async, None):
        paid = await controls.complete_checkout(CompleteCheckout(email="bob@example.com", price="price_pro_monthly"))
        subscription = paid["subscription"]["id"]
        if end is not None:
            await end(subscription, {"cancellation_details": {"feedback": "too_expensive"}})
        else:
            schedule = await v1.subscription_schedules.create_async({"from_subscription": subscription})
            await v1.subscription_schedules.cancel_async(schedule.id)
        await v1.customers.delete_async(paid["customer"]["id"])
        await v1.customers.retrieve_async(paid["customer"]["id"])
    await v1.subscriptions.retrieve_async(ada.id)
