"""The life of a one-time link."""

import asyncio
from datetime import datetime, timedelta

import pytest

from claw_crds import naming
from claw_crds.keys import sha256
from claw_webhook.front.links import LIFETIME
from claw_webhook.services import utc_now
from tests.eventually import eventually
from tests.integration.webhook.conftest import World

KEY = "claw_the_key"
UNKNOWN = "/keys/" + "x" * 43


async def test_looking_does_not_use_the_link_up_and_showing_does(world: World) -> None:
    async with world.running():
        await world.buy_and_provision(key=KEY)
        link = await world.key_link()
        for _ in range(3):
            asked = await world.get(link)
            assert (asked.status, KEY in asked.text, "Show my API key" in asked.text) == (200, False, True)
        assert KEY in (await world.post(link)).text
        for again in (await world.get(link), await world.post(link)):
            assert (again.status, KEY in again.text) == (410, False)
            assert "This link has been used" in again.text
            assert "hello@claw.example" in again.text
        assert await world.metric("claw_webhook_key_links_total", state="open") == 1


async def test_of_requests_at_the_same_time_exactly_one_sees_the_key(world: World) -> None:
    async with world.running():
        await world.buy_and_provision(key=KEY)
        link = await world.key_link()
        answers = await asyncio.gather(*(world.post(link) for _ in range(6)))
        assert sorted(answer.status for answer in answers) == [200] + [410] * 5
        assert sum(KEY in answer.text for answer in answers) == 1


async def test_the_pages_can_be_neither_cached_nor_framed_nor_leaked(world: World) -> None:
    async with world.running():
        await world.buy_and_provision(key=KEY)
        link = await world.key_link()
        for answer in (await world.get(link), await world.post(link), await world.get(link), await world.get(UNKNOWN)):
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "frame-ancestors 'none'" in policy
            assert "script" not in policy + answer.text


async def test_the_database_knows_neither_token_nor_key(world: World) -> None:
    async with world.running():
        await world.buy_and_provision(key=KEY)
        token = (await world.key_link()).removeprefix("/keys/")
        everything = ""
        for table in ("inbox", "customers", "subscriptions", "checkouts", "instances", "outbox", "key_links"):
            everything += str(await world.rows(f"SELECT * FROM {table}"))
        assert sha256(token) in everything
        assert token not in everything
        assert KEY not in everything


async def test_a_link_expires(world: World) -> None:
    later = timedelta()

    def clock() -> datetime:
        return utc_now() + later

    async with world.running(clock=clock):
        await world.buy_and_provision(key=KEY)
        link = await world.key_link()
        later = LIFETIME - timedelta(minutes=1)
        assert (await world.get(link)).status == 200
        later = LIFETIME + timedelta(minutes=1)
        for answer in (await world.get(link), await world.post(link)):
            assert (answer.status, "This link has expired" in answer.text) == (410, True)


@pytest.mark.parametrize("path", [UNKNOWN, "/keys/short", "/keys/" + "x" * 44, "/keys/%2e%2e%2f" + "x" * 40])
async def test_a_link_that_was_never_issued_shows_nothing(world: World, path: str) -> None:
    async with world.running():
        for answer in (await world.get(path), await world.post(path)):
            assert answer.status == 404


async def test_while_the_key_cannot_be_read_the_link_stays_good(world: World) -> None:
    async with world.running():
        await world.buy_and_provision(key=KEY)
        link = await world.key_link()

        await world.cluster_wire.cut()
        answer = await world.post(link)
        assert (answer.status, "try again" in answer.text) == (503, True)
        await world.cluster_wire.join()

        await world.database_wire.cut()
        assert (await world.get(link)).status == 503
        assert (await world.post(link)).status == 503
        await world.database_wire.join()

        async def shows_the_key() -> bool:
            return KEY in (await world.post(link)).text

        await eventually(shows_the_key, describe=world.story)


async def test_while_the_secret_is_missing_the_link_stays_good(world: World) -> None:
    async with world.running():
        subscription = await world.buy_and_provision(key=KEY)
        link = await world.key_link()
        name = naming.instance_name(subscription)
        await world.cluster.delete_secret(f"{name}-credentials")
        assert (await world.post(link)).status == 503
        await world.cluster.make_available(name, key="claw_the_key_anew")
        assert "claw_the_key_anew" in (await world.post(link)).text


async def test_the_link_of_an_instance_that_is_gone_says_so(world: World) -> None:
    async with world.running():
        subscription = await world.buy_and_provision(key=KEY)
        link = await world.key_link()
        await world.cluster.delete_instance(naming.instance_name(subscription))
        await world.eventually_row("SELECT * FROM instances WHERE deleted_at IS NOT NULL")
        for answer in (await world.get(link), await world.post(link)):
            assert (answer.status, "no longer there" in answer.text) == (410, True)
