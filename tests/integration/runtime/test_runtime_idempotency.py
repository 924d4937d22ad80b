"""A question that is sent twice is answered, recorded and counted once, whoever hangs up or dies in between."""

import asyncio
import uuid
from typing import Any

import aiohttp
import pytest

from claw_crds.plan import Limits
from claw_dev.simulators.claude.simulator import ClaudeSimulator, simulated_claude
from claw_dev.simulators.faults import Fault, FaultKind
from claw_runtime.problems import Problem
from claw_runtime.settings import Settings
from claw_runtime.turns.exchange import ChatReply, ChatRequest, UsageAnswer
from claw_runtime.turns.idempotency import BEGINS, KEPT, Idempotency, Replay
from claw_runtime.usage.leases import LEASE
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.ledgers import Books, database, plan
from tests.integration.runtime.world import Answer, Runtime, Tables, running, settings

KEY = "6f0e3b1c-once"
QUESTION = ChatRequest(message="What is up?")


async def ask(runtime: Runtime, message: str = "What is up?", key: str = KEY, **members: Any) -> Answer:
    return await runtime.post("/api/chat", {"message": message, **members}, headers={"Idempotency-Key": key})


def said(answer: Answer) -> str:
    return "".join(data["text"] for event, data in answer.events if event == "text")


async def answered_once(runtime: Runtime, tables: Tables) -> None:
    assert (await runtime.report())["usage"]["messagesUsed"] == 1
    assert await tables.value("select messages_used from usage") == 1
    assert await tables.value("select count(*) from messages") == 2
    assert await tables.value("select count(*) from reservations") == 0


async def test_a_second_time_it_is_told_again_and_costs_nothing(
    runtime: Runtime, tables: Tables, claude: ClaudeSimulator
) -> None:
    await runtime.configure(limits=Limits(messages_per_month=1))
    first = await ask(runtime)
    second = await ask(runtime)

    assert (first.status, second.status) == (200, 200)
    assert second.json == first.json
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(claude.calls.all()) == 1
    await answered_once(runtime, tables)


@pytest.mark.parametrize("first_streams", [False, True])
async def test_how_it_arrives_is_not_what_was_asked(runtime: Runtime, tables: Tables, first_streams: bool) -> None:
    first = await ask(runtime, stream=first_streams)
    second = await ask(runtime, stream=not first_streams)

    streamed, whole = (first, second) if first_streams else (second, first)
    assert said(streamed) == whole.json["reply"]
    assert streamed.events[-1] == ("done", {"conversationId": whole.json["conversationId"]})
    assert dict(streamed.events)["usage"] == whole.json["usage"]
    assert second.headers["Idempotent-Replayed"] == "true"
    await answered_once(runtime, tables)


async def test_another_question_with_the_same_key_is_a_mistake_and_with_another_key_is_not(runtime: Runtime) -> None:
    await ask(runtime)

    mistaken = await ask(runtime, "What is down?")

    assert (mistaken.status, mistaken.problem) == (422, "idempotency-conflict")
    assert (await ask(runtime, agentId="ada")).problem == "idempotency-conflict"
    assert (await ask(runtime, "What is down?", key="another")).status == 200


@pytest.mark.parametrize("key", ["", "a" * 256, "two words", "ключ", "tab\there"], ids=ascii)
async def test_a_key_that_cannot_be_one_is_refused(runtime: Runtime, key: str, claude: ClaudeSimulator) -> None:
    refused = await ask(runtime, key=key)

    assert (refused.status, refused.problem) == (422, "invalid-request")
    assert refused.json["errors"][0]["field"] == "Idempotency-Key"
    assert claude.calls.all() == ()


async def test_while_it_is_answered_whoever_asks_again_is_told_to_wait(
    tables: Tables, clock: Clock, tmp_path: Any
) -> None:
    async with (
        simulated_claude(pace=0.05) as claude,
        running(settings(tables.url, claude.url, tmp_path), clock) as runtime,
    ):
        await runtime.configure()
        asking = asyncio.create_task(ask(runtime))
        await eventually(claude.calls.all)

        meanwhile = await ask(runtime)

        assert (meanwhile.status, meanwhile.problem) == (409, "in-progress")
        assert int(meanwhile.headers["Retry-After"]) > 0
        assert (await ask(runtime, "What is down?")).problem == "idempotency-conflict"
        first = await asking
        assert (await ask(runtime)).json == first.json
        await answered_once(runtime, tables)


@pytest.mark.parametrize("stream", [False, True])
async def test_who_hangs_up_in_the_middle_finds_the_whole_answer(
    tables: Tables, clock: Clock, tmp_path: Any, stream: bool
) -> None:
    async with (
        simulated_claude(pace=0.03) as claude,
        running(settings(tables.url, claude.url, tmp_path), clock) as runtime,
    ):
        await runtime.configure()
        headers = {"Authorization": f"Bearer {runtime.key}", "Idempotency-Key": KEY}
        body = {"message": QUESTION.message, "stream": stream}
        async with aiohttp.ClientSession() as session:
            asking = asyncio.create_task(session.post(f"{runtime.url}/api/chat", headers=headers, json=body))
            await eventually(claude.calls.all)
            if stream:
                response = await asking
                await response.content.readuntil(b"\n\n")
                response.close()
            asking.cancel()
        await eventually(lambda: _is_kept(tables))

        replayed = await ask(runtime)

        assert replayed.headers["Idempotent-Replayed"] == "true"
        (recorded,) = await tables.rows("select content from messages where role = 'assistant'")
        assert replayed.json["reply"] == recorded["content"]
        assert "What is up?" in replayed.json["reply"]
        assert len(claude.calls.all()) == 1
        await answered_once(runtime, tables)


