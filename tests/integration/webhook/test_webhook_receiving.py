"""What arrives at POST /webhooks/stripe: stored once, or turned away without a trace."""

import json
from typing import Any

import pytest

from claw_dev.simulators.stripe.delivery import Signing
from claw_dev.simulators.stripe.signature import sign
from claw_webhook.receiving import LARGEST_BODY
from claw_webhook.services import utc_now
from tests.eventually import eventually
from tests.integration.webhook.conftest import SECRET, World

UNKNOWN = {"id": "evt_unknown", "object": "event", "type": "tomorrow.invented", "data": {"object": {"id": "x_1"}}}
THIN = {"id": "evt_thin", "object": "v2.core.event", "type": "v2.core.account.updated", "related_object": {"id": "a"}}


def headers(body: bytes, *secrets: str) -> dict[str, str]:
    return {"Stripe-Signature": sign(body, secrets or (SECRET,), int(utc_now().timestamp()))}


async def post(world: World, body: bytes, **options: Any) -> Any:
    return await world.post("/webhooks/stripe", data=body, **{"headers": headers(body)} | options)


async def stored(world: World) -> list[str]:
    return [row["id"] for row in await world.rows("SELECT id FROM inbox ORDER BY received_at")]


async def test_what_stripe_did_not_sign_just_now_is_refused_and_not_stored(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    orders: list[dict[str, Any]] = [
        {"signing": Signing.FORGED},
        {"signing": Signing.MALFORMED},
        {"signing": Signing.MISSING},
        {"age": 301},
    ]
    async with world.running():
        for order in orders:
            answer = await world.deliver(body=json.dumps(UNKNOWN), **order)
            assert answer["status"] == 400, order
            assert json.loads(answer["answer"])["title"] == "Invalid signature"
        assert await stored(world) == []
        assert await world.metric("claw_webhook_events_total", outcome="forged", type="") == len(orders)
        assert len([record for record in caplog.records if "turned away" in record.getMessage()]) == 1


async def test_what_is_signed_but_no_event_is_refused(world: World) -> None:
    bodies = [b"", b"hello", b"[]", b"null", b"{}", b'{"id": "evt_1"}', b'{"id": "../1", "type": "a"}', b"[" * 200_000]
    async with world.running():
        for body in bodies:
            answer = await post(world, body)
            assert answer.status == 400, body[:30]
            assert answer.headers["Content-Type"] == "application/problem+json; charset=utf-8"
        assert await stored(world) == []


async def test_a_body_beyond_the_cap_is_refused(world: World) -> None:
    async with world.running():
        answer = await post(world, b" " * (LARGEST_BODY + 1))
        assert answer.status == 413
        assert json.loads(answer.text)["status"] == 413
        assert await stored(world) == []


async def test_a_large_event_within_the_cap_is_taken(world: World) -> None:
    async with world.running():
        event = json.dumps(UNKNOWN)
        answer = await world.deliver(body=event, padding=LARGEST_BODY - len(event))
        assert answer["status"] == 200


@pytest.mark.parametrize("event", [UNKNOWN, THIN], ids=lambda event: event["id"])
async def test_an_event_that_nobody_acts_on_is_kept_all_the_same(world: World, event: dict[str, Any]) -> None:
    async with world.running():
        body = json.dumps(event, indent=2).encode()
        assert (await post(world, body)).status == 200
        (row,) = await world.rows("SELECT * FROM inbox")
        assert (row["id"], row["type"], row["state"]) == (event["id"], event["type"], "ignored")
        assert row["payload"].encode() == body


async def test_a_second_delivery_of_an_event_changes_nothing(world: World) -> None:
    async with world.running():
        body = json.dumps(UNKNOWN).encode()
        assert [(await post(world, body)).status for _ in range(3)] == [200, 200, 200]
        assert await stored(world) == ["evt_unknown"]
        labels = {"type": "tomorrow.invented"}
        assert await world.metric("claw_webhook_events_total", outcome="duplicate", **labels) == 2


async def test_while_a_secret_is_rolled_the_old_and_the_new_one_are_good(world: World) -> None:
    world.environment["STRIPE_WEBHOOK_SECRET"] = f"whsec_new,{SECRET}"
    async with world.running():
        for number, secrets in enumerate([("whsec_new",), (SECRET,), ("whsec_of_nobody", "whsec_new")]):
            body = json.dumps(UNKNOWN | {"id": f"evt_{number}"}).encode()
            assert (await post(world, body, headers=headers(body, *secrets))).status == 200
        body = json.dumps(UNKNOWN | {"id": "evt_else"}).encode()
        assert (await post(world, body, headers=headers(body, "whsec_of_nobody"))).status == 400
        assert await stored(world) == ["evt_0", "evt_1", "evt_2"]


async def test_other_methods_and_paths_are_problems_too(world: World) -> None:
    async with world.running():
        for path, status in (("/webhooks/stripe", 405), ("/nothing", 404)):
            answer = await world.get(path)
            assert (answer.status, json.loads(answer.text)["status"]) == (status, status)


async def test_without_a_database_stripe_is_asked_to_come_again_and_nothing_is_lost(world: World) -> None:
    async with world.running():
        assert (await world.get("/readyz")).status == 200
        await world.database_wire.cut()
        body = json.dumps(UNKNOWN).encode()
        answer = await post(world, body)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        assert (await world.get("/readyz")).status == 503
        assert (await world.get("/healthz")).status == 200

        subscription = await world.buy()  # Stripe tells of it while nobody can store it
        await world.database_wire.join()
        await world.instance_of(subscription)

        async def taken() -> bool:
            return bool((await post(world, body)).status == 200)

        await eventually(taken)
        assert "evt_unknown" in await stored(world)
        await eventually_ready(world)


async def eventually_ready(world: World) -> None:
    async def ready() -> bool:
        return (await world.get("/readyz")).status == 200

    await eventually(ready)
