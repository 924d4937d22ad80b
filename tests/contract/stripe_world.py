"""A simulated Stripe, the official client for it, and a webhook endpoint that keeps what it gets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import stripe
from aiohttp import web

from claw_dev.simulators.serving import serving
from claw_dev.simulators.stripe.orders import CompleteCheckout
from claw_dev.simulators.stripe.simulator import StripeSimulator

SECRET = "whsec_current"
KEY = "sk_test_simulator"

ADA = CompleteCheckout(
    email="ada@example.com",
    name="Ada Lovelace",
    price="claw_pro_monthly",
    locale="en-GB",
    metadata={"timezone": "Europe/London"},
)


@asynccontextmanager
async def client_of(
    simulator: StripeSimulator, *, key: str = KEY, version: str | None = None
) -> AsyncIterator[stripe.StripeClient]:
    """The official client. It does not repeat anything by itself: the tests want to see each answer."""
    http = stripe.HTTPXClient()
    try:
        yield stripe.StripeClient(
            key,
            base_addresses={"api": simulator.url},
            http_client=http,
            max_network_retries=0,
            stripe_version=version,
        )
    finally:
        await http.close_async()


@dataclass(frozen=True)
class Received:
    """One delivery, as it came."""

    body: bytes
    signature: str | None

    def verified(self, secret: str = SECRET) -> stripe.Event:
        """The event, if Stripe's own library accepts it."""
        return stripe.Webhook.construct_event(self.body, self.signature, secret)


@dataclass
class Endpoint:
    """A webhook endpoint. Answers with the statuses in `answers`, one each, and then with 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    def types(self) -> list[str]:
        """Types of all events that came."""
        return [delivery.verified().type for delivery in self.received]

    async def handle(self, request: web.Request) -> web.Response:
        self.received.append(Received(await request.read(), request.headers.get("Stripe-Signature")))
        return web.Response(status=self.answers.pop(0) if self.answers else 200, text="noted")


@asynccontextmanager
async def listening_endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint on a free port."""
    endpoint = Endpoint()
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/webhooks/stripe", endpoint.handle)
    async with serving(app) as url:
        endpoint.url = f"{url}/webhooks/stripe"
        yield endpoint