async def _is_kept(tables: Tables) -> bool:
    return bool(await tables.rows("select 1 from idempotency_keys where reply is not null"))


async def test_a_question_that_failed_may_be_asked_again(
    runtime: Runtime, tables: Tables, claude: ClaudeSimulator
) -> None:
    claude.faults.add(Fault(kind=FaultKind.ERROR, status=400, times=1))
    assert (await ask(runtime)).status == 502

    assert (await ask(runtime)).status == 200
    await answered_once(runtime, tables)


async def test_ten_at_once_to_two_runtimes_are_answered_by_exactly_one(
    tables: Tables, claude: ClaudeSimulator, clock: Clock, tmp_path: Any
) -> None:
    async with (
        running(settings(tables.url, claude.url, tmp_path / "a"), clock) as first,
        running(settings(tables.url, claude.url, tmp_path / "b"), clock) as second,
    ):
        await first.configure()
        second.key = first.key
        await second.configure()

        answers = await asyncio.gather(*(ask((first, second)[number % 2]) for number in range(10)))

        fresh = [one for one in answers if one.status == 200 and "Idempotent-Replayed" not in one.headers]
        assert len(fresh) == 1
        assert {one.status for one in answers} <= {200, 409}
        assert len(claude.calls.all()) == 1
        assert await tables.value("select messages_used from usage") == 1
        assert (await ask(second)).json == (await ask(first)).json == fresh[0].json


async def test_a_key_is_forgotten_after_a_day_and_leaves_with_the_next(
    runtime: Runtime, tables: Tables, clock: Clock
) -> None:
    first = await ask(runtime)
    await ask(runtime, key="another")
    clock.advance(hours=23, minutes=59)
    assert (await ask(runtime)).json == first.json

    clock.advance(minutes=2)
    anew = await ask(runtime, "What is down?")

    assert (anew.status, "Idempotent-Replayed" in anew.headers) == (200, False)
    assert await tables.value("select count(*) from idempotency_keys") == 1


async def test_neither_key_nor_question_are_kept_in_clear(runtime: Runtime, tables: Tables) -> None:
    await ask(runtime, "My secret is 4711.")

    (row,) = await tables.rows("select key_sha256, request_sha256 from idempotency_keys")
    assert KEY not in str(row)
    assert "4711" not in str(row)


def reply(text: str) -> ChatReply:
    usage = UsageAnswer(
        messages_used=1,
        messages_remaining=None,
        messages_limit=None,
        input_tokens=1,
        output_tokens=1,
        resets_at=Clock().now,
    )
    return ChatReply(reply=text, conversation_id=uuid.uuid4(), usage=usage)


async def test_what_a_crash_left_is_taken_over_once_its_lease_is_over_and_the_dead_cannot_finish(
    tables: Tables, clock: Clock
) -> None:
    async with database(tables.url) as opened:
        keys, books = Idempotency(opened, clock), Books(opened, clock)
        crashed = await keys.begin(KEY, QUESTION)
        assert isinstance(crashed, uuid.UUID)
        clock.advance(seconds=BEGINS.total_seconds() - 1)
        await books.usage.reserve(plan(), "main", tokens=1, turn=crashed)
        clock.advance(seconds=LEASE.total_seconds() - 1)
        with pytest.raises(Problem) as waits:
            await keys.begin(KEY, QUESTION)
        assert waits.value.kind.slug == "in-progress"

        clock.advance(seconds=1)
        outcomes = await asyncio.gather(*(keys.begin(KEY, QUESTION) for _ in range(8)), return_exceptions=True)

        (taken_over,) = [one for one in outcomes if isinstance(one, uuid.UUID)]
        assert taken_over != crashed
        with pytest.raises(Problem):  # and its transaction fails with it
            async with opened.connection() as connection, connection.transaction():
                await keys.finish(connection, crashed, reply("too late"))
        await keys.abandon(crashed)
        async with opened.connection() as connection, connection.transaction():
            await keys.finish(connection, taken_over, reply("in time"))
        replayed = await keys.begin(KEY, QUESTION)
        assert isinstance(replayed, Replay)
        assert replayed.reply.reply == "in time"
        await books.usage.close()


async def test_an_abandoned_key_is_free_at_once(environment: Settings, tables: Tables, clock: Clock) -> None:
    async with database(tables.url) as opened:
        keys = Idempotency(opened, clock)
        first = await keys.begin(KEY, QUESTION)
        assert isinstance(first, uuid.UUID)

        await keys.abandon(first)

        second = await keys.begin(KEY, ChatRequest(message="Something else"))
        assert isinstance(second, uuid.UUID)
        assert second != first
        clock.advance(seconds=KEPT.total_seconds() + 60)
        assert isinstance(await keys.begin(KEY, QUESTION), uuid.UUID)
