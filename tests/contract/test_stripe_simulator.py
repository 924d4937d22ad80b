"""The Stripe simulator's API, judged by Stripe's own library."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any, get_args

import httpx
import pytest
import stripe

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.stripe import versions
from claw_dev.simulators.stripe.controls import OrderRefused, StripeControls
from claw_dev.simulators.stripe.orders import CompleteCheckout
from claw_dev.simulators.stripe.records import SubscriptionStatus
from claw_dev.simulators.stripe.simulator import StripeSimulator, simulated_stripe
from tests.contract.stripe_world import ADA, KEY, client_of

# The library hands its form-encoded bodies to httpx as `data`, which httpx would rather have as `content`.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")


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


async def test_the_version_is_the_one_that_the_library_asks_for(simulator: StripeSimulator) -> None:
    assert versions.CURRENT == stripe._api_version._ApiVersion.CURRENT


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


async def test_lists_page_in_both_directions(client: stripe.StripeClient) -> None:
    made = [(await client.v1.customers.create_async({"email": f"{n}@example.com"})).id for n in range(7)]
    first = await client.v1.customers.list_async({"limit": 3})
    assert ([customer.id for customer in first.data], first.has_more) == (made[:3:-1], True)
    forward = [customer.id async for customer in first.auto_paging_iter()]
    assert forward == made[::-1]
    backward = await client.v1.customers.list_async({"limit": 3, "ending_before": made[1]})
    assert [customer.id for customer in backward.data] == [made[4], made[3], made[2]]
    assert [customer.id async for customer in backward.auto_paging_iter()] == made[2:]
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        await client.v1.customers.list_async({"starting_after": "cus_nobody"})


async def test_subscriptions_are_listed_by_status(client: stripe.StripeClient, controls: StripeControls) -> None:
    running = (await controls.complete_checkout(ADA))["subscription"]["id"]
    ended = (await controls.complete_checkout(ADA))["subscription"]["id"]
    await controls.cancel(ended)

    async def listed(**filters: Any) -> list[str]:
        return [subscription.id for subscription in (await client.v1.subscriptions.list_async(filters)).data]

    assert await listed() == [running]
    assert await listed(status="all") == [ended, running]
    assert await listed(status="ended") == [ended]
    assert await listed(status="past_due") == []
    assert await listed(price="price_team_monthly") == []


async def test_events_are_listed_by_type_and_keep_what_they_told(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    subscription = (await controls.complete_checkout(ADA))["subscription"]["id"]
    await controls.change_price(subscription, "claw_team_monthly")
    await controls.cancel(subscription)
    found = await client.v1.events.list_async(
        {"types": ["customer.subscription.created", "customer.subscription.updated"]}
    )
    updated, created = found.data
    assert created.data.object["status"] == "active"
    assert updated.data.object["items"]["data"][0]["price"]["id"] == "price_team_monthly"
    assert updated.data.previous_attributes["items"]["data"][0]["price"]["id"] == "price_pro_monthly"
    assert (await client.v1.events.retrieve_async(created.id)).data.object["id"] == subscription


async def test_the_same_idempotency_key_gives_the_same_answer_and_makes_nothing_twice(
    client: stripe.StripeClient,
) -> None:
    once = await client.v1.customers.create_async({"email": "ada@example.com"}, {"idempotency_key": "k1"})
    again = await client.v1.customers.create_async({"email": "ada@example.com"}, {"idempotency_key": "k1"})
    assert again.id == once.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len((await client.v1.customers.list_async()).data) == 1
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        await client.v1.customers.create_async({"email": "eve@example.com"}, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        await client.v1.products.create_async({"name": "x"}, {"idempotency_key": "k1"})


async def test_refused_parameters_leave_the_idempotency_key_free(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.products.create_async({"nmae": "x"}, {"idempotency_key": "k2"})
    assert (await client.v1.products.create_async({"name": "x"}, {"idempotency_key": "k2"})).name == "x"


@pytest.mark.parametrize("key", ["sk_test_of_somebody_else", "pk_test_simulator"])
async def test_a_wrong_key_is_refused(simulator: StripeSimulator, key: str) -> None:
    async with client_of(simulator, key=key) as stranger:
        with pytest.raises(stripe.AuthenticationError, match="Invalid API Key") as refused:
            await stranger.v1.prices.list_async()
    assert key not in str(refused.value)


async def test_errors_name_the_parameter_and_the_code(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        await client.v1.subscriptions.retrieve_async("sub_nowhere")
    assert (unknown.value.http_status, unknown.value.code, unknown.value.param) == (404, "resource_missing", "id")
    assert unknown.value.request_id
    assert unknown.value.request_id.startswith("req_")
    wrong: list[tuple[dict[str, Any], str, str | None]] = [
        ({"limit": 101}, "limit", "parameter_invalid_integer"),
        ({"colour": "red"}, "colour", "parameter_unknown"),
        ({"active": "perhaps"}, "active", None),
    ]
    for params, param, code in wrong:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await client.v1.prices.list_async(params)
        assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)
    with pytest.raises(stripe.InvalidRequestError) as nested:
        await client.v1.checkout.sessions.create_async(
            {"mode": "subscription", "success_url": "https://claw.example", "line_items": [{"price": "price_none"}]}
        )
    assert (nested.value.param, nested.value.code) == ("line_items[0][price]", "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        await client.v1.charges.list_async()


async def test_only_references_expand_and_only_four_levels_deep(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    subscription = (await controls.complete_checkout(ADA))["subscription"]["id"]
    found = await client.v1.subscriptions.retrieve_async(
        subscription, {"expand": ["items.data.price.product", "customer.subscriptions"]}
    )
    assert found["items"].data[0].price.product.name == "Claw Pro"
    assert [s.id for s in found.customer.subscriptions] == [subscription]
    for path in ("status", "metadata", "nothing", "items.data.quantity"):
        with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
            await client.v1.subscriptions.retrieve_async(subscription, {"expand": [path]})
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        await client.v1.subscriptions.list_async({"expand": ["data.items.data.price.product"]})


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


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(kind=FaultKind.ERROR, status=500), stripe.APIError),
        (Fault(kind=FaultKind.ERROR, status=429, retry_after=1), stripe.RateLimitError),
        (Fault(kind=FaultKind.CUT), stripe.APIConnectionError),
        (Fault(kind=FaultKind.TIMEOUT, seconds=0.01), stripe.APIConnectionError),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else value.__name__,
)
async def test_faults_hit_the_next_requests_and_no_more(
    simulator: StripeSimulator, client: stripe.StripeClient, fault: Fault, error: type[Exception]
) -> None:
    simulator.faults.add(fault.model_copy(update={"path": "/v1/customers", "times": 2}))
    assert len((await client.v1.products.list_async()).data) == 4
    for _ in range(2):
        with pytest.raises(error):
            await client.v1.customers.create_async({"email": "ada@example.com"})
    assert (await client.v1.customers.list_async()).data == []


async def test_a_lost_answer_is_found_again_by_its_idempotency_key(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    await controls.inject(Fault(kind=FaultKind.LOST_ANSWER, path="/v1/customers"))
    with pytest.raises(stripe.APIConnectionError):
        await client.v1.customers.create_async({"email": "ada@example.com"}, {"idempotency_key": "k3"})
    found = await client.v1.customers.create_async({"email": "ada@example.com"}, {"idempotency_key": "k3"})
    assert [customer.id for customer in (await client.v1.customers.list_async()).data] == [found.id]


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


async def test_parameters_can_be_written_as_other_clients_write_them(simulator: StripeSimulator) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=simulator.url, headers=headers, trust_env=False) as raw:
        expanded = await raw.get("/v1/prices?expand[]=data.product&limit=1")
        metadata = await raw.post("/v1/customers", data={"metadata[0]": "zero", "metadata[7]": "seven"})
        assert expanded.json()["data"][0]["product"]["object"] == "product"
        assert metadata.json()["metadata"] == {"0": "zero", "7": "seven"}
        for wrong in ({"metadata[a": "1"}, {"metadata": "1", "metadata[a]": "2"}, {"name[first]": "Ada"}):
            assert (await raw.post("/v1/customers", data=wrong)).json()["error"]["type"] == "invalid_request_error"
        json_body = await raw.post("/v1/customers", json={"name": "Ada"})
        strange_version = await raw.get("/v1/prices", headers={"Stripe-Version": "yesterday"})
    assert json_body.status_code == strange_version.status_code == 400


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


async def test_every_object_has_the_fields_that_the_library_knows(
    client: stripe.StripeClient, controls: StripeControls
) -> None:
    paid = await controls.complete_checkout(ADA)
    await controls.set_status(paid["subscription"]["id"], SubscriptionStatus.PAUSED)
    v1 = client.v1
    subscription = await v1.subscriptions.retrieve_async(paid["subscription"]["id"], {"expand": ["latest_invoice"]})
    session = await v1.checkout.sessions.retrieve_async(paid["session"]["id"], {"expand": ["line_items"]})
    item = subscription["items"].data[0]
    objects: list[stripe.StripeObject] = [
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
    wrong = [fault for thing in objects for fault in disagreements(thing.to_dict(), type(thing), thing["object"])]
    assert wrong == []
