"""Mails that a runtime asks for: who may, how many, to whom, and what can never get into one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claw_crds.configuration import AssistantConfiguration, InstanceIdentity, PlanConfiguration, RuntimeConfiguration
from claw_crds.instance import Customer, State
from claw_crds.keys import sha256
from claw_runtime.heartbeat.delivery import Mails, Messenger
from claw_runtime.heartbeat.news import Beat
from claw_runtime.heartbeat.records import Stored
from claw_runtime.heartbeat.settings import HeartbeatSettings
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.webhook.conftest import ADA, Answer, World, bodies
from tests.integration.webhook.runtimes import OTHER_UID, TOKEN, Served, served

NEWS = "The bank has written:\n- the card runs out in March\n- a new one is on its way\n\nShall I remind you?"


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.now(UTC))


@pytest.fixture
async def ada(world: World, clock: Clock) -> AsyncIterator[Served]:
    async with world.running(clock=clock), served(world) as customer:
        world.mails.mails.clear()
        yield customer


async def ask(ada: Served, key: str = "", **changes: Any) -> Answer:
    """As the runtime does."""
    headers = {
        "Authorization": f"Bearer {changes.pop('proof', sha256(TOKEN))}",
        "X-Claw-Instance": changes.pop("uid", ada.uid),
        **({"Idempotency-Key": key} if key else {}),
    }
    return await ada.world.post("/runtime/mails", json={"subject": "News", "text": NEWS} | changes, headers=headers)


async def arrived(ada: Served, count: int = 1) -> None:
    await eventually(lambda: len(ada.world.mails.mails) >= count, describe=ada.world.story)


async def test_the_assistants_words_reach_its_customer_and_nobody_else(ada: Served) -> None:
    answer = await ask(ada, subject="Clawdia: The card runs out")
    assert answer.status == 202
    await arrived(ada)
    (mail,) = ada.world.mails.mails
    assert ada.world.mails.envelopes[-1] == [ADA.email]
    assert mail["Subject"] == "Clawdia: The card runs out"
    text, html = bodies(mail)
    assert "> - the card runs out in March\n> - a new one is on its way\n>\n> Shall I remind you?" in text.replace(
        "\r\n", "\n"
    )
    assert "your assistant writes:" in html
    assert "- the card runs out in March<br>" in html


async def test_once_it_has_left_nothing_of_it_is_kept(ada: Served) -> None:
    await ask(ada)
    row = await ada.world.eventually_row("SELECT details FROM outbox WHERE cause = 'message' AND state = 'sent'")
    assert row["details"] == "{}"


async def test_what_was_written_stays_words(ada: Served) -> None:
    hostile = "<script>alert(1)</script>\n\n> quoted\nBcc: eve@example.com\x00\u202e {{ 7*7 }}"
    answer = await ask(ada, subject="Hi\r\nBcc: eve@example.com\u202e", text=hostile)
    assert answer.status == 202
    await arrived(ada)
    (mail,) = ada.world.mails.mails
    assert mail["Subject"] == "Hi Bcc: eve@example.com"
    assert mail["Bcc"] is None
    assert ada.world.mails.envelopes[-1] == [ADA.email]
    text, html = bodies(mail)
    assert "<script>" not in html
    assert "{{ 7*7 }}" in html
    assert all(line.startswith(">") for line in text.splitlines() if "Bcc:" in line or "quoted" in line)


@pytest.mark.parametrize(
    "changes",
    [
        {"proof": sha256("another")},
        {"proof": ""},
        {"proof": TOKEN},
        {"proof": "f" * 63},
        {"uid": OTHER_UID},
        {"uid": "' OR 1=1 --"},
        {"uid": ""},
    ],
)
async def test_who_cannot_prove_it_sends_nothing_and_learns_nothing(ada: Served, changes: dict[str, str]) -> None:
    answer = await ask(ada, **changes)
    assert (answer.status, "The instance or its proof is wrong." in answer.text) == (401, True)
    assert await ada.world.rows("SELECT id FROM outbox WHERE cause = 'message'") == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"subject": ""}, 422),
        ({"subject": "x" * 151}, 422),
        ({"subject": None}, 422),
        ({"text": ""}, 422),
        ({"text": "x" * 10_001}, 422),
        ({"text": ["x"]}, 422),
        ({"text": "half a pair: \ud800"}, 422),
        ({"text": "x" * 70_000}, 413),
        ({"text": "x" * 300_000}, 413),
    ],
)
async def test_what_is_no_mail_is_refused(ada: Served, changes: dict[str, Any], status: int) -> None:
    assert (await ask(ada, **changes)).status == status


async def test_a_repetition_is_one_mail_and_counts_once(ada: Served) -> None:
    answers = await asyncio.gather(*(ask(ada, key="beat-1") for _ in range(5)))
    assert {answer.status for answer in answers} == {202}
    await arrived(ada)
    assert len(await ada.world.rows("SELECT id FROM outbox WHERE cause = 'message'")) == 1
    assert (await ada.world.rows("SELECT mails FROM runtime_mails"))[0]["mails"] == 1


async def test_twenty_four_leave_in_a_day_and_the_next_day_more(ada: Served, clock: Clock) -> None:
    clock.now = clock.now.replace(hour=10)
    await ada.world.rows(
        "INSERT INTO runtime_mails VALUES (%s, %s, 22) RETURNING mails", ada.instance, clock.now.date()
    )
    answers = await asyncio.gather(*(ask(ada) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [202, 202, 429, 429, 429, 429]
    refused = next(answer for answer in answers if answer.status == 429)
    assert 13 * 3600 < int(refused.headers["Retry-After"]) <= 14 * 3600
    clock.now += timedelta(days=1)
    assert (await ask(ada)).status == 202


async def test_an_address_that_nobody_has_proven_gets_no_mail(world: World) -> None:
    async with world.running(), served(world, signs_in=False) as customer:
        answer = await ask(customer)
        assert (answer.status, "sign in" in answer.text) == (403, True)
        assert await world.rows("SELECT id FROM outbox WHERE cause = 'message'") == []


async def test_an_address_that_was_changed_has_to_be_proven_again(ada: Served) -> None:
    await ada.world.rows("UPDATE customers SET email = 'new@example.com' RETURNING id")
    assert (await ask(ada)).status == 403


async def test_without_its_secret_a_runtime_is_nobody(ada: Served) -> None:
    await ada.world.cluster.delete_secret(f"{ada.instance}-credentials")
    assert (await ask(ada)).status == 401
    assert (await ask(ada, proof=sha256(""))).status == 401


async def test_while_the_cluster_is_away_the_runtime_is_asked_to_come_again(ada: Served) -> None:
    await ada.world.cluster_wire.cut()
    assert (await ask(ada)).status == 503
    await ada.world.cluster_wire.join()


async def test_what_a_real_heart_tells_by_mail_arrives_once(ada: Served, clock: Clock) -> None:
    configuration = RuntimeConfiguration(
        instance=InstanceIdentity(namespace="claw", name=ada.instance, uid=ada.uid),
        state=State.RUNNING,
        customer=Customer(id="cus_1", email=ADA.email),
        assistant=AssistantConfiguration(name="Clawdia", model="claude-sonnet-test"),
        plan=PlanConfiguration(name="pro", display_name="Pro"),
        keys=(),
    )
    beat = Beat(
        due_at=clock(),
        cause="time",
        started_at=clock(),
        ended_at=clock(),
        outcome="told",
        reason=None,
        text=NEWS,
        conversation_id=None,
        untold=("mail",),
        problem=None,
    )

    async def nowhere(*args: Any, **named: Any) -> Any:
        raise AssertionError("only a mail was asked for")

    messenger = Messenger(note=nowhere, post=nowhere, mails=Mails(ada.world.url, sha256(TOKEN)), clock=clock)
    for _ in range(2):  # as after a crash
        told = await messenger.tell(configuration, Stored(HeartbeatSettings()), beat, attempts=1)
        assert (told.untold, told.problem) == ((), None)
    await arrived(ada)
    assert [mail["Subject"] for mail in ada.world.mails.mails] == ["Clawdia: The bank has written:"]
