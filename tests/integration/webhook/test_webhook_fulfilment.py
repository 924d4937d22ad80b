"""The world becomes what the live subscription wishes, whatever arrives in whichever order, and whatever is away."""

import asyncio
from typing import Any

import pytest

from claw_crds import naming
from claw_dev.cluster import ControlPlane
from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.stripe.records import Subscription, SubscriptionStatus
from claw_webhook.cleaning import clean_line
from tests.eventually import eventually
from tests.integration.webhook.conftest import World
from tests.unit.webhook.test_cleaning import HOSTILE_NAMES


async def spec_becomes(world: World, subscription: str, **wanted: Any) -> None:
    async def as_wished() -> bool:
        spec = (await world.instance_of(subscription))["spec"]
        return all(spec[field] == value for field, value in wanted.items())

    await eventually(as_wished, describe=world.story)


async def refused(world: World, subscription: str) -> dict[str, Any]:
    """The refusal of a subscription, once all its events are settled."""
    query = "SELECT * FROM inbox WHERE subject = %s AND state = 'refused'"
    row = await world.eventually_row(query, subscription)
    await world.settled()
    return row


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (SubscriptionStatus.PAST_DUE, "Running"),
        (SubscriptionStatus.UNPAID, "Suspended"),
        (SubscriptionStatus.PAUSED, "Suspended"),
    ],
)
async def test_the_instance_follows_the_subscriptions_status(
    world: World, status: SubscriptionStatus, state: str
) -> None:
    async with world.running():
        subscription = await world.buy()
        await spec_becomes(world, subscription, state="Running")
        await world.controls.set_status(subscription, status)
        await world.eventually_row("SELECT * FROM subscriptions WHERE status = %s", status.value)
        await spec_becomes(world, subscription, state=state)
        await world.controls.set_status(subscription, SubscriptionStatus.ACTIVE)
        await spec_becomes(world, subscription, state="Running")


async def test_another_price_is_another_plan_of_the_same_instance(world: World) -> None:
    async with world.running():
        subscription = await world.buy()
        before = await world.instance_of(subscription)
        await world.controls.change_price(subscription, "claw_team_monthly")
        await spec_becomes(world, subscription, planRef={"name": "team"})
        assert (await world.instance_of(subscription))["metadata"]["uid"] == before["metadata"]["uid"]
        await world.settled()
        (row,) = await world.rows("SELECT * FROM subscriptions")
        assert (row["plan"], row["status"]) == ("team", "active")


async def test_an_event_tells_nothing_but_that_it_is_worth_looking(world: World) -> None:
    """Events in the wrong order, twice, and after the fact: the subscription as it is now decides."""
    subscription = await world.buy()  # nobody listens yet
    await world.controls.set_status(subscription, SubscriptionStatus.UNPAID)
    await world.controls.cancel(subscription)
    other = await world.buy(email="eve@example.com")
    events = [event for event in world.events() if "subscription" in event.type]
    async with world.running():
        for event in [*reversed(events), *events]:
            assert (await world.deliver(event=event.id))["status"] == 200
        await spec_becomes(world, other, state="Running")
        await world.settled()
        (left,) = await world.cluster.instances()
        assert left["metadata"]["name"] == naming.instance_name(other)


async def test_a_flood_of_hints_makes_one_instance_that_is_not_written_again(world: World) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.settled()
        before = await world.instance_of(subscription)
        events = [event for event in world.events() if event.type.startswith(("customer.", "checkout."))]
        await asyncio.gather(*(world.deliver(event=event.id) for event in events * 10))
        await world.settled()
        assert (await world.instance_of(subscription))["metadata"]["resourceVersion"] == before["metadata"][
            "resourceVersion"
        ]
        assert len(await world.cluster.instances()) == 1
        assert len(await world.rows("SELECT * FROM customers")) == 1


async def test_what_a_person_chose_stays_and_what_billing_says_wins(world: World) -> None:
    async with world.running():
        subscription = await world.buy()
        name = (await world.instance_of(subscription))["metadata"]["name"]
        await world.settled()
        await world.cluster.change_spec(
            name, {"assistant": {"name": "Jeeves"}, "credentialsRevision": 3, "state": "Suspended"}
        )
        await world.controls.change_price(subscription, "claw_team_monthly")
        await spec_becomes(world, subscription, planRef={"name": "team"}, state="Running", credentialsRevision=3)
        assert (await world.instance_of(subscription))["spec"]["assistant"]["name"] == "Jeeves"


async def test_what_was_entered_at_the_checkout_is_known_at_every_later_look(world: World) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.settled()
        account = world.stripe.account
        account.change(account.get(Subscription, subscription), metadata={})  # the checkout session alone has it now
        await world.controls.change_price(subscription, "claw_team_monthly")
        await spec_becomes(world, subscription, planRef={"name": "team"})
        assert (await world.instance_of(subscription))["spec"]["customer"]["timezone"] == "Europe/London"


