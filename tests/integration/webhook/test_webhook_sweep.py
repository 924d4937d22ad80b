"""What was missed is made good: events from Stripe's list, and subscriptions and instances compared both ways."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from claw_crds import naming
from claw_dev.simulators.faults import Fault, FaultKind
from claw_webhook.backoff import Backoff
from claw_webhook.metrics import Metrics
from claw_webhook.services import Services, open_services, utc_now
from claw_webhook.settings import Settings
from claw_webhook.stripe_api import StripeUnavailable
from claw_webhook.stripe_books import StripeBooks
from claw_webhook.sweeps.comparison import Kind
from claw_webhook.sweeps.sweep import Sweep, Swept
from claw_webhook.sweeps.sweeping import Sweeping, SweepMetrics
from tests.eventually import eventually
from tests.integration.webhook.conftest import World


@pytest.fixture
async def services(world: World) -> AsyncIterator[Services]:
    """What the service works with, without the service: nobody delivers, and nobody works anything off."""
    settings = Settings.model_validate({name.lower(): value for name, value in world.environment.items()})
    async with open_services(settings, metrics=Metrics()) as opened:
        yield opened


@pytest.fixture
def sweep(services: Services) -> Sweep:
    """A sweep that nothing else repeats."""
    return Sweep(
        services.pool,
        books=StripeBooks(services.stripe.client),
        stripe=services.stripe,
        instances=services.instances,
        customers=services.customers,
        inbox=services.inbox,
        looks=services.looks,
        clock=utc_now,
    )


async def swept(sweep: Sweep) -> Swept:
    result = await sweep.run()
    assert result is not None
    return result


async def looks(world: World) -> dict[str, str]:
    return {row["subject"]: row["why"] for row in await world.rows("SELECT subject, why FROM looks")}


def manifest(name: str, **annotations: str) -> dict[str, Any]:
    """A ClawInstance as a person would make one."""
    return {
        "apiVersion": "claw.dev/v1alpha1",
        "kind": "ClawInstance",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"customer": {"id": "cus_friend", "email": "friend@example.com"}, "planRef": {"name": "pro"}},
    }


async def test_after_an_outage_the_service_has_every_instance_that_was_bought(world: World) -> None:
    bought = [await world.buy(email=f"customer{number}@example.com") for number in range(3)]
    await world.controls.cancel(bought[2])
    async with world.running():
        for subscription in bought[:2]:
            await world.instance_of(subscription)
        await world.settled()
    names = {instance["metadata"]["name"] for instance in await world.cluster.instances()}
    assert names == {naming.instance_name(subscription) for subscription in bought[:2]}


async def test_missed_events_are_stored_with_what_was_typed_at_the_checkout(world: World, sweep: Sweep) -> None:
    subscription = await world.buy()
    result = await swept(sweep)
    rows = await world.rows("SELECT id, source, state FROM inbox WHERE subject = %s", subscription)
    assert {(row["source"], row["state"]) for row in rows} == {("sweep", "pending")}
    assert result.events.stored == len(await world.rows("SELECT id FROM inbox"))
    [checkout] = await world.rows("SELECT payload FROM inbox WHERE type = 'checkout.session.completed'")
    assert "Europe/London" in checkout["payload"]


async def test_an_event_that_was_delivered_is_not_missed(world: World, sweep: Sweep) -> None:
    async with world.running():
        await world.instance_of(await world.buy())
        await world.settled()
    before = await world.rows("SELECT * FROM inbox ORDER BY id")
    assert (await swept(sweep)).events.stored == 0
    assert await world.rows("SELECT * FROM inbox ORDER BY id") == before


async def test_a_gap_longer_than_stripes_memory_is_said_loudly(
    world: World, services: Services, sweep: Sweep, caplog: pytest.LogCaptureFixture
) -> None:
    async with services.pool.connection() as connection:
        await connection.execute("INSERT INTO sweeps (events_from) VALUES (%s)", [utc_now() - timedelta(days=40)])
    await swept(sweep)
    assert "are no longer listed by Stripe" in caplog.text


async def test_paid_without_instance_and_a_wrong_spec_are_looked_at(world: World, sweep: Sweep) -> None:
    async with world.running():
        gone, wrong, right = [await world.buy(email=f"{name}@example.com") for name in ("gone", "wrong", "right")]
        for subscription in (gone, wrong, right):
            await world.instance_of(subscription)
        await world.settled()
    await world.cluster.delete_instance(naming.instance_name(gone))
    await world.cluster.change_spec(naming.instance_name(wrong), {"state": "Suspended"})

    result = (await swept(sweep)).comparison
    assert (result.subscriptions, result.instances) == (3, 2)
    assert {finding.subscription: finding.kind for finding in result.findings} == {
        gone: Kind.MISSING,
        wrong: Kind.DIFFERENT,
    }
    assert await looks(world) == {gone: "sweep", wrong: "sweep"}

    async with world.running():
        await world.instance_of(gone)

        async def runs() -> bool:
            return bool((await world.cluster.instance(naming.instance_name(wrong)))["spec"]["state"] == "Running")

        await eventually(runs, describe=world.story)


async def test_an_instance_without_payment_is_told_and_left_alone(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.cluster.put_instance(manifest("by-hand"))
    await world.cluster.put_instance(manifest("a-strangers", **{naming.SUBSCRIPTION: "sub_unknown"}))
    caplog.set_level(logging.INFO, "claw_webhook.sweeps.sweeping")
    world.environment["CLAW_BILLING_SWEEP_SECONDS"] = "1"
    async with world.running():

        async def told(number: int) -> bool:
            return await world.metric("claw_webhook_unpaid_instances") == number

        await eventually(lambda: told(2), describe=world.story)
        assert "by-hand was made by hand: no subscription pays for it" in caplog.text
        assert "names the subscription sub_unknown, which Stripe does not know" in caplog.text
        assert caplog.text.count("nobody pays: instance by-hand") == 1
        assert len(await world.cluster.instances()) == 2
        assert await looks(world) == {}

        await world.cluster.delete_instance("by-hand")
        await eventually(lambda: told(1), describe=world.story)
        assert "instance by-hand is gone, or paid for" in caplog.text


async def test_from_half_a_list_nothing_is_concluded(world: World, sweep: Sweep) -> None:
    oldest = await world.buy()
    for number in range(100):
        await world.buy(email=f"customer{number}@example.com")
    await world.cluster.put_instance(manifest("claw-old", **{naming.SUBSCRIPTION: oldest}))
    # One page has a hundred, the newest first.
    await world.controls.inject(Fault(kind=FaultKind.ERROR, path="/v1/subscriptions", skip=1, status=403))
    with pytest.raises(StripeUnavailable, match="did not list its subscriptions to the end"):
        await sweep.run()
    assert oldest not in await looks(world)
    assert [row["ended_at"] for row in await world.rows("SELECT ended_at FROM sweeps")] == [None]

    result = (await swept(sweep)).comparison
    assert result.subscriptions == 101
    assert result.counts == {Kind.MISSING: 100, Kind.DIFFERENT: 1}
    assert oldest in await looks(world)


async def test_while_stripe_is_away_it_is_tried_again_and_told_twice(
    world: World, sweep: Sweep, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "claw_webhook.sweeps.sweeping")
    await world.controls.inject(Fault(kind=FaultKind.ERROR, path="/v1/events", times=3, status=401))
    sweeping = Sweeping(
        sweep,
        every=timedelta(hours=1),
        metrics=SweepMetrics(CollectorRegistry()),
        clock=utc_now,
        random=lambda: 0.5,
        retry=Backoff(first=0.01, longest=0.01),
    )
    async with aclosing(sweeping.steps()) as steps:
        for _ in range(4):
            await anext(steps)
    assert caplog.text.count("the sweep is interrupted: Stripe did not list its events to the end") == 1
    assert "the sweep goes on after 3 failures" in caplog.text
    assert len(await world.rows("SELECT ended_at FROM sweeps WHERE ended_at IS NOT NULL")) == 1


async def test_of_two_sweeps_at_once_one_goes_away(world: World, services: Services, sweep: Sweep) -> None:
    async with services.pool.connection() as connection:
        await connection.set_autocommit(True)
        await connection.execute("SELECT pg_advisory_lock(%s)", [0x73776565])
        assert await sweep.run() is None
        await connection.execute("SELECT pg_advisory_unlock(%s)", [0x73776565])
        await connection.set_autocommit(False)
    assert await sweep.run() is not None


async def test_a_sweep_that_another_replica_has_just_ended_is_not_repeated(world: World, sweep: Sweep) -> None:
    assert await sweep.run(unless_within=timedelta(minutes=6)) is not None
    assert await sweep.run(unless_within=timedelta(minutes=6)) is None
    assert await sweep.run() is not None
