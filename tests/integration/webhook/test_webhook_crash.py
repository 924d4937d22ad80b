"""The service as a process that is killed at the worst moments: nothing is lost, nothing is made twice.

A table is locked so that the one write after the moment in question has to wait, and in that wait the process is
killed. So the moment is exact, and nothing of the service is replaced.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from claw_dev.simulators.faults import Fault, FaultKind
from tests.eventually import eventually
from tests.integration.webhook.conftest import Service, World


@asynccontextmanager
async def nobody_writes(world: World, table: str) -> AsyncIterator[None]:
    """Let every write to the table wait; claims and reads go on."""
    async with await psycopg.AsyncConnection.connect(world.database_url) as connection:
        await connection.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
        yield


async def test_killed_between_applying_and_noting_it_the_world_is_the_same(world: World, service: Service) -> None:
    world.stripe.faults.add(Fault(kind=FaultKind.SLOW, seconds=1.5, times=8))  # time to lock the table in
    await service.start()
    subscription = await world.buy()
    await eventually(lambda: not any(event.pending_webhooks for event in world.events()), describe=world.story)
    async with nobody_writes(world, "inbox"):
        before = await world.instance_of(subscription)
        assert {row["state"] for row in await world.rows("SELECT state FROM inbox WHERE subject IS NOT NULL")} == {
            "pending"
        }
        await service.kill()
    world.stripe.faults.clear()

    await service.start()
    await world.settled()
    (after,) = await world.cluster.instances()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert len(await world.rows("SELECT * FROM customers")) == 1
    assert {row["state"] for row in await world.rows("SELECT state FROM inbox")} == {"done", "ignored"}


async def test_killed_after_the_answer_to_stripe_the_event_is_worked_off_by_the_next(
    world: World, service: Service
) -> None:
    world.stripe.faults.add(Fault(kind=FaultKind.TIMEOUT, times=8))
    await service.start()
    subscription = await world.buy()
    await eventually(lambda: not any(event.pending_webhooks for event in world.events()), describe=world.story)
    await service.kill()
    world.stripe.faults.clear()
    assert await world.cluster.instances() == []

    await service.start()
    await world.instance_of(subscription)
    await world.settled()


async def test_killed_between_sending_a_mail_and_noting_it_the_copy_is_the_same_mail_with_the_same_link(
    world: World, service: Service
) -> None:
    """The guarantee is *at least once*: SMTP has no other. What comes twice is one mail and one link."""
    world.mails.hold.clear()
    await service.start()
    await world.buy_and_provision(key="claw_the_key")
    await asyncio.wait_for(world.mails.arrived.wait(), 15)
    async with nobody_writes(world, "outbox"):
        world.mails.hold.set()
        first = await world.key_link()
        await service.kill()
    assert [row["state"] for row in await world.rows("SELECT state FROM outbox")] == ["pending"]

    await service.start()
    second = await world.key_link(1)
    await world.eventually_row("SELECT * FROM outbox WHERE state = 'sent'")
    one, other = world.mails.mails
    assert one["Message-ID"] == other["Message-ID"]
    assert first != second
    assert (await world.get(first)).status == (await world.get(second)).status == 200
    assert "claw_the_key" in (await world.post(first)).text
    answer = await world.post(second)
    assert (answer.status, "claw_the_key" in answer.text) == (410, False)


async def test_told_to_stop_it_finishes_the_mail_in_hand(world: World, service: Service) -> None:
    world.mails.hold.clear()
    process = await service.start()
    await world.buy_and_provision()
    await asyncio.wait_for(world.mails.arrived.wait(), 15)
    process.signal(signal.SIGTERM)
    await asyncio.sleep(0)
    world.mails.hold.set()
    assert await asyncio.wait_for(process.wait(), 15) == 0
    assert [row["state"] for row in await world.rows("SELECT state FROM outbox")] == ["sent"]
    await service.start()
    await world.settled()
    assert len(world.mails.mails) == 1


async def test_its_log_is_json_and_holds_no_secret(world: World, service: Service) -> None:
    world.environment |= {"STRIPE_SECRET_KEY": "sk_test_canary", "CLAW_LOG_LEVEL": "DEBUG"}
    process = await service.start()
    await world.deliver(type="product.created", signing="forged")
    await world.buy_and_provision(key="claw_canary")
    link = await world.key_link()
    assert "claw_canary" in (await world.post(link)).text
    await world.settled()
    lines = process.log.read_text().splitlines()
    assert lines
    for line in lines:
        assert {"timestamp", "level", "logger", "message"} <= json.loads(line).keys()
    log = "\n".join(lines)
    for secret in ("canary", "whsec_current", link.removeprefix("/keys/"), "ada@example.com"):
        assert secret not in log


async def test_a_wrong_environment_ends_it_at_once_with_what_to_do(world: World) -> None:
    environment = world.environment | {"SMTP_URL": "canary", "PUBLIC_URL": ""}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "claw_webhook",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(child.communicate(), 30)
    assert (child.returncode, output) == (2, b"")
    lines = errors.decode().splitlines()
    assert lines[0] == "claw-webhook cannot start, the environment is not right:"
    assert lines[1:] == [
        "PUBLIC_URL: Field required",
        "SMTP_URL: must look like smtp://host:port or smtps://user:password@host:port",
    ]
