"""From the plans to the key: checkout, the page that follows along, and who gets to see what."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from claw_dev.simulators.faults import Fault
from claw_dev.simulators.stripe.orders import CompleteCheckout
from claw_dev.simulators.stripe.records import CheckoutSession, Price
from claw_webhook.front.visitors import BROWSER
from tests.eventually import eventually
from tests.integration.webhook.conftest import ADA, Answer, World

PERSON = {"Accept": "text/html"}


def cookie(answer: Answer, name: str = BROWSER) -> str:
    """What a Set-Cookie header sets."""
    (found,) = [one for one in answer.headers.getall("Set-Cookie") if one.startswith(f"{name}=")]
    return found.removeprefix(f"{name}=").split(";")[0]


async def begin(world: World, plan: str = "pro", **headers: str) -> Answer:
    """A person presses a plan's button."""
    return await world.post("/checkout", data={"plan": plan}, headers=headers, allow_redirects=False)


def sessions(world: World) -> list[CheckoutSession]:
    """All checkout sessions, the newest first."""
    return world.stripe.account.all(CheckoutSession)


async def pay(world: World, session: str) -> str:
    """The customer pays in an open session. Returns the subscription's id."""
    order = CompleteCheckout(email=ADA.email, name=ADA.name, locale=ADA.locale, session=session)
    bought = await world.controls.complete_checkout(order)
    return str(bought["subscription"]["id"])


@asynccontextmanager
async def told(world: World, session: str) -> AsyncIterator[Any]:
    """The server-sent events of a checkout, as pairs of name and document."""

    async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        name = ""
        async for line in response.content:
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)

    async with world.client.get(f"{world.url}/welcome/progress", params={"session_id": session}) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield events(response)


def conditions(*kinds: str) -> Iterator[dict[str, Any]]:
    """Conditions that are True, as the operator writes them."""
    for kind in kinds:
        moment = "2026-11-22T12:00:00Z"
        yield {"type": kind, "status": "True", "reason": "Available", "message": "", "lastTransitionTime": moment}


def done(document: dict[str, Any]) -> list[str]:
    """Names of the stages that are behind."""
    return [stage["name"] for stage in document["stages"] if stage["done"]]


async def test_the_plans_of_the_cluster_are_for_sale(world: World) -> None:
    async with world.running():
        page = await world.get("/plans")
        assert page.status == 200
        for words in ("Starter", "$29", "5,000 messages a month", "Team", "$199", "unlimited agents", "every skill"):
            assert words in page.text
        assert page.text.index("Starter") < page.text.index("Pro") < page.text.index("Team")


async def test_a_button_leads_to_stripes_page(world: World) -> None:
    async with world.running():
        answer = await begin(world)
        (session,) = sessions(world)
        assert (answer.status, answer.headers["Location"]) == (303, session.url)
        assert session.success_url == "https://claw.example/welcome?session_id={CHECKOUT_SESSION_ID}"
        assert [line.price for line in session.lines] == ["price_pro_monthly"]
        assert session.metadata["claw_plan"] == session.subscription_metadata["claw_plan"] == "pro"
        assert session.customer is None
        (set_cookie,) = answer.headers.getall("Set-Cookie")
        for attribute in ("HttpOnly", "Secure", "SameSite=Lax"):
            assert attribute in set_cookie
        assert cookie(answer) not in str(session)


async def test_json_is_answered_in_json(world: World) -> None:
    async with world.running():
        answer = await world.post("/checkout", json={"plan": "starter"})
        assert (answer.status, json.loads(answer.text)) == (200, {"url": sessions(world)[0].url})


@pytest.mark.parametrize(("timezone", "kept"), [("Europe/London", "Europe/London"), ("<script>", None), ("", None)])
async def test_the_browsers_time_zone_goes_with_the_order(world: World, timezone: str, kept: str | None) -> None:
    async with world.running():
        await world.post("/checkout", json={"plan": "pro", "timezone": timezone})
        (session,) = sessions(world)
        assert session.subscription_metadata.get("timezone") == kept


