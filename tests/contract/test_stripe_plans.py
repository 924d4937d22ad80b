"""What customers pay when they change their minds: prorations, credit, several items, coupons."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import stripe

from claw_dev.simulators.stripe.records import Card
from tests.contract.stripe_months import DAY, World, beginning, noon
from tests.contract.stripe_world import KEY

BEGIN = noon(2026, 4, 1)
HALF = noon(2026, 4, 16)
MAY = noon(2026, 5, 1)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with beginning(lambda: BEGIN) as made:
        yield made


async def to_team(world: World, subscription: str, behavior: str) -> Any:
    """Half a month at the price of pro, and from now on at that of team."""
    await world.controls.advance(to=HALF)
    change = [{"id": (await world.item(subscription)).id, "price": "price_team_monthly"}]
    wanted = {"items": change, "proration_behavior": behavior, "expand": ["latest_invoice"]}
    return await world.v1.subscriptions.update_async(subscription, wanted)


@pytest.mark.parametrize(
    ("behavior", "billed"),
    [
        ("create_prorations", [[7900], [-3950, 9950, 19900]]),
        ("always_invoice", [[7900], [-3950, 9950], [19900]]),
        ("none", [[7900], [19900]]),
    ],
)
async def test_half_a_month_of_another_plan_is_billed_as_it_was_asked_for(
    world: World, behavior: str, billed: list[list[int]]
) -> None:
    subscription = await world.buy()
    await to_team(world, subscription, behavior)
    await world.controls.advance(to=MAY + DAY)
    assert await world.amounts(subscription) == billed


async def test_a_line_tells_which_price_it_credits_in_both_shapes(world: World) -> None:
    changed = await to_team(world, await world.buy(), "always_invoice")
    credit, charge = changed.latest_invoice.lines.data
    assert (credit.pricing.price_details.price, credit.period.start, credit.period.end) == (
        "price_pro_monthly",
        HALF,
        MAY,
    )
    assert credit.parent.subscription_item_details.proration is True
    assert charge.pricing.price_details.price == "price_team_monthly"
    async with httpx.AsyncClient(base_url=world.url, trust_env=False) as raw:
        headers = {"Authorization": f"Bearer {KEY}", "Stripe-Version": "2024-06-20"}
        older = (await raw.get(f"/v1/invoices/{changed.latest_invoice.id}", headers=headers)).json()
    assert [(line["price"]["id"], line["proration"]) for line in older["lines"]["data"]] == [
        ("price_pro_monthly", True),
        ("price_team_monthly", True),
    ]
    assert older["subscription"] == changed.id


async def test_an_upgrade_that_is_not_paid_for_makes_the_subscription_past_due(world: World) -> None:
    subscription = await world.buy()
    await world.controls.set_card(subscription, Card.DECLINES)
    changed = await to_team(world, subscription, "always_invoice")
    assert (changed.status, changed["items"].data[0].price.id) == ("past_due", "price_team_monthly")
    assert changed.latest_invoice.amount_remaining == 6000


async def test_a_downgrade_at_once_leaves_credit_for_the_next_invoice(world: World) -> None:
    subscription = await world.buy(price="claw_team_monthly")
    await world.controls.advance(to=HALF)
    cheaper = [{"id": (await world.item(subscription)).id, "price": "price_starter_monthly"}]
    await world.v1.subscriptions.update_async(subscription, {"items": cheaper, "proration_behavior": "always_invoice"})
    credit = 9950 - 1450
    assert (await world.v1.customers.retrieve_async((await world.customer(subscription)).id)).balance == -credit
    await world.controls.advance(to=MAY + DAY)
    latest = (await world.v1.invoices.list_async({"subscription": subscription})).data[0]
    assert (latest.status, latest.total, latest.amount_due, latest.ending_balance) == ("paid", 2900, 0, 2900 - credit)


async def test_a_yearly_price_begins_a_new_period_at_once(world: World) -> None:
    yearly = await world.v1.prices.create_async(
        {"currency": "usd", "unit_amount": 79000, "product": "prod_claw_pro", "recurring": {"interval": "year"}}
    )
    subscription = await world.buy()
    await world.controls.advance(to=HALF)
    change = [{"id": (await world.item(subscription)).id, "price": yearly.id}]
    changed = await world.v1.subscriptions.update_async(subscription, {"items": change})
    item = changed["items"].data[0]
    assert (item.current_period_start, item.current_period_end) == (HALF, HALF + 365 * DAY)
    assert await world.amounts(subscription) == [[7900], [-3950, 79000]]


async def test_several_items_and_quantities_are_billed_together(world: World) -> None:
    subscription = await world.buy(quantity=3)
    more = {"items": [{"price": "price_starter_monthly", "quantity": 2}], "proration_behavior": "none"}
    await world.v1.subscriptions.update_async(subscription, more)
    await world.controls.advance(to=MAY + DAY)
    assert await world.amounts(subscription) == [[23700], [23700, 5800]]
    euros = await world.v1.prices.create_async(
        {"currency": "eur", "unit_amount": 7500, "product": "prod_claw_pro", "recurring": {"interval": "month"}}
    )
    assert (await world.subscription(await world.buy(price=euros.id))).currency == "eur"
    mixed = {
        "customer": (await world.customer(subscription)).id,
        "items": [{"price": euros.id}, {"price": "price_pro_monthly"}],
    }
    with pytest.raises(stripe.InvalidRequestError, match="same currency"):
        await world.v1.subscriptions.create_async(mixed)


@pytest.mark.parametrize(
    ("terms", "totals"),
    [
        ({"percent_off": 100, "duration": "once"}, [0, 7900, 7900]),
        ({"percent_off": 50, "duration": "repeating", "duration_in_months": 2}, [3950, 3950, 7900]),
        ({"amount_off": 900, "currency": "usd", "duration": "forever"}, [7000, 7000, 7000]),
    ],
)
async def test_a_coupon_makes_invoices_less_for_as_long_as_it_lasts(
    world: World, terms: dict[str, Any], totals: list[int]
) -> None:
    coupon = await world.v1.coupons.create_async(terms)
    subscription = await world.buy(coupon=coupon.id)
    assert (await world.v1.coupons.retrieve_async(coupon.id)).times_redeemed == 1
    await world.controls.advance(to=MAY + 32 * DAY)
    invoices = (await world.v1.invoices.list_async({"subscription": subscription})).data
    assert [invoice.total for invoice in reversed(invoices)] == totals
    assert {(invoice.status, invoice.subtotal) for invoice in invoices} == {("paid", 7900)}
    session = (await world.v1.checkout.sessions.list_async({"subscription": subscription})).data[0]
    assert session.payment_status == ("paid" if totals[0] else "no_payment_required")
