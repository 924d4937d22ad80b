"""Usage of instances with a metered plan reaches Stripe once, whatever goes wrong on the way."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from prometheus_client import CollectorRegistry

from claw_crds import naming
from claw_dev.simulators.faults import Fault, FaultKind
from claw_webhook.metered.metering import Metering
from claw_webhook.metrics import Metrics
from claw_webhook.services import open_services
from claw_webhook.settings import Settings
from claw_webhook.stripe_books import StripeBooks
from tests.integration.webhook.conftest import World

_METER_EVENTS = "/v1/billing/meter_events"


@dataclass
class Metered:
    """A customer whose plan has a meter, and the metering of it with a clock that can be moved."""

    world: World
    client: stripe.StripeClient
    subscription: str
    event_name: str
    metering: Metering
    clock: list[datetime]

    @property
    def instance(self) -> str:
        return naming.instance_name(self.subscription)

    @property
    def month(self) -> datetime:
        return self.clock[0].replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    async def use(self, messages: int, *, month: datetime | None = None) -> None:
        """The instance tells its usage, and the following has written it down."""
        usage = {"periodStart": (month or self.month).isoformat(), "messagesUsed": messages}
        await self.world.rows("UPDATE instances SET usage = %s RETURNING name", json.dumps(usage))

    def pass_time(self, **time: float) -> None:
        self.clock[0] += timedelta(**time)

    async def tick(self) -> None:
        """What is done every minute."""
        await self.metering.read_counters()
        while await self.metering.send_due():
            pass

    async def make_meter(self) -> None:
        """Somebody creates the meter in Stripe."""
        await self.client.v1.billing.meters.create_async(
            {
                "display_name": "Messages",
                "event_name": self.event_name,
                "default_aggregation": {"formula": "sum"},
            }
        )

    async def billed(self) -> float:
        """What Stripe has counted for the customer."""
        meters = await self.client.v1.billing.meters.list_async()
        [meter] = [meter for meter in meters.data if meter.event_name == self.event_name]
        summaries = await self.client.v1.billing.meters.event_summaries.list_async(
            meter.id,
            {
                "customer": self.world.customer_of(self.subscription).id,
                "start_time": int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()),
                "end_time": int(datetime(2036, 1, 1, tzinfo=UTC).timestamp()),
            },
        )
        return sum(summary.aggregated_value for summary in summaries.data)

    async def stretches(self) -> list[tuple[int, int, str]]:
        rows = await self.world.rows("SELECT from_value, to_value, state FROM meter_events ORDER BY created_at")
        return [(row["from_value"], row["to_value"], row["state"]) for row in rows]


@pytest.fixture
async def metered(world: World) -> AsyncIterator[Metered]:
    """A customer of a metered plan, whose instance is made. The meter in Stripe is not."""
    settings = Settings.model_validate({name.lower(): value for name, value in world.environment.items()})
    async with open_services(settings, metrics=Metrics()) as services:
        client = services.stripe.client
        product = await client.v1.products.create_async({"name": "Metered"})
        price = await client.v1.prices.create_async(
            {"currency": "usd", "unit_amount": 7900, "recurring": {"interval": "month"}, "product": product.id}
        )
        plan, event_name = f"metered-{secrets.token_hex(4)}", f"claw_{secrets.token_hex(4)}"
        await world.cluster.sell(plan, price.id, meter={"eventName": event_name})
        async with world.running():
            subscription = await world.buy(price=price.id)
            await world.instance_of(subscription)
            await world.settled()
        # It begins in the past: Stripe takes nothing from the future.
        clock = [datetime.now(UTC) - timedelta(hours=5)]
        metering = Metering(
            services.pool,
            books=StripeBooks(client),
            instances=services.instances,
            registry=CollectorRegistry(),
            clock=lambda: clock[0],
            random=lambda: 0.5,
        )
        yield Metered(world, client, subscription, event_name, metering, clock)
        await world.cluster.withdraw(plan)


async def test_usage_is_gathered_for_minutes_and_then_told_once(metered: Metered) -> None:
    await metered.make_meter()
    await metered.use(3)
    await metered.tick()
    await metered.use(7)
    await metered.tick()
    assert await metered.billed() == 0
    metered.pass_time(minutes=5)
    await metered.tick()
    await metered.tick()
    assert await metered.billed() == 7
    assert await metered.stretches() == [(0, 7, "sent")]

    await metered.use(12)
    await metered.tick()
    metered.pass_time(minutes=5)
    await metered.tick()
    assert await metered.billed() == 12
    assert await metered.stretches() == [(0, 7, "sent"), (7, 12, "sent")]


async def test_the_identifier_says_whose_usage_of_which_month_up_to_where(metered: Metered) -> None:
    await metered.make_meter()
    await metered.use(7)
    await metered.tick()
    metered.pass_time(minutes=5)
    await metered.tick()
    [row] = await metered.world.rows("SELECT identifier, customer FROM meter_events")
    uid = (await metered.world.cluster.instance(metered.instance))["metadata"]["uid"]
    assert row["identifier"] == f"{uid}:{metered.month:%Y-%m-%dT%H:%M:%SZ}:7"
    assert row["customer"] == metered.world.customer_of(metered.subscription).id


async def test_a_lost_answer_bills_nothing_twice(metered: Metered) -> None:
    await metered.make_meter()
    await metered.use(7)
    await metered.tick()
    metered.pass_time(minutes=5)
    # The client itself asks three times before it gives up.
    await metered.world.controls.inject(Fault(kind=FaultKind.LOST_ANSWER, path=_METER_EVENTS, times=3))
    await metered.tick()
    assert await metered.stretches() == [(0, 7, "pending")]

    await metered.use(9)
    metered.pass_time(minutes=5)
    await metered.tick()
    metered.pass_time(minutes=5)
    await metered.tick()
    assert await metered.billed() == 9
    assert await metered.stretches() == [(0, 7, "sent"), (7, 9, "sent")]


async def test_without_a_meter_usage_waits_and_is_told_about_once(
    metered: Metered, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "claw_webhook.metered.metering")
    await metered.use(7)
    await metered.tick()
    for _ in range(3):
        metered.pass_time(hours=1)
        await metered.tick()
    assert await metered.stretches() == [(0, 7, "pending")]
    assert caplog.text.count("is not taken, and sent again later: No active meter") == 1

    await metered.make_meter()
    metered.pass_time(hours=1)
    await metered.tick()
    assert await metered.billed() == 7
    assert f"usage for meter {metered.event_name} is taken again" in caplog.text


async def test_what_is_older_than_stripe_takes_is_given_up_and_told(
    metered: Metered, caplog: pytest.LogCaptureFixture
) -> None:
    await metered.use(7)
    await metered.tick()
    metered.pass_time(minutes=5)
    await metered.tick()
    metered.pass_time(days=35)
    await metered.tick()
    assert await metered.stretches() == [(0, 7, "dead")]
    assert f"7 of {metered.event_name} of instance {metered.instance} are not billed" in caplog.text
    [row] = await metered.world.rows("SELECT reason FROM meter_events")
    assert "No active meter" in row["reason"]


async def test_a_new_month_begins_at_zero_and_the_old_one_is_not_forgotten(metered: Metered) -> None:
    await metered.make_meter()
    await metered.use(40)
    await metered.tick()
    await metered.use(3, month=metered.month + timedelta(days=31))
    await metered.tick()
    metered.pass_time(minutes=5)
    await metered.tick()
    assert await metered.billed() == 43
    assert sorted(await metered.stretches()) == [(0, 3, "sent"), (0, 40, "sent")]


async def test_a_counter_that_goes_backwards_bills_nothing_and_is_told_once(
    metered: Metered, caplog: pytest.LogCaptureFixture
) -> None:
    await metered.make_meter()
    for used in (7, 2, 3, 9):
        await metered.use(used)
        await metered.tick()
        metered.pass_time(minutes=5)
        await metered.tick()
    assert await metered.billed() == 9
    assert caplog.text.count("went back from 7 to 2") == 1


async def test_two_replicas_tell_everything_once(metered: Metered) -> None:
    await metered.make_meter()
    await metered.use(7)
    await metered.tick()
    metered.pass_time(minutes=5)
    await asyncio.gather(*(metered.tick() for _ in range(4)))
    assert await metered.billed() == 7


async def test_the_usage_of_the_clusters_status_is_what_is_billed(metered: Metered) -> None:
    await metered.make_meter()
    world = metered.world
    async with world.running():
        usage = {"periodStart": metered.month.strftime("%Y-%m-%dT%H:%M:%SZ"), "messagesUsed": 11}
        await world.cluster.set_ready(metered.instance, True, url="http://127.0.0.1:4242", usage=usage)
        await world.eventually_row("SELECT 1 AS found FROM instances WHERE usage IS NOT NULL")
    await metered.tick()
    metered.pass_time(minutes=5)
    await metered.tick()
    assert await metered.billed() == 11
