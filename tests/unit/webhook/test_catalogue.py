"""What Stripe is told to sell, from the plans and from what it sells already."""

from dataclasses import replace
from typing import Any

import pytest

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.front.catalogue import (
    PORTAL_DIGEST,
    Action,
    CatalogueConflict,
    Change,
    change_of_portal,
    changes_of_prices,
    product_id,
)
from claw_webhook.front.offers import money, promises
from claw_webhook.front.stock import Portal, SoldPrice, SoldProduct, Stock

NOTHING = Stock(products={}, prices=[], portals=[])


def plan(
    name: str = "pro", amount: int = 7900, *, products: tuple[str, ...] = (), prices: tuple[str, ...] = (), **spec: Any
) -> ClawPlan:
    """A plan that is sold under a lookup key."""
    document: dict[str, Any] = {
        "displayName": name.title(),
        "price": {"currency": "usd", "amountMonthly": amount},
        "stripe": {"lookupKeys": [f"claw_{name}_monthly"], "productIds": products, "priceIds": prices},
        "resources": {"cpu": "1", "memory": "1Gi", "storage": "500Mi"},
        "models": {"default": "claude-sonnet-5-5"},
        **spec,
    }
    return ClawPlan.model_validate({"metadata": {"name": name}, "spec": document})


def applied(changes: list[Change], stock: Stock) -> Stock:
    """What Stripe has after these changes, as Stripe would carry them out."""
    for change in changes:
        stock = _applied(change, stock)
    return stock


def _applied(change: Change, stock: Stock) -> Stock:
    products, prices = dict(stock.products), {price.id: price for price in stock.prices}
    params = dict(change.params)
    match change.action:
        case Action.CREATE_PRODUCT:
            products[change.target] = SoldProduct.model_validate(params)
        case Action.UPDATE_PRODUCT:
            products[change.target] = products[change.target].model_copy(update=params)
        case Action.CREATE_PRICE:
            assert params.pop("transfer_lookup_key")
            for price in stock.prices:
                if price.lookup_key == change.target:
                    prices[price.id] = price.model_copy(update={"lookup_key": None})
            made = f"price_{len(prices) + 1}"
            prices[made] = SoldPrice.model_validate({"id": made, **params})
        case Action.MARK_PRICE:
            prices[change.target] = prices[change.target].model_copy(update=params)
        case Action.SET_DEFAULT_PRICE:
            (chosen,) = [price.id for price in prices.values() if price.lookup_key == params["lookup_key"]]
            products[change.target] = products[change.target].model_copy(update={"default_price": chosen})
        case Action.ARCHIVE_PRICE:
            assert change.target not in {product.default_price for product in products.values()}
            prices[change.target] = prices[change.target].model_copy(update={"active": False})
    return replace(stock, products=products, prices=list(prices.values()))


def made_from(*plans: ClawPlan) -> Stock:
    """What Stripe has once it sells these plans."""
    return applied(changes_of_prices(plans, NOTHING), NOTHING)


def test_a_plan_becomes_a_product_with_a_monthly_price() -> None:
    stock = made_from(plan())
    (product,) = stock.products.values()
    (price,) = stock.prices
    assert (product.id, product.name, product.default_price) == ("claw_pro", "Claw Pro", price.id)
    assert (price.lookup_key, price.product, price.active) == ("claw_pro_monthly", "claw_pro", True)
    assert price.charges(plan())
    assert product.metadata == price.metadata == {"claw_plan": "pro"}


def test_what_is_right_is_left_alone() -> None:
    plans = [plan(), plan("team", 19900)]
    assert changes_of_prices(plans, made_from(*plans)) == []


def test_the_products_id_is_the_first_that_the_plan_names() -> None:
    assert product_id(plan(products=("prod_mine", "prod_old"))) == "prod_mine"


def test_another_amount_is_another_price_and_the_old_one_is_archived() -> None:
    dearer = plan(amount=8900, products=("claw_pro",))
    stock = made_from(plan(products=("claw_pro",)))
    after = applied(changes_of_prices([dearer], stock), stock)
    old, new = after.prices
    assert (old.unit_amount, old.active, old.lookup_key) == (7900, False, None)
    assert (new.unit_amount, new.active, new.lookup_key) == (8900, True, "claw_pro_monthly")
    assert after.products["claw_pro"].default_price == new.id
    assert changes_of_prices([dearer], after) == []


