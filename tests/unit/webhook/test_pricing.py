"""Which plan a customer has bought, whatever became of its prices, and which one is still paid for."""

from typing import Any

import pytest

from claw_webhook.billing import Account, Decision, Memory, RefusalReason, decide
from claw_webhook.pricing import plan_of_price
from claw_webhook.stripe_objects import StripePrice, Subscription
from tests.unit.webhook.life import refused, wished
from tests.unit.webhook.stripe_documents import (
    Prices,
    before_basil,
    day,
    invoice_document,
    line_document,
    open_invoice,
    plan,
    price_document,
    stamp,
    subscription,
    subscription_document,
)

STARTER = plan("starter", price_ids=("price_starter",), monthly=2900)
PRO = plan(
    "pro",
    price_ids=("price_pro", "price_pro_old"),
    lookup_keys=("pro_monthly",),
    product_ids=("prod_pro",),
    monthly=7900,
)
TEAM = plan("team", price_ids=("price_team",), lookup_keys=("team_monthly",), monthly=19900)
PLANS = (STARTER, PRO, TEAM)


def decided(document: dict[str, Any], on: float = 10) -> Decision:
    return decide(Account(Subscription.model_validate(document)), PLANS, day(on))


def bought(*items: tuple[dict[str, Any], int | None]) -> dict[str, Any]:
    """A subscription to these prices, in these quantities."""
    return subscription_document(items={"data": [{"price": price, "quantity": number} for price, number in items]})


@pytest.mark.parametrize(
    ("prices", "name"),
    [
        ((("price_pro", None),), "pro"),
        ((("price_pro_old", None),), "pro"),
        ((("price_new", "pro_monthly"),), "pro"),
        ((("price_team", None),), "team"),
        ((("price_addon", None), ("price_team", None)), "team"),
        ((("price_pro", None), ("price_pro_old", "pro_monthly")), "pro"),
    ],
)
def test_the_plan_is_the_one_that_sells_the_price(prices: Prices, name: str) -> None:
    assert wished(decided(subscription_document(prices=prices))).spec.plan_ref.name == name


@pytest.mark.parametrize("product", ["prod_pro", {"id": "prod_pro", "object": "product", "active": False}])
def test_a_price_that_was_archived_and_lost_its_lookup_key_is_known_by_its_product(product: Any) -> None:
    archived = price_document("price_of_2024", active=False, product=product)
    assert wished(decided(bought((archived, 1)))).spec.plan_ref.name == "pro"


@pytest.mark.parametrize("prices", [(("price_else", "else"),), (("price_else", None),), ()])
def test_an_unknown_price_is_never_a_default(prices: Prices) -> None:
    refusal = refused(decided(subscription_document(prices=prices)))
    assert refusal.reason == RefusalReason.UNKNOWN_PRICE
    assert "sub_Pro1" in refusal.message
    assert all(price in refusal.message for price, _ in prices)


def test_prices_of_two_plans_are_not_chosen_among() -> None:
    refusal = refused(decided(subscription_document(prices=(("price_pro", None), ("price_team", None)))))
    assert refusal.reason == RefusalReason.AMBIGUOUS_PLAN
    assert "pro, team" in refusal.message


def test_a_price_without_lookup_key_or_product_means_no_plan_that_names_none() -> None:
    assert plan_of_price(StripePrice(id="price_else"), PLANS) == set()


@pytest.mark.parametrize("quantity", [1, 5, None])
def test_any_quantity_is_one_instance(quantity: int | None) -> None:
    assert wished(decided(bought((price_document("price_pro"), quantity)))).spec.plan_ref.name == "pro"


def test_a_quantity_of_nothing_buys_nothing() -> None:
    both = bought((price_document("price_pro"), 0), (price_document("price_team"), 1))
    assert wished(decided(both)).spec.plan_ref.name == "team"
    refusal = refused(decided(bought((price_document("price_pro"), 0))))
    assert refusal.reason == RefusalReason.UNKNOWN_PRICE
    assert "none of it" in refusal.message


def changed(to: str, *lines: dict[str, Any], **invoice: Any) -> dict[str, Any]:
    """The subscription has this price now; the latest invoice has those lines."""
    return subscription_document(prices=((to, None),), latest_invoice=invoice_document(*lines, **invoice))


def starter(**changes: Any) -> dict[str, Any]:
    return line_document("price_starter", **{"amount": 2900, **changes})


def pro(**changes: Any) -> dict[str, Any]:
    return line_document("price_pro", **{"amount": 7900, **changes})