async def test_an_idempotency_key_opens_one_checkout(world: World) -> None:
    async with world.running():
        answers = [
            await world.post("/checkout", json={"plan": "pro"}, headers={"Idempotency-Key": "once"}) for _ in range(3)
        ]
        assert len({answer.text for answer in answers}) == len(sessions(world)) == 1
        other = await world.post("/checkout", json={"plan": "team"}, headers={"Idempotency-Key": "once"})
        assert (other.status, other.headers["Content-Type"]) == (409, "application/problem+json; charset=utf-8")


async def test_a_key_of_one_browser_does_not_lead_another_to_its_checkout(world: World) -> None:
    async with world.running():
        for who in ({"Cookie": f"{BROWSER}={'a' * 43}"}, {"Cookie": f"{BROWSER}={'b' * 43}"}, {}):
            await world.post("/checkout", json={"plan": "pro"}, headers={"Idempotency-Key": "1", **who})
        await world.post(
            "/checkout", json={"plan": "pro"}, headers={"Idempotency-Key": "1", "X-Forwarded-For": "8.8.8.8"}
        )
        assert len(sessions(world)) == 4


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {"plan": "gold"}}, 404),
        ({"data": {"plan": "price_pro_monthly"}}, 404),
        ({"json": {}}, 422),
        ({"json": {"plan": 7}}, 422),
        ({"json": [1]}, 422),
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, 422),
        ({"json": {"plan": "pro", "resumes": "sub_1"}}, 409),
    ],
)
async def test_what_is_not_for_sale_is_refused(world: World, options: dict[str, Any], status: int) -> None:
    async with world.running():
        answer = await world.post("/checkout", **options)
        assert (answer.status, json.loads(answer.text)["status"]) == (status, status)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert sessions(world) == []


async def test_a_person_is_refused_with_a_page(world: World) -> None:
    async with world.running():
        answer = await begin(world, "gold", **PERSON)
        assert (answer.status, "<h1>No such plan</h1>" in answer.text) == (404, True)


async def test_while_stripe_is_away_nothing_is_sold(world: World) -> None:
    async with world.running():
        await world.controls.inject(Fault.model_validate({"kind": "error", "status": 500, "times": 20}))
        answer = await world.post("/checkout", json={"plan": "pro"})
        assert answer.status == 503
        assert "Nothing was charged" in answer.text


async def test_an_archived_price_is_not_sold(world: World) -> None:
    async with world.running():
        account = world.stripe.account
        account.change(account.get(Price, "price_pro_monthly"), active=False)
        assert (await world.post("/checkout", json={"plan": "pro"})).status == 503


async def test_one_client_cannot_open_checkouts_without_end(world: World) -> None:
    async with world.running():
        answers = [await world.post("/checkout", json={"plan": "gold"}) for _ in range(12)]
        assert [answer.status for answer in answers] == [404] * 10 + [429] * 2
        assert "Retry-After" in answers[-1].headers


async def test_the_success_page_ends_with_the_key_for_the_browser_that_paid(world: World) -> None:
    async with world.running():
        token = cookie(await begin(world))
        session = sessions(world)[0].id
        place = f"/welcome?session_id={session}"
        assert "You have not paid yet" in (await world.get(place)).text
        subscription = await pay(world, session)
        name = (await world.instance_of(subscription))["metadata"]["name"]
        await world.cluster.make_available(name, key="claw_the_key")
        link = await world.key_link()

        async def has_link() -> str | None:
            async with world.client.get(world.url + place, headers={"Cookie": f"{BROWSER}={token}"}) as response:
                text = await response.text()
            return text.split('href="/keys/')[1].split('"')[0] if "/keys/" in text else None

        shown = await eventually(has_link, describe=world.story)
        assert f"/keys/{shown}" != link
        stranger = await world.get(place)
        assert "/keys/" not in stranger.text
        assert "We have mailed you the link" in stranger.text

        assert "claw_the_key" in (await world.post(f"/keys/{shown}")).text
        assert (await world.post(link)).status == 410
        assert await has_link() is None


