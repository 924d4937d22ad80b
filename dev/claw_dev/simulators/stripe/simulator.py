"""The simulator as a whole, ready to be served."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from aiohttp import web

from claw_dev.simulators.faults import FaultQueue
from claw_dev.simulators.injection import fault_routes, injecting
from claw_dev.simulators.serving import alive, serving, wall_clock
from claw_dev.simulators.stripe import catalogue, versions
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.api import api_routes
from claw_dev.simulators.stripe.control import control_routes
from claw_dev.simulators.stripe.delivery import RETRY_DELAYS, Deliverer, Endpoint, Message, delivering
from claw_dev.simulators.stripe.payment_page import payment_routes
from claw_dev.simulators.stripe.portal_page import portal_routes
from claw_dev.simulators.stripe.protocol import authenticating, fault_as_error, identifying, versioning
from claw_dev.simulators.stripe.records import Event
from claw_dev.simulators.stripe.rendering import render


@dataclass(frozen=True)
class StripeSimulator:
    """A Stripe that is being served."""

    url: str
    """What `STRIPE_API_URL` and `base_addresses={"api": ...}` are set to."""
    account: Account
    deliverer: Deliverer
    faults: FaultQueue


@asynccontextmanager
async def simulated_stripe(
    *,
    port: int = 0,
    secret_key: str | None = None,
    endpoint: Endpoint | None = None,
    api_version: str = versions.CURRENT,
    clock: Callable[[], datetime] = wall_clock,
    random: Random | None = None,
    events_kept_days: int = 30,
    retry_delays: Sequence[float] = RETRY_DELAYS,
) -> AsyncIterator[StripeSimulator]:
    """Serve a fresh account with the seeded catalogue on the loopback address.

    Without a `secret_key` every key that begins with `sk_` is accepted. `api_version` is the one that events are told
    in, and that requests have which name none. Port 0 takes a free one.
    """
    random = random or Random()  # noqa: S311 - ids of a simulator, repeatable on purpose
    account = Account(clock=clock, random=random, api_version=api_version, events_kept_days=events_kept_days)
    catalogue.seed(account)
    faults = FaultQueue()
    async with delivering(
        endpoint or Endpoint(), clock=clock, random=_apart(random), retry_delays=retry_delays
    ) as deliverer:
        account.on_event = _delivering(account, deliverer)
        app = web.Application(
            middlewares=[
                identifying(_apart(random)),
                injecting(faults, fault_as_error),
                authenticating(secret_key),
                versioning(api_version),
            ]
        )
        app.router.add_get("/healthz", alive)
        app.router.add_routes(
            [
                *api_routes(account),
                *payment_routes(account),
                *portal_routes(account),
                *control_routes(account, deliverer),
                *fault_routes(faults),
            ]
        )
        async with serving(app, port=port) as url:
            account.base_url = url
            yield StripeSimulator(url, account, deliverer, faults)


def _apart(random: Random) -> Random:
    """A source of its own: how often somebody asks must not change which ids objects get."""
    return Random(random.getrandbits(64))  # noqa: S311 - ids and pauses of a simulator, repeatable on purpose


def _delivering(account: Account, deliverer: Deliverer) -> Callable[[Event], None]:
    """Hands each event to the deliverer, and notes on it whether somebody still waits for it."""

    def deliver(event: Event) -> None:
        if not deliverer.endpoint.wants(event.type):
            return
        pending = account.change(event, pending_webhooks=1)

        def delivered() -> None:
            account.put(replace(pending, pending_webhooks=0))

        deliverer.schedule(Message.of(render(pending, account, pending.api_version)), delivered=delivered)

    return deliver
