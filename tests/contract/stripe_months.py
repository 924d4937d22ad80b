"""A simulator whose own clock stands still until somebody advances it, and what tests of time ask of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.orders import CompleteCheckout
from claw_dev.simulators.stripe.simulator import simulated_stripe
from tests.contract.stripe_world import KEY, client_of

HOUR, DAY = 3600, 24 * 3600


def noon(year: int, month: int, day: int) -> int:
    """That moment, in seconds since 1970."""
    return int(datetime(year, month, day, 12, tzinfo=UTC).timestamp())


@dataclass(frozen=True)
class World:
    """A Stripe, and its time. Its client is Stripe's, of whose types the tests want to know nothing."""

    url: str
    v1: Any
    controls: StripeControls

    async def buy(self, **order: Any) -> str:
        """Somebody subscribes, to pro unless the order says otherwise. Returns the subscription's id."""
        wanted: dict[str, Any] = {"email": "ada@example.com", "price": "claw_pro_monthly", **order}
        paid = await self.controls.complete_checkout(CompleteCheckout(**wanted))
        return str(paid["subscription"]["id"])

    async def subscription(self, subscription: str) -> Any:
        """As it is now, with its latest invoice."""
        return await self.v1.subscriptions.retrieve_async(subscription, {"expand": ["latest_invoice"]})

    async def item(self, subscription: str) -> Any:
        """Its first item."""
        return (await self.subscription(subscription))["items"].data[0]

    async def customer(self, subscription: str) -> Any:
        """Who pays for it."""
        return await self.v1.customers.retrieve_async((await self.subscription(subscription)).customer)

    async def invoices(self, subscription: str) -> list[Any]:
        """All of them, the oldest first."""
        return list(reversed((await self.v1.invoices.list_async({"subscription": subscription})).data))

    async def amounts(self, subscription: str) -> list[list[int]]:
        """What the lines of each invoice come to, the oldest first."""
        return [[line.amount for line in one.lines.data] for one in await self.invoices(subscription)]

    async def story(self, *, since: int) -> list[str]:
        """The types of all events after a moment, in the order in which they happened."""
        found = await self.v1.events.list_async({"created": {"gt": since}, "limit": 100})
        return [event.type for event in reversed(found.data)]


@asynccontextmanager
async def beginning(clock: Callable[[], int]) -> AsyncIterator[World]:
    """A world by this clock, in seconds since 1970."""
    async with (
        simulated_stripe(
            secret_key=KEY, random=Random(7), clock=lambda: datetime.fromtimestamp(clock(), UTC)
        ) as simulator,
        client_of(simulator) as client,
        StripeControls(simulator.url) as controls,
    ):
        yield World(simulator.url, client.v1, controls)
