"""What all requests to the Stripe simulator have in common: lists, errors, expanding, idempotency, faults."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
import pytest
import stripe

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.simulator import StripeSimulator, simulated_stripe
from tests.contract.stripe_world import ADA, KEY, client_of


@pytest.fixture
async def simulator() -> AsyncIterator[StripeSimulator]:
    async with simulated_stripe(secret_key=KEY, random=Random(7)) as running:
        yield running


@pytest.fixture
async def client(simulator: StripeSimulator) -> AsyncIterator[Any]:
    async with client_of(simulator) as opened:
        yield opened


@pytest.fixture
async def controls(simulator: StripeSimulator) -> AsyncIterator[StripeControls]:
    async with StripeControls(simulator.url) as opened:
        yield opened


async def test_lists_page_in_both_directions(client: Any) -> None:
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


async def test_subscriptions_are_listed_by_status(client: Any, controls: StripeControls) -> None:
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


async def test_events_are_listed_by_type_and_keep_what_they_told(client: Any, controls: StripeControls) -> None:
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
    client: Any,
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


async def test_refused_parameters_leave_the_idempotency_key_free(client: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.products.create_async({"nmae": "x"}, {"idempotency_key": "k2"})
    assert (await client.v1.products.create_async({"name": "x"}, {"idempotency_key": "k2"})).name == "x"


@pytest.mark.parametrize("key", ["sk_test_of_somebody_else", "pk_test_simulator"])
async def test_a_wrong_key_is_refused(simulator: StripeSimulator, key: str) -> None:
    async with client_of(simulator, key=key) as stranger:
        with pytest.raises(stripe.AuthenticationError, match="Invalid API Key") as refused:
            await stranger.v1.prices.list_async()
    assert key not in str(refused.value)


async def test_errors_name_the_parameter_and_the_code(client: Any) -> None:
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


async def test_only_references_expand_and_only_four_levels_deep(client: Any, controls: StripeControls) -> None:
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
    simulator: StripeSimulator, client: Any, fault: Fault, error: type[Exception]
) -> None:
    simulator.faults.add(fault.model_copy(update={"path": "/v1/customers", "times": 2}))
    assert len((await client.v1.products.list_async()).data) == 4
    for _ in range(2):
        with pytest.raises(error):
            await client.v1.customers.create_async({"email": "ada@example.com"})
    assert (await client.v1.customers.list_async()).data == []


async def test_a_lost_answer_is_found_again_by_its_idempotency_key(client: Any, controls: StripeControls) -> None:
    await controls.inject(Fault(kind=FaultKind.LOST_ANSWER, path="/v1/customers"))
    with pytest.raises(stripe.APIConnectionError):
        await client.v1.customers.create_async({"email": "ada@example.com"}, {"idempotency_key": "k3"})
    found = await client.v1.customers.create_async({"email": "ada@example.com"}, {"idempotency_key": "k3"})
    assert [customer.id for customer in (await client.v1.customers.list_async()).data] == [found.id]


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
