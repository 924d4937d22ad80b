"""The plans, told to a stateful Stripe: once, again, changed, and cut off in between."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import stripe
import yaml

from claw_crds.v1alpha1 import ClawPlan
from claw_dev.simulators.faults import Fault
from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.records import CheckoutSession, Customer, PortalConfiguration, Price, Product
from claw_dev.simulators.stripe.simulator import StripeSimulator, simulated_stripe
from claw_webhook.front.catalogue import Action, CatalogueConflict, Change
from claw_webhook.front.stripe_shop import StripeShop, sync_catalog
from claw_webhook.stripe_api import StripeUnavailable, open_stripe

CHART = Path(__file__).parents[3] / "charts/claw/plans"


def plan(name: str, **spec: Any) -> ClawPlan:
    """One of the chart's plans, changed."""
    document = yaml.safe_load((CHART / f"{name}.yaml").read_text())
    return ClawPlan.model_validate(document | {"spec": document["spec"] | spec})


STARTER, PRO, TEAM = plan("starter"), plan("pro"), plan("team")
PLANS = [STARTER, PRO, TEAM]
DEARER = plan("pro", price={"currency": "usd", "amountMonthly": 8900})


@dataclass
class Shop:
    """A Stripe with the simulator's own prices, and our client of it."""

    simulator: StripeSimulator
    client: stripe.StripeClient
    controls: StripeControls

    async def sync(self, *plans: ClawPlan, dry_run: bool = False) -> list[Change]:
        """Tell Stripe the plans."""
        return await sync_catalog(self.client, plans or PLANS, dry_run=dry_run)

    def price(self, plan_name: str) -> Price:
        """The price that has the plan's lookup key."""
        key = f"claw_{plan_name}_monthly"
        (found,) = [price for price in self.simulator.account.all(Price) if price.lookup_key == key]
        return found

    def state(self) -> str:
        """Everything that the catalogue is made of."""
        account = self.simulator.account
        return str([account.all(kind) for kind in (Product, Price, PortalConfiguration)])


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """A fresh one."""
    async with (
        simulated_stripe() as simulator,
        open_stripe("sk_test_simulator", base=simulator.url) as api,
        StripeControls(simulator.url) as controls,
    ):
        yield Shop(simulator, api.client, controls)


async def test_each_plan_is_a_product_with_its_price_by_lookup_key(shop: Shop) -> None:
    await shop.sync()
    for wished in PLANS:
        name = wished.metadata.name
        price = shop.price(name)
        product = shop.simulator.account.get(Product, f"claw_{name}")
        assert (price.product, price.unit_amount, price.active) == (product.id, wished.spec.price.amount_monthly, True)
        assert (product.name, product.default_price) == (f"Claw {wished.spec.display_name}", price.id)
        assert product.metadata["claw_plan"] == price.metadata["claw_plan"] == name


async def test_telling_it_again_changes_nothing(shop: Shop) -> None:
    assert await shop.sync()
    before = shop.state()
    assert await shop.sync() == []
    assert shop.state() == before


async def test_a_dry_run_tells_what_would_be_and_does_nothing(shop: Shop) -> None:
    before = shop.state()
    changes = await shop.sync(dry_run=True)
    assert {change.action for change in changes} >= {Action.CREATE_PRODUCT, Action.CREATE_PRICE, Action.CREATE_PORTAL}
    assert "create product claw_pro: plan pro is sold as it" in map(str, changes)
    assert shop.state() == before


async def test_a_new_amount_is_a_new_price_and_the_old_one_is_archived(shop: Shop) -> None:
    await shop.sync(PRO)
    old = shop.price("pro")
    await shop.sync(DEARER)
    new = shop.price("pro")
    assert (new.unit_amount, new.active, new.product) == (8900, True, old.product)
    assert not shop.simulator.account.get(Price, old.id).active


async def test_a_price_that_goes_back_is_made_once_more(shop: Shop) -> None:
    for wished in (PRO, DEARER, PRO, DEARER):
        await shop.sync(wished)
    assert shop.price("pro").unit_amount == 8900
    assert shop.price("pro").active
    assert await shop.sync(DEARER) == []