async def test_the_page_may_open_before_the_event_arrives_and_although_it_never_does(world: World) -> None:
    async with world.running():
        await begin(world)
        session = sessions(world)[0].id
        await world.eventually_row("SELECT * FROM sweeps WHERE ended_at IS NOT NULL")  # which would find it, too
        await world.controls.set_endpoint(None)
        subscription = await pay(world, session)
        page = await world.get(f"/welcome?session_id={session}")
        assert "Your assistant is moving in" in page.text
        await world.instance_of(subscription)
        assert await world.rows("SELECT id FROM inbox") == []
        (row,) = await world.rows("SELECT details FROM checkouts WHERE subscription = %s", subscription)
        assert json.loads(row["details"])["customer_details"]["email"] == ADA.email


async def test_progress_is_told_as_it_happens(world: World) -> None:
    async with world.running():
        await begin(world)
        session = sessions(world)[0].id
        subscription = await pay(world, session)
        instance = (await world.instance_of(subscription))["metadata"]["name"]
        async with told(world, session) as events:
            name, document = await anext(events)
            while done(document) != ["payment", "order"]:
                name, document = await anext(events)
            assert (name, document["outcome"]) == ("progress", "working")

            await world.cluster.set_ready(instance, False, conditions=list(conditions("DatabaseReady", "ComputeReady")))
            _, document = await anext(events)
            assert done(document) == ["payment", "order", "database", "compute"]

            await world.cluster.make_available(instance, key="claw_the_key")
            rest = [event async for event in events]
            assert rest[-1][0] == "over"
            assert rest[-1][1]["outcome"] == "ready"
            assert "/keys/" not in str(rest)


async def test_a_lost_connection_is_made_again_and_told_everything(world: World) -> None:
    async with world.running():
        await begin(world)
        session = sessions(world)[0].id
        await world.instance_of(await pay(world, session))
        first = []
        for _ in range(2):
            async with told(world, session) as events:
                first.append(await anext(events))
        assert first[0] == first[1]


async def test_the_streams_end_when_the_service_does(world: World) -> None:
    async with world.running():
        await begin(world)
        session = sessions(world)[0].id
        await world.instance_of(await pay(world, session))
        response = await world.client.get(f"{world.url}/welcome/progress", params={"session_id": session})
        await response.content.readuntil(b"\n\n")
    async with asyncio.timeout(5):
        assert b"late" not in await response.read()


async def test_an_order_that_needs_a_person_says_so(world: World) -> None:
    async with world.running():
        await begin(world)
        session = sessions(world)[0].id
        order = CompleteCheckout(email="not an address", session=session)
        await world.controls.complete_checkout(order)
        await world.eventually_row("SELECT id FROM inbox WHERE state = 'refused'")
        page = await world.get(f"/welcome?session_id={session}")
        assert (page.status, "We have to look at your order" in page.text) == (200, True)
        assert "<script" not in page.text


@pytest.mark.parametrize("session", ["", "cs_unknown", "sub_1", "cs_" + "x" * 300, "cs_%0d%0aSet-Cookie:x"])
async def test_an_unknown_checkout_is_an_unknown_order(world: World, session: str) -> None:
    async with world.running():
        assert (await world.get(f"/welcome?session_id={session}")).status == 404
        assert (await world.get(f"/welcome/progress?session_id={session}")).status == 404


async def test_the_policy_allows_the_pages_own_script_and_nothing_else(world: World) -> None:
    async with world.running():
        await begin(world)
        session = sessions(world)[0].id
        await pay(world, session)
        page = await world.get(f"/welcome?session_id={session}")
        policy = page.headers["Content-Security-Policy"]
        assert "script-src 'sha256-" in policy
        assert "connect-src 'self'" in policy
        assert "unsafe" not in policy
        assert page.text.count("<script") == 1
        assert '<noscript><meta http-equiv="refresh"' in page.text
        assert page.headers["Cache-Control"] == "no-store"