@pytest.mark.parametrize("done", range(1, 6))
def test_a_run_that_was_cut_off_is_finished_by_the_next(done: int) -> None:
    before = made_from(plan(products=("claw_pro",)))
    by_hand = replace(before, prices=[price.model_copy(update={"metadata": {}}) for price in before.prices])
    dearer = plan(amount=8900, products=("claw_pro",))
    half = applied(changes_of_prices([dearer], by_hand)[:done], by_hand)
    whole = applied(changes_of_prices([dearer], half), half)
    assert [(price.unit_amount, price.active) for price in whole.prices] == [(7900, False), (8900, True)]
    assert changes_of_prices([dearer], whole) == []


def test_a_price_that_somebody_archived_is_made_anew() -> None:
    stock = made_from(plan(products=("claw_pro",)))
    archived = replace(stock, prices=[price.model_copy(update={"active": False}) for price in stock.prices])
    after = applied(changes_of_prices([plan(products=("claw_pro",))], archived), archived)
    assert [price.active for price in after.prices] == [False, True]


def test_nobodys_price_becomes_unrecognisable() -> None:
    stock = made_from(plan())
    with pytest.raises(CatalogueConflict, match=r"First add price_1 to stripe.priceIds of ClawPlan pro"):
        changes_of_prices([plan(amount=8900)], stock)
    assert changes_of_prices([plan(amount=8900, prices=("price_1",))], stock)


def test_only_our_own_prices_are_archived() -> None:
    stock = made_from(plan())
    yearly = SoldPrice(id="price_yearly", product="claw_pro", unit_amount=79000, currency="usd")
    assert changes_of_prices([plan()], replace(stock, prices=[*stock.prices, yearly])) == []


def test_a_plan_without_a_lookup_key_is_left_alone() -> None:
    by_hand = plan(stripe={"priceIds": ["price_by_hand"]})
    assert changes_of_prices([by_hand], NOTHING) == []
    assert change_of_portal([by_hand], NOTHING) is None


def test_a_renamed_plan_renames_its_product() -> None:
    stock = made_from(plan())
    (change,) = changes_of_prices([plan(displayName="Professional")], stock)
    assert (change.action, change.params) == (Action.UPDATE_PRODUCT, {"name": "Claw Professional"})


def test_the_portal_upgrades_at_once_and_downgrades_at_the_end_of_the_period() -> None:
    plans = [plan("team", 19900), plan()]
    change = change_of_portal(plans, made_from(*plans))
    assert change is not None
    update = change.params["features"]["subscription_update"]
    assert [product["product"] for product in update["products"]] == ["claw_pro", "claw_team"]
    assert update["proration_behavior"] == "always_invoice"
    assert update["schedule_at_period_end"] == {"conditions": [{"type": "decreasing_item_amount"}]}
    assert change.params["features"]["subscription_cancel"]["mode"] == "at_period_end"


def test_the_portal_is_written_again_only_when_it_offers_something_else() -> None:
    stock = made_from(plan())
    created = change_of_portal([plan()], stock)
    assert created is not None
    assert created.action == Action.CREATE_PORTAL
    with_portal = replace(stock, portals=[Portal(id="bpc_1", metadata=created.params["metadata"])])
    assert change_of_portal([plan()], with_portal) is None

    plans = [plan(), plan("team", 19900)]
    more = replace(made_from(*plans), portals=with_portal.portals)
    changed = change_of_portal(plans, more)
    assert changed is not None
    assert (changed.action, changed.target) == (Action.UPDATE_PORTAL, "bpc_1")
    assert changed.params["metadata"][PORTAL_DIGEST] != created.params["metadata"][PORTAL_DIGEST]


def test_promises_are_words() -> None:
    limited = plan(limits={"messagesPerMonth": 20000, "agents": 1}, skills=["chat", "web_search"])
    assert promises(limited) == ("20,000 messages a month", "1 agent", "500 MB of storage", "skills: chat, web search")
    assert promises(plan(skills=["*"])) == (
        "unlimited messages",
        "unlimited agents",
        "500 MB of storage",
        "every skill",
    )


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [(2900, "usd", "$29"), (2950, "eur", "€29.50"), (123456, "chf", "CHF 1,234.56"), (2900, "jpy", "JPY 2,900")],
)
def test_money_is_written_as_people_write_it(amount: int, currency: str, written: str) -> None:
    assert money(amount, currency) == written
