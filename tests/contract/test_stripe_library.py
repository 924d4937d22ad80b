"""The simulator compared with what the installed `stripe` library knows of Stripe's objects."""

from random import Random
from typing import Any, get_args

import stripe

from claw_dev.simulators.stripe import versions
from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.records import SubscriptionStatus
from claw_dev.simulators.stripe.simulator import simulated_stripe
from tests.contract.stripe_world import ADA, KEY, client_of


async def test_the_version_is_the_one_that_the_library_asks_for() -> None:
    assert versions.CURRENT == stripe._api_version._ApiVersion.CURRENT


def disagreements(shown: dict[str, Any], known: type[stripe.StripeObject], where: str) -> list[str]:
    """Where the library's class differs: fields it does not know, and fields that it never has null."""
    fields = {name: kind for name, kind in known.__annotations__.items() if name != "OBJECT_NAME"}
    found = [f"{where}.{name} is unknown" for name in shown if name not in fields]
    found += [
        f"{where}.{name} is missing"
        for name, kind in fields.items()
        if type(None) not in get_args(kind) and shown.get(name) is None
    ]
    for name, inner in getattr(known, "_inner_class_types", {}).items():
        if isinstance(shown.get(name), dict):
            found += disagreements(shown[name], inner, f"{where}.{name}")
    return found


async def test_every_object_has_the_fields_that_the_library_knows() -> None:
    async with (
        simulated_stripe(secret_key=KEY, random=Random(7)) as simulator,
        client_of(simulator) as client,
        StripeControls(simulator.url) as controls,
    ):
        objects = await _one_of_each(client.v1, controls)
    wrong = [fault for thing in objects for fault in disagreements(thing.to_dict(), type(thing), thing["object"])]
    assert wrong == []


async def _one_of_each(v1: Any, controls: StripeControls) -> list[stripe.StripeObject]:
    paid = await controls.complete_checkout(ADA)
    await controls.set_status(paid["subscription"]["id"], SubscriptionStatus.PAUSED)
    subscription = await v1.subscriptions.retrieve_async(paid["subscription"]["id"], {"expand": ["latest_invoice"]})
    session = await v1.checkout.sessions.retrieve_async(paid["session"]["id"], {"expand": ["line_items"]})
    item = subscription["items"].data[0]
    return [
        subscription,
        item,
        item.price,
        item.plan,
        subscription.latest_invoice,
        subscription.latest_invoice.lines.data[0],
        session,
        session.line_items.data[0],
        await v1.customers.retrieve_async(paid["customer"]["id"]),
        await v1.products.retrieve_async("prod_claw_pro"),
        (await v1.events.list_async()).data[0],
    ]
