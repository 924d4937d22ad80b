"""The Stripe simulator's API, judged by Stripe's own library."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
import pytest
import stripe

from claw_dev.simulators.stripe.controls import OrderRefused, StripeControls
from claw_dev.simulators.stripe.orders import CompleteCheckout
from claw_dev.simulators.stripe.records import SubscriptionStatus
from claw_dev.simulators.stripe.simulator import StripeSimulator, simulated_stripe
from tests.contract.stripe_world import ADA, KEY, client_of


@pytest.fixture
async def simulator() -> AsyncIterator[StripeSimulator]:
    async with simulated_stripe(secret_key=KEY, random=Random(7)) as running:
        yield running


@pytest.fixture
async def client(simulator: StripeSimulator) -> AsyncIterator[stripe.StripeClient]:
    async with client_of(simulator) as opened:
        yield opened


@pytest.fixture
async def controls(simulator: StripeSimulator) -> AsyncIterator[StripeControls]:
    async with StripeControls(simulator.url) as opened:
        yield opened


async def test_three_plans_and_a_stray_price_are_for_sale(client: stripe.StripeClient) -> None:
    prices = (await client.v1.prices.list_async()).data
    assert {price.id: (price.unit_amount, price.lookup_key) for price in prices} == {
        "price_starter_monthly": (2900, "claw_starter_monthly"),
        "price_pro_monthly": (7900, "claw_pro_monthly"),
        "price_team_monthly": (19900, "claw_team_monthly"),
        "price_unknown_monthly": (4200, None),
    }
    found = await client.v1.prices.list_async({"lookup_keys": ["claw_team_monthly"], "expand": ["data.product"]})
    assert [price.product.name for price in found.data] == ["Claw Team"]


async def test_a_paid_checkout_makes_a_customer_with_a_running_subscription(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    paid = await controls.complete_checkout(ADA)
    session = await client.v1.checkout.sessions.retrieve_async(
        paid["session"]["id"], {"expand": ["line_items", "subscription", "customer"]}
    )
    assert session.mode == "subscription"
    assert session.status == "complete"
    assert session.payment_status == "paid"
    assert session.customer_details.email == "ada@example.com"
    assert [item.price.id for item in session.line_items] == ["price_pro_monthly"]
    assert session.customer.name == "Ada Lovelace"
    assert session.customer.preferred_locales == ["en-GB"]
    assert session.subscription.status == "active"
    assert session.subscription.metadata.to_dict() == {"timezone": "Europe/London"}
    assert session.id.startswith("cs_test_")


async def test_a_checkout_that_we_opened_keeps_what_we_gave_it(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    session = await client.v1.checkout.sessions.create_async(
        {
            "mode": "subscription",
            "line_items": [{"price": "price_starter_monthly", "quantity": 1}],
            "success_url": "https://claw.example/welcome",
            "client_reference_id": "visit-7",
            "metadata": {"campaign": "spring"},
            "subscription_data": {"metadata": {"company": "Analytical Engines"}, "trial_period_days": 14},
        }
    )
    assert session.status == "open"
    assert session.customer is None
    await controls.complete_checkout(CompleteCheckout(session=session.id, email="ada@example.com"))
    session = await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["subscription"]})
    assert session.payment_status == "no_payment_required"
    assert session.client_reference_id == "visit-7"
    assert session.metadata["campaign"] == "spring"
    assert session.subscription.status == "trialing"
    assert session.subscription.metadata["company"] == "Analytical Engines"
    with pytest.raises(OrderRefused, match="no longer open"):
        await controls.complete_checkout(CompleteCheckout(session=session.id, email="eve@example.com"))


async def test_the_period_is_on_the_items_now_and_was_on_the_subscription_before_basil(
    simulator: StripeSimulator, client: stripe.StripeClient, controls: StripeControls
) -> None:
    subscription_id = (await controls.complete_checkout(ADA))["subscription"]["id"]
    now = await client.v1.subscriptions.retrieve_async(subscription_id)
    async with client_of(simulator, version="2024-06-20") as older:
        then = await older.v1.subscriptions.retrieve_async(subscription_id)
    item = now["items"].data[0]
    assert item.current_period_end > item.current_period_start
    assert "current_period_end" not in now
    assert then["current_period_end"] == item.current_period_end
    assert "current_period_end" not in then["items"].data[0]


async def test_a_subscription_changes_its_price_and_an_item_without_id_is_another_one(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    subscription = (await controls.complete_checkout(ADA))["subscription"]
    item = subscription["items"]["data"][0]["id"]
    changed = await client.v1.subscriptions.update_async(
        subscription["id"], {"items": [{"id": item, "price": "price_team_monthly"}], "metadata": {"timezone": ""}}
    )
    assert [(i.id, i.price.id) for i in changed["items"]] == [(item, "price_team_monthly")]
    assert changed.metadata.to_dict() == {}
    more = await client.v1.subscriptions.update_async(
        subscription["id"], {"items": [{"price": "price_starter_monthly"}]}
    )
    assert [i.price.id for i in more["items"]] == ["price_team_monthly", "price_starter_monthly"]


async def test_a_subscription_runs_out_or_ends_at_once(client: stripe.StripeClient, controls: StripeControls) -> None:
    leaving = (await controls.complete_checkout(ADA))["subscription"]["id"]
    announced = await client.v1.subscriptions.update_async(leaving, {"cancel_at_period_end": True})
    assert announced.status == "active"
    assert announced.cancel_at == announced["items"].data[0].current_period_end
    staying = await client.v1.subscriptions.update_async(leaving, {"cancel_at_period_end": False})
    assert staying.cancel_at is None
    await controls.cancel(leaving, at_period_end=True)
    assert (await controls.finish_period(leaving))["status"] == "canceled"

    gone = (await controls.complete_checkout(ADA))["subscription"]["id"]
    canceled = await client.v1.subscriptions.cancel_async(gone, {"cancellation_details": {"comment": "too slow"}})
    assert (canceled.status, canceled.cancellation_details.comment) == ("canceled", "too slow")
    assert (await client.v1.subscriptions.retrieve_async(gone)).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        await client.v1.subscriptions.cancel_async(gone)
    with pytest.raises(stripe.InvalidRequestError, match="can only update"):
        await client.v1.subscriptions.update_async(gone, {"description": "back again"})


async def test_a_renewed_subscription_has_a_new_period_and_a_paid_invoice(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    before = (await controls.complete_checkout(ADA))["subscription"]
    await controls.finish_period(before["id"])
    after = await client.v1.subscriptions.retrieve_async(before["id"], {"expand": ["latest_invoice"]})
    assert after["items"].data[0].current_period_start == before["items"]["data"][0]["current_period_end"]
    assert (after.latest_invoice.status, after.latest_invoice.amount_paid) == ("paid", 7900)
    assert after.latest_invoice.parent.subscription_details.subscription == after.id
    invoices = await client.v1.invoices.list_async({"subscription": after.id})
    assert [invoice.billing_reason for invoice in invoices.data] == ["subscription_cycle", "subscription_create"]


async def test_statuses_come_and_go_with_the_events_that_lead_there(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    subscription = (await controls.complete_checkout(ADA))["subscription"]["id"]
    for status in map(SubscriptionStatus, ("past_due", "unpaid", "active", "paused", "active")):
        await controls.set_status(subscription, status)
        assert (await client.v1.subscriptions.retrieve_async(subscription)).status == status
    story = [event.type async for event in (await client.v1.events.list_async()).auto_paging_iter()]
    invoiced = ["invoice.created", "invoice.finalized"]
    paid = ["invoice.paid", "invoice.payment_succeeded"]
    failed = ["invoice.updated", "invoice.payment_failed"]
    assert list(reversed(story)) == [
        *("customer.created", "invoice.created", "customer.subscription.created", "invoice.finalized", *paid),
        "checkout.session.completed",
        *(*invoiced, *failed, "customer.updated", "customer.subscription.updated"),
        *(*failed, "customer.subscription.updated"),
        *(*paid, "customer.subscription.updated", "customer.updated"),
        *("customer.subscription.updated", "customer.subscription.paused"),
        *("customer.subscription.updated", "customer.subscription.resumed"),
    ]


async def test_a_deleted_customer_is_a_stub_without_subscriptions(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    paid = await controls.complete_checkout(ADA)
    await client.v1.customers.delete_async(paid["customer"]["id"])
    stub = await client.v1.customers.retrieve_async(paid["customer"]["id"])
    assert stub.to_dict() == {"id": paid["customer"]["id"], "object": "customer", "deleted": True}
    assert (await client.v1.subscriptions.retrieve_async(paid["subscription"]["id"])).status == "canceled"


async def test_a_lookup_key_moves_only_when_it_is_told_to(client: stripe.StripeClient) -> None:
    price: dict[str, Any] = {
        "currency": "usd",
        "unit_amount": 8900,
        "product": "prod_claw_pro",
        "recurring": {"interval": "month"},
        "lookup_key": "claw_pro_monthly",
    }
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        await client.v1.prices.create_async(price)
    new = await client.v1.prices.create_async({**price, "transfer_lookup_key": True})
    found = await client.v1.prices.list_async({"lookup_keys": ["claw_pro_monthly"]})
    assert [p.id for p in found.data] == [new.id]


async def test_the_same_seed_and_clock_make_the_same_world() -> None:
    def noon() -> datetime:
        return datetime(2026, 1, 31, 12, tzinfo=UTC)

    worlds = []
    for _ in range(2):
        async with simulated_stripe(random=Random(1), clock=noon) as one, StripeControls(one.url) as controls:
            worlds.append((await controls.complete_checkout(ADA))["subscription"])
    assert worlds[0] == worlds[1]
    assert worlds[0]["items"]["data"][0]["current_period_end"] == datetime(2026, 2, 28, 12, tzinfo=UTC).timestamp()


async def test_a_person_can_pay_on_the_page_of_a_session(
    simulator: StripeSimulator, client: stripe.StripeClient
) -> None:
    session = await client.v1.checkout.sessions.create_async(
        {
            "mode": "subscription",
            "line_items": [{"price": "price_team_monthly"}],
            "success_url": "https://claw.example/welcome?session={CHECKOUT_SESSION_ID}",
        }
    )
    assert session.url
    assert session.url.startswith(simulator.url)
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = await browser.get(session.url)
        paid = await browser.post(session.url, data={"email": "ada@example.com", "name": "<b>Ada</b>"})
        again = await browser.get(session.url)
    assert "simulator" in page.text
    assert "Claw Team: 199.00 USD a month" in page.text
    assert (paid.status_code, paid.headers["location"]) == (303, f"https://claw.example/welcome?session={session.id}")
    assert again.status_code == 410
    assert (await client.v1.customers.list_async()).data[0].name == "<b>Ada</b>"