async def test_an_unknown_price_is_told_once_and_served_as_soon_as_a_plan_sells_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.running():
        subscription = await world.buy(price="price_unknown_monthly")
        row = await refused(world, subscription)
        assert row["reason"] == "UnknownPrice"
        assert "price_unknown_monthly" in row["message"]
        assert await world.cluster.instances() == []
        assert await world.rows("SELECT * FROM instances") == []
        assert await world.metric("claw_webhook_inbox_unserved", reason="UnknownPrice", state="refused") > 0
        assert await world.metric("claw_webhook_refusals_total", reason="UnknownPrice") > 0

        plan = f"special-{world.cluster.namespace}"
        await world.cluster.sell(plan, "price_somebody_elses")
        try:
            await world.cluster.sell(f"{plan}-2", "price_unknown_monthly")
            await spec_becomes(world, subscription, planRef={"name": f"{plan}-2"})
            await world.settled()
            assert await world.metric("claw_webhook_inbox_unserved", reason="UnknownPrice", state="refused") == 0
        finally:
            await world.cluster.withdraw(plan)
            await world.cluster.withdraw(f"{plan}-2")
    told = [
        record
        for record in caplog.records
        if record.name == "claw_webhook.fulfilment" and "no ClawPlan sells" in record.getMessage()
    ]
    assert [record.levelname for record in told] == ["ERROR"]


async def test_resending_an_event_in_stripe_tries_a_refusal_again(world: World) -> None:
    async with world.running():
        subscription = await world.buy(email="nobody")
        row = await refused(world, subscription)
        assert row["reason"] == "UnusableEmail"
        assert await world.cluster.instances() == []

        customer = world.customer_of(subscription)
        world.stripe.account.change(customer, email="ada@example.com")
        assert (await world.deliver(event=row["id"]))["status"] == 200
        await spec_becomes(world, subscription, state="Running")


async def test_the_api_server_takes_every_cleaned_name(world: World) -> None:
    names = [name for name in HOSTILE_NAMES if "\ud800" not in name]  # Stripe could not say it in UTF-8
    async with world.running():
        bought = {await world.buy(name=name, business_name=name): name for name in names}
        await world.settled()
        assert await world.rows("SELECT * FROM inbox WHERE state NOT IN ('done', 'ignored')") == []
        for subscription, name in bought.items():
            customer = (await world.instance_of(subscription))["spec"]["customer"]
            assert customer["name"] == customer["company"] == clean_line(name)
        rows = await world.rows("SELECT name FROM customers")
        assert sorted(row["name"] for row in rows) == sorted(str(clean_line(name)) for name in names)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.ERROR, status=500, times=4),
        Fault(kind=FaultKind.ERROR, status=429, times=2),
        Fault(kind=FaultKind.CUT, times=4),
        Fault(kind=FaultKind.ERROR, status=401, times=1),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_while_stripe_does_not_answer_the_event_waits(world: World, fault: Fault) -> None:
    async with world.running():
        world.stripe.faults.add(fault)
        subscription = await world.buy()
        await spec_becomes(world, subscription, state="Running")
        await world.settled()
        assert len(await world.cluster.instances()) == 1


async def test_a_subscription_that_stripe_does_not_know_is_refused_and_nothing_is_deleted(world: World) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.settled()
        world.stripe.faults.add(Fault(kind=FaultKind.ERROR, status=404))
        await world.controls.change_price(subscription, "claw_team_monthly")
        row = await refused(world, subscription)
        assert row["reason"] == "NoSuchSubscription"
        assert len(await world.cluster.instances()) == 1


async def test_while_the_api_server_is_away_the_event_waits_and_nothing_is_doubled(world: World) -> None:
    async with world.running():
        await world.cluster_wire.cut()
        subscription = await world.buy()
        row = await world.eventually_row("SELECT * FROM inbox WHERE attempts > 0 AND state = 'pending'")
        assert row["reason"] == "ClusterUnavailable"
        assert (await world.get("/readyz")).status == 200
        await world.cluster_wire.join()
        await spec_becomes(world, subscription, state="Running")
        await world.settled()
        assert len(await world.cluster.instances()) == 1
        assert {row["state"] for row in await world.rows("SELECT state FROM inbox")} == {"done", "ignored"}


async def test_the_api_server_may_be_restarted_in_the_middle(world: World, claw_api: ControlPlane) -> None:
    async with world.running():
        first = await world.buy()
        await world.settled()
        await claw_api.stop_apiserver()
        second = await world.buy(email="eve@example.com")
        await world.eventually_row("SELECT * FROM inbox WHERE attempts > 0")
        await claw_api.start_apiserver()
        await spec_becomes(world, second, state="Running")
        name = (await world.instance_of(first))["metadata"]["name"]
        await world.cluster.make_available(name, key="claw_after_the_restart")  # the watch goes on, too
        await world.key_link()
        assert len(world.mails.mails) == 1


async def test_cancelling_suspends_the_instance_even_without_its_customer(world: World) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.instance_of(subscription)
        await world.settled()
        customer = world.customer_of(subscription)
        await world.controls.cancel(subscription)
        world.stripe.account.change(customer, email=None, name=None)
        await spec_becomes(world, subscription, state="Suspended")
        await world.settled()
        spec = (await world.instance_of(subscription))["spec"]
        assert spec["deleteAfter"]
        assert spec["customer"]["email"] == "ada@example.com"
        (row,) = await world.rows("SELECT status, standing, customer FROM subscriptions")
        assert row == {"status": "canceled", "standing": "Ended", "customer": customer.id}
