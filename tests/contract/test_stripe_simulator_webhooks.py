"""What the Stripe simulator delivers, judged by Stripe's own library at a real endpoint."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random

import pytest
import stripe

from claw_dev.simulators.stripe import delivery
from claw_dev.simulators.stripe.controls import OrderRefused, StripeControls
from claw_dev.simulators.stripe.delivery import Signing
from claw_dev.simulators.stripe.orders import Deliver
from claw_dev.simulators.stripe.simulator import StripeSimulator, simulated_stripe
from tests.contract.stripe_world import ADA, SECRET, Endpoint, client_of, listening_endpoint
from tests.eventually import eventually


@dataclass(frozen=True)
class World:
    """Stripe, our endpoint, and the hand that plays the customer."""

    stripe: StripeSimulator
    endpoint: Endpoint
    controls: StripeControls


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with (
        listening_endpoint() as endpoint,
        simulated_stripe(
            endpoint=delivery.Endpoint(endpoint.url, (SECRET,)), retry_delays=(0.01, 0.02, 0.04), random=Random(7)
        ) as simulator,
        StripeControls(simulator.url) as controls,
    ):
        yield World(simulator, endpoint, controls)


async def test_a_checkout_is_told_in_signed_events(world: World) -> None:
    paid = await world.controls.complete_checkout(ADA)
    await eventually(lambda: len(world.endpoint.received) == 4, describe=world.endpoint.types)
    assert sorted(world.endpoint.types()) == [
        "checkout.session.completed",
        "customer.created",
        "customer.subscription.created",
        "invoice.paid",
    ]
    events = {event.type: event for event in (delivery.verified() for delivery in world.endpoint.received)}
    completed = events["checkout.session.completed"]
    assert completed.data.object["subscription"] == paid["subscription"]["id"]
    assert completed.api_version == stripe._api_version._ApiVersion.CURRENT
    assert completed.id.startswith("evt_1")


async def test_every_failed_delivery_is_repeated_with_a_signature_of_its_own(world: World) -> None:
    world.endpoint.answers = [500, 302, 503]
    await world.controls.complete_checkout(ADA)
    await eventually(lambda: len(world.endpoint.received) == 4 + 3, describe=world.controls.deliveries)
    assert len({delivery.verified().id for delivery in world.endpoint.received}) == 4
    async with client_of(world.stripe) as client:

        async def undelivered() -> list[stripe.Event]:
            return (await client.v1.events.list_async({"delivery_success": False})).data

        async def all_delivered() -> bool:
            return await undelivered() == []

        await eventually(all_delivered, describe=undelivered)


async def test_an_endpoint_that_never_answers_well_is_given_up(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.endpoint.answers = [500] * 100
    await world.controls.complete_checkout(ADA)
    await eventually(lambda: len(world.endpoint.received) == 4 * 4, describe=world.controls.deliveries)
    await eventually(lambda: caplog.text.count("gave up") == 4)
    async with client_of(world.stripe) as client:
        undelivered = await client.v1.events.list_async({"delivery_success": False})
    assert len(undelivered.data) == 4


async def test_an_event_can_come_again(world: World) -> None:
    await world.controls.complete_checkout(ADA)
    await eventually(lambda: len(world.endpoint.received) == 4)
    first = world.endpoint.received[0]
    again = await world.controls.deliver(Deliver(event=first.verified().id))
    assert again["status"] == 200
    assert json.loads(world.endpoint.received[-1].body)["data"] == json.loads(first.body)["data"]
    assert world.endpoint.received[-1].verified().id == first.verified().id


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        (Deliver(type="customer.created", signing=Signing.FORGED), "No signatures found matching"),
        (Deliver(type="customer.created", signing=Signing.MALFORMED), "Unable to extract"),
        (Deliver(type="customer.created", signing=Signing.MISSING), "No Stripe-Signature header"),
        (Deliver(type="customer.created", age=301), "outside the tolerance"),
    ],
    ids=["forged", "malformed", "missing", "old"],
)
async def test_deliveries_that_must_be_refused_are_refused(world: World, order: Deliver, complaint: str) -> None:
    await world.controls.deliver(order)
    with pytest.raises(stripe.SignatureVerificationError, match=complaint):
        world.endpoint.received[-1].verified()


async def test_unknown_types_oversize_bodies_and_what_is_not_json_arrive_well_signed(world: World) -> None:
    await world.controls.deliver(Deliver(type="galaxy.hitchhiker.arrived", age=290))
    assert world.endpoint.received[-1].verified().type == "galaxy.hitchhiker.arrived"
    huge = await world.controls.deliver(Deliver(type="customer.created", padding=2_000_000))
    assert huge["size"] == len(world.endpoint.received[-1].body) > 2_000_000
    assert world.endpoint.received[-1].verified().type == "customer.created"
    await world.controls.deliver(Deliver(body="{not json"))
    with pytest.raises(json.JSONDecodeError):
        world.endpoint.received[-1].verified()
    with pytest.raises(OrderRefused, match="exactly one"):
        await world.controls.deliver(Deliver())


async def test_while_a_secret_is_rolled_both_are_good(world: World) -> None:
    await world.controls.set_endpoint(world.endpoint.url, "whsec_next", SECRET)
    await world.controls.deliver(Deliver(type="customer.created"))
    for secret in ("whsec_next", SECRET):
        assert world.endpoint.received[-1].verified(secret).type == "customer.created"
    with pytest.raises(stripe.SignatureVerificationError):
        world.endpoint.received[-1].verified("whsec_third")


async def test_what_was_answered_can_be_looked_up(world: World) -> None:
    world.endpoint.answers = [400]
    refused = await world.controls.deliver(Deliver(type="customer.created", signing=Signing.FORGED))
    assert (refused["status"], refused["answer"], refused["signing"]) == (400, "noted", "forged")
    assert await world.controls.deliveries() == [refused]
    await world.controls.set_endpoint(None)
    nowhere = await world.controls.deliver(Deliver(type="customer.created"))
    assert (nowhere["status"], nowhere["error"]) == (None, "there is no endpoint to deliver to")
    await world.controls.set_endpoint("http://127.0.0.1:9/nobody", SECRET)
    unreachable = await world.controls.deliver(Deliver(type="customer.created"))
    assert (unreachable["status"], unreachable["error"].split(":")[0]) == (None, "ClientConnectorError")


async def test_events_of_an_older_endpoint_have_the_older_shape() -> None:
    async with (
        listening_endpoint() as endpoint,
        simulated_stripe(endpoint=delivery.Endpoint(endpoint.url, (SECRET,)), api_version="2024-06-20") as simulator,
        StripeControls(simulator.url) as controls,
    ):
        await controls.complete_checkout(ADA)
        await eventually(lambda: "customer.subscription.created" in endpoint.types())
        created = next(
            e for e in (d.verified() for d in endpoint.received) if e.type == "customer.subscription.created"
        )
    assert created.api_version == "2024-06-20"
    assert created.data.object["current_period_end"] > created.created


async def test_an_endpoint_may_get_everything_twice_and_late(world: World) -> None:
    await world.controls.set_endpoint(
        world.endpoint.url, SECRET, enabled_events=["*"], duplicates=1, disorder=1, disorder_seconds=0.2
    )
    await world.controls.complete_checkout(ADA)
    await eventually(lambda: len(world.endpoint.received) == 2 * 7, describe=world.endpoint.types)
    came = [delivery.verified() for delivery in world.endpoint.received]
    assert {Counter(event.id for event in came)[event.id] for event in came} == {2}
    async with client_of(world.stripe) as client:
        told = [event.id for event in reversed((await client.v1.events.list_async()).data)]
    first_arrivals = list(dict.fromkeys(event.id for event in came))
    assert sorted(first_arrivals) == sorted(told)
    assert first_arrivals != told


async def test_an_endpoint_is_told_of_the_types_that_it_asked_for(world: World) -> None:
    await world.controls.set_endpoint(world.endpoint.url, SECRET, enabled_events=["invoice.finalized"])
    await world.controls.complete_checkout(ADA)
    await eventually(lambda: world.endpoint.types() == ["invoice.finalized"], describe=world.endpoint.types)
    async with client_of(world.stripe) as client:
        assert len((await client.v1.events.list_async()).data) == 7
        assert (await client.v1.events.list_async({"delivery_success": False})).data == []
