"""The bounds of the streams that tell how far an order has come."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from claw_dev.simulators.serving import serving
from claw_dev.simulators.stripe.records import CheckoutSession
from claw_webhook.front.orders import Orders
from claw_webhook.front.pages import Pages
from claw_webhook.front.progress import Welcome
from claw_webhook.front.stripe_shop import StripeShop
from claw_webhook.front.visitors import Throttle
from claw_webhook.metrics import Metrics
from claw_webhook.services import Services, open_services
from claw_webhook.settings import Settings
from tests.eventually import eventually
from tests.integration.webhook.conftest import ADA, World

Watch = Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]]


@pytest.fixture
async def services(world: World) -> AsyncIterator[Services]:
    """What the service works with, without its workers: an order that was paid stays where it is."""
    settings = Settings.model_validate({name.lower(): value for name, value in world.environment.items()})
    async with open_services(settings, metrics=Metrics()) as opened:
        yield opened


@asynccontextmanager
async def watched(world: World, services: Services, **bounds: float) -> AsyncIterator[Watch]:
    """A paid order; what it gives opens a stream about it, or about the session that is named."""
    orders = Orders(
        StripeShop(services.stripe.client, public_url="https://claw.example"),
        pool=services.pool,
        instances=services.instances,
        customers=services.customers,
        looks=services.looks,
        asking=Throttle(burst=3, per_second=0.001),
    )
    welcome = Welcome(orders, links=services.links, pages=Pages(contact="hello@claw.example"), **bounds)  # type: ignore[arg-type]  # some are whole numbers
    await world.buy(ADA)
    paid = world.stripe.account.all(CheckoutSession)[0].id
    app = web.Application()
    app.router.add_get("/welcome/progress", welcome.events)
    async with serving(app) as url:
        yield lambda session=paid: world.client.get(f"{url}/welcome/progress", params={"session_id": session})


async def test_who_waits_too_long_is_told_to_wait_for_the_mail(world: World, services: Services) -> None:
    async with watched(world, services, patience_seconds=0.5) as watch, watch() as stream:
        text = (await stream.read()).decode()
        assert text.startswith("retry: 2000\n\nevent: progress\n")
        assert text.rstrip().split("\n\n")[-1].startswith("event: late\n")


async def test_a_silent_stream_gives_signs_of_life(world: World, services: Services) -> None:
    async with watched(world, services, heartbeat_seconds=0.5, patience_seconds=60) as watch, watch() as stream:
        assert await stream.content.readuntil(b": still here\n\n")


async def test_so_many_may_watch_and_who_leaves_makes_room(world: World, services: Services) -> None:
    async with watched(world, services, most_streams=1) as watch:
        async with watch() as first:
            await first.content.readuntil(b"event: progress")
            async with watch() as second:
                assert (second.status, "Retry-After" in second.headers) == (503, True)

        async def has_room() -> bool:
            async with watch() as third:
                return third.status == 200

        await eventually(has_room)


async def test_who_watches_again_and_again_makes_us_ask_stripe_once(world: World, services: Services) -> None:
    async with watched(world, services, patience_seconds=0) as watch:
        for _ in range(5):
            async with watch() as stream:
                assert stream.status == 200


async def test_who_tries_ids_is_stopped(world: World, services: Services) -> None:
    async with watched(world, services) as watch:
        answers = []
        for number in range(5):
            async with watch(f"cs_{number}") as stream:
                answers.append(stream.status)
        assert answers == [404] * 3 + [429] * 2