KEPT = [
    pytest.param(changed("price_starter", pro()), id="a downgrade without credit"),
    pytest.param(
        changed("price_starter", starter(amount=-1500, begins=5), pro(amount=4000, begins=5), created=5),
        id="a downgrade soon after an upgrade",
    ),
    pytest.param(changed("price_starter", pro(amount=-500), pro()), id="a downgrade, a little was given back"),
    pytest.param(changed("price_starter", pro(), starter()), id="several lines: the dearer one"),
    pytest.param(changed("price_starter", pro(), amount_due=0, amount_paid=0), id="a coupon made it free"),
]
AT_ONCE = [
    pytest.param(changed("price_pro", starter()), "pro", id="an upgrade that is billed later"),
    pytest.param(changed("price_pro", starter(amount=-1500), pro(amount=4000)), "pro", id="an upgrade, billed at once"),
    pytest.param(
        changed("price_starter", pro(amount=-4000), starter(amount=1500)), "starter", id="a downgrade with credit"
    ),
    pytest.param(
        changed("price_starter", pro(amount=-7900), pro(), starter()), "starter", id="a downgrade, all given back"
    ),
    pytest.param(changed("price_starter", pro(), status="open"), "starter", id="the dearer one was not paid"),
    pytest.param(changed("price_starter", pro(amount=0)), "starter", id="a downgrade within the trial"),
    pytest.param(changed("price_starter", pro(begins=-30, ends=0)), "starter", id="what was paid for is over"),
    pytest.param(changed("price_starter", pro(begins=20, ends=50)), "starter", id="what was paid for is yet to come"),
    pytest.param(changed("price_starter", line_document("price_addon")), "starter", id="something that no plan sells"),
    pytest.param(changed("price_pro", pro()), "pro", id="no change at all"),
]


@pytest.mark.parametrize("shape", [dict, before_basil], ids=["present", "before 2025-03-31"])
@pytest.mark.parametrize("document", KEPT)
def test_who_paid_for_more_keeps_it_until_that_is_over(document: dict[str, Any], shape: Any) -> None:
    before = wished(decided(shape(document), 29.99))
    assert before.spec.plan_ref.name == "pro"
    assert before.next_plan == "starter"
    assert before.look_again_at == day(30)
    after = wished(decided(shape(document), 30))
    assert after.spec.plan_ref.name == "starter"
    assert after.next_plan is None
    assert after.look_again_at is None


@pytest.mark.parametrize("status", ["active", "past_due", "unpaid", "paused", "canceled"])
def test_what_was_paid_for_ends_however_the_subscription_stands(status: str) -> None:
    seen = Subscription.model_validate(changed("price_starter", pro()) | {"status": status, "ended_at": stamp(29)})
    # The bill's grace and the data's retention come to their end later.
    account = Account(seen, arrears=(open_invoice(created=28),), memory=Memory(instance="claw-1"))
    before = wished(decide(account, PLANS, day(29)))
    assert (before.spec.plan_ref.name, before.look_again_at) == ("pro", day(30))
    assert wished(decide(account, PLANS, day(30))).spec.plan_ref.name == "starter"


@pytest.mark.parametrize("shape", [dict, before_basil], ids=["present", "before 2025-03-31"])
@pytest.mark.parametrize(("document", "name"), AT_ONCE)
def test_everything_else_counts_at_once(document: dict[str, Any], name: str, shape: Any) -> None:
    decision = wished(decided(shape(document)))
    assert decision.spec.plan_ref.name == name
    assert decision.next_plan is None


def test_plans_of_different_currencies_are_not_compared() -> None:
    euros = plan("starter", price_ids=("price_starter",), monthly=2900, currency="eur")
    document = changed("price_starter", pro())
    decision = decide(Account(Subscription.model_validate(document)), (euros, PRO), day(10))
    assert wished(decision).spec.plan_ref.name == "starter"


def test_of_two_dearer_plans_the_dearest_counts() -> None:
    document = changed("price_starter", pro(), line_document("price_team", amount=19900, ends=12))
    assert wished(decided(document, 11)).spec.plan_ref.name == "team"
    assert wished(decided(document, 12)).spec.plan_ref.name == "pro"


def test_a_plan_that_nobody_sells_any_more_is_not_kept() -> None:
    document = changed("price_starter", pro())
    decision = decide(Account(Subscription.model_validate(document)), (STARTER,), day(10))
    assert wished(decision).spec.plan_ref.name == "starter"


def test_the_price_of_a_month_is_told_only_where_it_is_known() -> None:
    yearly = {"interval": "year", "interval_count": 1}
    known = bought((price_document("price_pro", unit_amount=2900), 3), (price_document("price_addon"), 1))
    assert Subscription.model_validate(known).monthly_price == 3 * 2900 + 7900
    for document in (
        bought((price_document("price_pro", recurring=yearly), 1)),
        bought((price_document("price_pro", unit_amount=None), 1)),
        bought((price_document("price_pro"), 1), (price_document("price_metered"), None)),
        subscription_document(discounts=["di_1"]),
    ):
        assert Subscription.model_validate(document).monthly_price is None
    assert subscription().monthly_price == 7900
