"""`/_sim/`: what customers, time and the outside world do, for demos and tests. JSON in, JSON out.

    POST /_sim/checkouts                         a customer pays
    POST /_sim/subscriptions/{id}/price          changes the plan
    POST /_sim/subscriptions/{id}/status         does not pay, pays after all, pauses
    POST /_sim/subscriptions/{id}/cancellation   leaves, at once or with the end of the period
    POST /_sim/subscriptions/{id}/period-end     their period is over
    POST /_sim/subscriptions/{id}/card           another card
    POST /_sim/subscriptions/{id}/payment        what is open is paid
    POST /_sim/advance                           time passes for everybody
    PUT  /_sim/rules                             what follows failed payments
    GET  /_sim/meter-events                      what was reported of usage
    POST /_sim/deliveries                        something arrives at the webhook, perhaps not as it should
    GET  /_sim/deliveries                        what was delivered, and what was answered
    PUT  /_sim/endpoint                          where events go, and with which secrets they are signed

The documents are in orders.py, and controls.py is a client of it all.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from claw_dev.simulators.injection import CONTROL_PREFIX
from claw_dev.simulators.stripe import checkout, customers, lifecycle, orders, portal, renewal, repricing, standing
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.advancing import steps
from claw_dev.simulators.stripe.clocks import time_of
from claw_dev.simulators.stripe.delivery import Attempt, Deliverer, Endpoint, Message
from claw_dev.simulators.stripe.errors import StripeProblem, invalid
from claw_dev.simulators.stripe.params import CreateSession, DiscountGiven, LineItem, SubscriptionData
from claw_dev.simulators.stripe.protocol import dump, respond
from claw_dev.simulators.stripe.records import (
    Cancellation,
    Card,
    CheckoutSession,
    CustomerDetails,
    Event,
    MeterEvent,
    Price,
    Subscription,
)
from claw_dev.simulators.stripe.rendering import render
from claw_dev.simulators.stripe.rendering.shapes import Json

_STEPS_AT_ONCE = 50

OrderT = TypeVar("OrderT", bound=orders.Order)


def control_routes(account: Account, deliverer: Deliverer) -> list[web.RouteDef]:
    """All control endpoints but those for faults."""

    def on_subscription(model: type[OrderT], act: Callable[[Subscription, OrderT], Subscription]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            order = await _order(request, model)
            subscription = account.get(Subscription, request.match_info["id"])
            with account.at(time_of(account, [subscription.id])):
                changed = act(subscription, order)
            return _answer(render(changed, account, account.api_version))

        return _saying_problems(handle)

    async def complete(request: web.Request) -> web.Response:
        return _answer(_complete(account, await _order(request, orders.CompleteCheckout)))

    async def deliver(request: web.Request) -> web.Response:
        message = _message(account, await _order(request, orders.Deliver))
        return _answer(_shown(await deliverer.send(message)))

    async def deliveries(_: web.Request) -> web.Response:
        return _answer({"deliveries": [_shown(attempt) for attempt in deliverer.attempts()]})

    async def set_endpoint(request: web.Request) -> web.Response:
        order = await _order(request, orders.SetEndpoint)
        deliverer.endpoint = Endpoint(**order.model_dump(exclude={"api_version"}))
        account.api_version = order.api_version or account.api_version
        return _answer({"url": order.url, "secrets": len(order.secrets)})

    passing = asyncio.Lock()

    async def advance(request: web.Request) -> web.Response:
        order = await _order(request, orders.Advance)
        until = (account.own_time() if order.to is None else order.to) + order.seconds
        async with passing:
            for number, _ in enumerate(steps(account, until), start=1):
                if number % _STEPS_AT_ONCE == 0:
                    # Two years of five hundred customers take seconds, and others want to be served meanwhile.
                    await asyncio.sleep(0)
        return _answer({"now": account.own_time()})

    async def set_rules(request: web.Request) -> web.Response:
        order = await _order(request, orders.SetRules)
        account.rules = replace(account.rules, **order.model_dump(exclude_none=True))
        return _answer(asdict(account.rules))

    async def meter_events(_: web.Request) -> web.Response:
        found = reversed(account.all(MeterEvent))
        return _answer({"events": [render(event, account, account.api_version) for event in found]})

    subscription = CONTROL_PREFIX + "subscriptions/{id}/"
    return [
        web.post(CONTROL_PREFIX + "checkouts", _saying_problems(complete)),
        web.post(subscription + "price", on_subscription(orders.ChangePrice, lambda s, o: _reprice(account, s, o))),
        web.post(
            subscription + "status",
            on_subscription(orders.SetStatus, lambda s, o: lifecycle.move_to(account, s, o.status)),
        ),
        web.post(subscription + "cancellation", on_subscription(orders.Cancel, lambda s, o: _cancel(account, s, o))),
        web.post(
            subscription + "period-end", on_subscription(orders.Order, lambda s, _: renewal.finish_period(account, s))
        ),
        web.post(subscription + "card", on_subscription(orders.SetCard, lambda s, o: _change_card(account, s, o))),
        web.post(subscription + "payment", on_subscription(orders.Order, lambda s, _: _pay(account, s))),
        web.post(CONTROL_PREFIX + "advance", _saying_problems(advance)),
        web.put(CONTROL_PREFIX + "rules", _saying_problems(set_rules)),
        web.get(CONTROL_PREFIX + "meter-events", meter_events),
        web.post(CONTROL_PREFIX + "deliveries", _saying_problems(deliver)),
        web.get(CONTROL_PREFIX + "deliveries", deliveries),
        web.put(CONTROL_PREFIX + "endpoint", _saying_problems(set_endpoint)),
    ]


async def _order(request: web.Request, model: type[OrderT]) -> OrderT:
    try:
        return model.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        raise invalid(f"The order is wrong: {error}") from None


def _saying_problems(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except StripeProblem as problem:
            return respond(problem.status, dump({"error": problem.message}))

    return handle


def _answer(document: Json) -> web.Response:
    return respond(200, dump(document))


def _shown(attempt: Attempt) -> Json:
    return asdict(attempt) | {"at": attempt.at.isoformat()}


def _complete(account: Account, order: orders.CompleteCheckout) -> Json:
    with account.at(time_of(account, filter(None, (order.session, order.customer, order.test_clock)))):
        session = account.get(CheckoutSession, order.session) if order.session else _new_session(account, order)
        details = CustomerDetails(
            email=order.email, name=order.name, phone=order.phone, business_name=order.business_name
        )
        bought = checkout.complete(account, session, details, locale=order.locale, card=order.card)
        made = {"session": bought.session, "customer": bought.customer, "subscription": bought.subscription}
        return {name: render(record, account, account.api_version) for name, record in made.items()}


def _new_session(account: Account, order: orders.CompleteCheckout) -> CheckoutSession:
    if order.price is None:
        raise invalid("Name either an open session or a price to buy.")
    data = SubscriptionData(trial_period_days=order.trial_days or None)
    params = CreateSession(
        mode="subscription",
        line_items=[LineItem(price=_price(account, order.price).id, quantity=order.quantity)],
        success_url="https://example.com/welcome?session_id={CHECKOUT_SESSION_ID}",
        customer=order.customer or _customer_on(account, order),
        discounts=[DiscountGiven(coupon=order.coupon)] if order.coupon else [],
        subscription_data=data,
        payment_method_collection="if_required" if order.card is Card.NONE else "always",
    )
    session = checkout.create_session(account, params)
    return account.change(
        session,
        metadata=order.metadata,
        subscription_metadata=order.metadata,
        without_payment_method=order.without_payment_method,
    )


def _customer_on(account: Account, order: orders.CompleteCheckout) -> str | None:
    """A new customer on a test clock, which no customer of a session could be otherwise."""
    if order.test_clock is None:
        return None
    locales = (order.locale,) if order.locale else ()
    return customers.register(
        account, email=order.email, name=order.name, preferred_locales=locales, test_clock=order.test_clock
    ).id


def _price(account: Account, name: str) -> Price:
    by_lookup_key = next((price for price in account.all(Price) if price.lookup_key == name), None)
    return by_lookup_key or account.get(Price, name, "price")


def _reprice(account: Account, subscription: Subscription, order: orders.ChangePrice) -> Subscription:
    first, *others = subscription.items
    changed = replace(first, price=_price(account, order.price).id)
    return repricing.reprice(account, subscription, (changed, *others), behavior=order.proration_behavior)


def _change_card(account: Account, subscription: Subscription, order: orders.SetCard) -> Subscription:
    customers.change_card(account, subscription.customer, order.card)
    return account.get(Subscription, subscription.id)


def _pay(account: Account, subscription: Subscription) -> Subscription:
    portal.pay(account, subscription)
    return account.get(Subscription, subscription.id)


def _cancel(account: Account, subscription: Subscription, order: orders.Cancel) -> Subscription:
    if subscription.status.is_final:
        raise invalid(f"The subscription has ended already: {subscription.id}.")
    if order.at_period_end:
        return lifecycle.end_with_period(account, subscription, wanted=True)
    return standing.end(account, subscription, cancellation=Cancellation(reason=order.reason))


def _message(account: Account, order: orders.Deliver) -> Message:
    if sum(what is not None for what in (order.event, order.type, order.body)) != 1:
        raise invalid("Say with exactly one of event, type and body what to deliver.")
    if order.body is not None:
        message = Message(order.body.encode())
    else:
        event = account.get(Event, order.event) if order.event else _made_up(account, order.type or "")
        message = Message.of(render(event, account, event.api_version))
    return replace(message, body=message.body + b" " * order.padding, signing=order.signing, age=order.age)


def _made_up(account: Account, kind: str) -> Event:
    """An event of which nothing else in the account knows."""
    thing: dict[str, Any] = {"id": account.new_id("prod"), "object": kind.rpartition(".")[0] or kind}
    return account.new(Event, type=kind, snapshot=thing, api_version=account.api_version)