@pytest.mark.parametrize("calls", range(1, 16, 2))
async def test_a_run_that_is_cut_off_is_finished_by_the_next(shop: Shop, calls: int) -> None:
    await shop.sync(PRO)
    fault = {"kind": "error", "status": 400, "skip": calls, "times": 1, "message": "cut off"}
    await shop.controls.inject(Fault.model_validate(fault))
    with suppress(StripeUnavailable):
        await shop.sync(STARTER, DEARER)
    await shop.sync(STARTER, DEARER)
    sold = {price.lookup_key: price.unit_amount for price in shop.simulator.account.all(Price) if price.active}
    assert sold["claw_pro_monthly"] == 8900
    assert sold["claw_starter_monthly"] == 2900
    ours = [price for price in shop.simulator.account.all(Price) if price.product == "claw_pro" and price.active]
    assert len(ours) == 1


@pytest.mark.parametrize("skip", [0, 1, 2, 5])
async def test_a_lost_answer_makes_nothing_twice(shop: Shop, skip: int) -> None:
    fault = {"kind": "lost_answer", "method": "POST", "skip": skip, "times": 2}
    await shop.controls.inject(Fault.model_validate(fault))
    await shop.sync()
    keys = [price.lookup_key for price in shop.simulator.account.all(Price) if price.active and price.lookup_key]
    assert len(keys) == len(set(keys)) == 3
    assert len(shop.simulator.account.all(PortalConfiguration)) == 1


async def test_a_conflict_is_found_before_anything_is_changed(shop: Shop) -> None:
    before = shop.state()
    foreign = plan("pro", stripe={"lookupKeys": ["claw_pro_monthly"]})
    with pytest.raises(CatalogueConflict, match="First add price_pro_monthly to"):
        await shop.sync(STARTER, foreign)
    assert shop.state() == before


async def test_the_portal_offers_the_plans_and_follows_their_prices(shop: Shop) -> None:
    await shop.sync()
    await shop.sync(STARTER, DEARER, TEAM)
    (configuration,) = shop.simulator.account.all(PortalConfiguration)
    update = configuration.features["subscription_update"]
    assert {product["prices"][0] for product in update["products"]} == {
        shop.price(name).id for name in ("starter", "pro", "team")
    }
    assert update["proration_behavior"] == "always_invoice"
    assert update["schedule_at_period_end"]["conditions"] == [{"type": "decreasing_item_amount"}]


async def test_a_checkout_sells_the_price_that_the_lookup_key_has_moved_to(shop: Shop) -> None:
    await shop.sync(DEARER)
    ours = StripeShop(shop.client, public_url="https://claw.example")
    await ours.open_checkout(DEARER, idempotency_key="1", browser="a" * 64)
    (session,) = shop.simulator.account.all(CheckoutSession)
    assert [line.price for line in session.lines] == [shop.price("pro").id]


async def test_a_portal_visit_uses_the_configuration_that_was_made_from_the_plans(shop: Shop) -> None:
    await shop.sync()
    customer = shop.simulator.account.new(Customer, email="ada@example.com")
    url = await StripeShop(shop.client, public_url="https://claw.example").open_portal(customer.id)
    assert url.startswith(shop.simulator.url)


async def test_a_trial_is_for_those_who_never_had_one(shop: Shop) -> None:
    trial = plan("pro", trialDays=14)
    ours = StripeShop(shop.client, public_url="https://claw.example")
    await ours.open_checkout(trial, idempotency_key="1")
    await ours.open_checkout(trial, idempotency_key="2", trial=False)
    assert [session.trial_days for session in shop.simulator.account.all(CheckoutSession)] == [0, 14]


async def test_a_plan_that_reports_usage_is_sold_with_its_metered_price(shop: Shop) -> None:
    await shop.sync(PRO)
    meter = await shop.client.v1.billing.meters.create_async(
        {"display_name": "Messages", "event_name": "claw_messages", "default_aggregation": {"formula": "sum"}}
    )
    metered = await shop.client.v1.prices.create_async(
        {
            "product": "claw_pro",
            "currency": "usd",
            "unit_amount": 1,
            "lookup_key": "claw_pro_messages",
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
        }
    )
    names = {"lookupKeys": ["claw_pro_monthly", "claw_pro_messages"], "productIds": ["claw_pro"]}
    reporting = plan("pro", stripe=names | {"meter": {"eventName": "claw_messages"}})
    ours = StripeShop(shop.client, public_url="https://claw.example")
    await ours.open_checkout(reporting, idempotency_key="1")
    await ours.open_checkout(plan("pro", stripe=names), idempotency_key="2")
    without, both = shop.simulator.account.all(CheckoutSession)
    assert [line.price for line in both.lines] == [shop.price("pro").id, metered.id]
    assert [line.price for line in without.lines] == [shop.price("pro").id]
    assert await shop.sync(reporting) == []
