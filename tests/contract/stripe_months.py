"""A simulator whose own clock stands still until somebody advances it, and what tests ask of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.orders import CompleteCheckout
from claw_dev.simulators.stripe.simulator import simulated_stripe
from tests.contract.stripe_world import KEY, client_of

DAY = 24 * 3600
BEGIN = int(datetime(2026, 4, 1, 12, tzinfo=UTC).timestamp())
HALF = BEGIN + 15 * DAY
MAY = BEGIN + 30 * DAY


@dataclass(frozen=True)
class World:
    """A simulator whose own clock stands still until somebody advances it."""

    url: str
    v1: Any
    controls: StripeControls

    async def buy(self, **order: Any) -> Any:
        """Somebody subscribes to pro."""
        wanted: dict[str, Any] = {"email": "ada@example.com", "price": "claw_pro_monthly", **order}
        paid = await self.controls.complete_checkout(CompleteCheckout(**wanted))
        return await self.v1.subscriptions.retrieve_async(paid["subscription"]["id"])

    async def amounts(self, subscription: Any) -> list[list[int]]:
        """What the lines of each invoice come to, the oldest first."""
        invoices = (await self.v1.invoices.list_async({"subscription": subscription.id})).data
        return [[line.amount for line in invoice.lines.data] for invoice in reversed(invoices)]


@asynccontextmanager
async def april() -> AsyncIterator[World]:
    """The world on the first of April."""

    def noon() -> datetime:
        return datetime.fromtimestamp(BEGIN, UTC)

    async with (
        simulated_stripe(secret_key=KEY, random=Random(7), clock=noon) as simulator,
        client_of(simulator) as client,
        StripeControls(simulator.url) as controls,
    ):
        yield World(simulator.url, client.v1, controls)
