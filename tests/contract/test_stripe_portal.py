"""What customers do in the portal, what schedules bring, what usage costs, what is for sale."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import stripe

from claw_dev.simulators.stripe.records import Card
from tests.contract.stripe_months import DAY, HOUR, World, beginning, noon

BEGIN = noon(2026, 4, 1)
HALF = noon(2026, 4, 16)
MAY = noon(2026, 5, 1)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with beginning(lambda: BEGIN) as made:
        yield made


async def portal_of(world: World, subscription: str) -> Any:
    """A visit to a portal with all three plans, in which cheaper ones wait for the next period."""
    plans = ("starter", "pro", "team")
    update = {
        "enabled": True,
        "default_allowed_updates": ["price"],
        "proration_behavior": "always_invoice",
        "products": [{"product": f"prod_claw_{plan}", "prices": [f"price_{plan}_monthly"]} for plan in plans],
        "schedule_at_period_end": {"conditions": [{"type": "decreasing_item_amount"}]},
    }
    features = {
        "subscription_update": update,
        "subscription_cancel": {"enabled": True},
        "payment_method_update": {"enabled": True},
    }
    made = await world.v1.billing_portal.configurations.create_async({"features": features})
    wanted = {
        "customer": (await world.customer(subscription)).id,
        "configuration": made.id,
        "return_url": "https://claw.example/account",
    }
    return await world.v1.billing_portal.sessions.create_async(wanted)


async def test_in_the_portal_customers_change_leave_stay_and_pay(world: World) -> None:
    subscription = await world.buy()
    visit = await portal_of(world, subscription)
    async with httpx.AsyncClient(trust_env=False) as browser:

        async def press(action: str, **more: str) -> Any:
            done = await browser.post(visit.url, data={"subscription": subscription, "action": action, **more})
            assert done.status_code == 303, done.text
            return await world.v1.subscriptions.retrieve_async(subscription)

        page = (await browser.get(visit.url)).text
        assert "Change to Claw Team" in page
        assert 'href="https://claw.example/account"' in page
        assert (await press("change", price="price_team_monthly"))["items"].data[0].price.id == "price_team_monthly"
        later = await press("change", price="price_starter_monthly")
        assert later["items"].data[0].price.id == "price_team_monthly"
        assert later.schedule.startswith("sub_sched_")
        assert (await press("cancel")).cancel_at_period_end is True
        assert "Don&#x27;t cancel" in (await browser.get(visit.url)).text
        assert (await press("resume")).cancel_at_period_end is False
        await world.controls.advance(to=MAY + DAY)
        now = await world.v1.subscriptions.retrieve_async(subscription, {"expand": ["latest_invoice"]})
        assert (now["items"].data[0].price.id, now.latest_invoice.total) == ("price_starter_monthly", 2900)
        await world.controls.set_card(subscription, Card.DECLINES)
        await world.controls.advance(to=MAY + 33 * DAY)
        assert (await world.v1.subscriptions.retrieve_async(subscription)).status == "past_due"
        await press("card")
        assert (await world.customer(subscription)).invoice_settings.default_payment_method == "pm_card_visa"
        assert (await press("pay")).status == "active"
        stranger = await world.buy()
        refused = await browser.post(visit.url, data={"subscription": stranger, "action": "cancel"})
        assert refused.status_code == 400


async def test_a_schedule_is_released_when_its_last_phase_is_over(world: World) -> None:
    subscription = await world.buy()
    visit = await portal_of(world, subscription)
    async with httpx.AsyncClient(trust_env=False) as browser:
        wanted = {"subscription": subscription, "action": "change", "price": "price_starter_monthly"}
        await browser.post(visit.url, data=wanted)
    schedule = (await world.v1.subscription_schedules.list_async()).data[0]
    assert [phase["items"][0].price for phase in schedule.phases] == ["price_pro_monthly", "price_starter_monthly"]
    await world.controls.advance(to=MAY + 40 * DAY)
    over = await world.v1.subscription_schedules.retrieve_async(schedule.id)
    assert (over.status, over.released_subscription) == ("released", subscription)
    assert (await world.v1.subscriptions.retrieve_async(subscription)).schedule is None
    assert await world.amounts(subscription) == [[7900], [2900], [2900]]


async def test_usage_is_counted_once_a_day_by_its_identifier_and_billed_afterwards(world: World) -> None:
    meter = await world.v1.billing.meters.create_async(
        {"display_name": "Tokens", "event_name": "tokens", "default_aggregation": {"formula": "sum"}}
    )
    recurring = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    price = await world.v1.prices.create_async(
        {"currency": "usd", "unit_amount": 2, "product": "prod_claw_pro", "recurring": recurring}
    )
    subscription = await world.buy()
    await world.v1.subscriptions.update_async(subscription, {"items": [{"price": price.id}]})
    event = {
        "event_name": "tokens",
        "payload": {"stripe_customer_id": (await world.customer(subscription)).id, "value": "250"},
        "identifier": "instance-1-april",
    }
    reported = await world.v1.billing.meter_events.create_async(event)
    assert reported.identifier == "instance-1-april"
    with pytest.raises(stripe.InvalidRequestError, match="already exists with identifier"):
        await world.v1.billing.meter_events.create_async(event)
    await world.controls.advance(seconds=25 * HOUR)
    await world.v1.billing.meter_events.create_async({**event, "timestamp": BEGIN})
    for wrong in ({"event_name": "nothing"}, {"timestamp": BEGIN - 36 * DAY}, {"timestamp": BEGIN + 26 * HOUR}):
        with pytest.raises(stripe.InvalidRequestError):
            await world.v1.billing.meter_events.create_async({**event, "identifier": "another", **wrong})
    assert [event["payload"]["value"] for event in await world.controls.meter_events()] == ["250", "250"]
    await world.controls.advance(to=MAY + DAY)
    assert await world.amounts(subscription) == [[7900], [7900, 1000]]


async def test_a_product_is_made_once_and_a_price_is_archived_not_changed(world: World) -> None:
    products, prices = world.v1.products, world.v1.prices
    await products.create_async({"id": "claw-plan-solo", "name": "Solo"})
    with pytest.raises(stripe.InvalidRequestError) as twice:
        await products.create_async({"id": "claw-plan-solo", "name": "Solo"})
    assert twice.value.code == "resource_already_exists"
    renamed = await products.update_async("claw-plan-solo", {"name": "Claw Solo", "metadata": {"plan": "solo"}})
    assert (renamed.name, renamed.metadata["plan"]) == ("Claw Solo", "solo")
    terms = {"currency": "usd", "product": "claw-plan-solo", "recurring": {"interval": "month"}, "lookup_key": "solo"}
    old = await prices.create_async({**terms, "unit_amount": 900})
    new = await prices.create_async({**terms, "unit_amount": 1100, "transfer_lookup_key": True})
    archived = await prices.update_async(old.id, {"active": False})
    assert (archived.active, archived.lookup_key, new.lookup_key) == (False, None, "solo")
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        await world.v1.checkout.sessions.create_async(
            {"mode": "subscription", "success_url": "https://claw.example", "line_items": [{"price": old.id}]}
        )
