"""Whoever hangs up is not answered any further: neither model nor tools go on, and what was done is kept and paid."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from claw_dev.simulators.claude.script import Scripted, ScriptedTool
from claw_dev.simulators.claude.simulator import ClaudeSimulator, simulated_claude
from claw_dev.simulators.faults import Fault, FaultKind
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.world import Runtime, Tables, running, settings

PACE = 0.05


@pytest.fixture
async def slow() -> AsyncIterator[ClaudeSimulator]:
    """A stand-in that takes its time with every few words."""
    async with simulated_claude(pace=PACE) as simulator:
        yield simulator


@pytest.fixture
async def patient(slow: ClaudeSimulator, tables: Tables, clock: Clock, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with running(settings(tables.url, slow.url, tmp_path), clock) as runtime:
        await runtime.configure()
        yield runtime


async def hang_up_when(runtime: Runtime, body: dict[str, Any], reason: Callable[[], bool]) -> None:
    """Ask, and leave as soon as there is a reason to."""

    async def ask() -> None:
        headers = {"Authorization": f"Bearer {runtime.key}"}
        asked = runtime.session.post(f"{runtime.url}/api/chat", json=body, headers=headers)
        async with asked as response:
            await response.read()

    asking = asyncio.create_task(ask())
    await eventually(reason)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking


def some_words_of(claude: ClaudeSimulator, call: int = 1) -> Callable[[], bool]:
    """Whether the answer to this call has begun: the stand-in was asked a while ago, and says a word at a time."""
    asked_at: list[float] = []

    def begun() -> bool:
        if len(claude.calls.all()) >= call:
            asked_at.append(time.monotonic())
        return bool(asked_at) and time.monotonic() - asked_at[0] > 10 * PACE

    return begun


async def ended(tables: Tables) -> bool:
    return bool(await tables.value("select count(*) = 0 from reservations"))


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_said_until_then_is_kept_and_paid(
    patient: Runtime, slow: ClaudeSimulator, tables: Tables, stream: bool
) -> None:
    story = "Once upon a time there was a claw. " * 60

    await hang_up_when(patient, {"message": story, "stream": stream}, some_words_of(slow))

    await eventually(lambda: ended(tables))
    whole = slow.calls.all()[-1].answer["content"][0]["text"]
    kept = str(await tables.value("select content from messages where role = 'assistant'"))
    assert 0 < len(kept) < len(whole)
    assert whole.startswith(kept)
    assert await tables.value("select messages_used from usage") == 1
    assert await tables.value("select output_tokens > 0 from usage")


@pytest.mark.parametrize("stream", [False, True])
async def test_before_the_first_word_nothing_is_paid_but_the_tokens(
    runtime: Runtime, claude: ClaudeSimulator, tables: Tables, stream: bool
) -> None:
    claude.script.add(Scripted(tools=(ScriptedTool(name="list_files"),)))
    claude.faults.add(Fault(kind=FaultKind.SLOW, skip=1, seconds=60))

    await hang_up_when(runtime, {"message": "Look", "stream": stream}, lambda: len(claude.faults.waiting()) == 0)

    await eventually(lambda: ended(tables))
    assert await tables.value("select count(*) from messages") == 0
    assert await tables.value("select messages_used from usage") == 0
    assert await tables.value("select input_tokens > 0 from usage"), "the first call of the model was made"


async def test_the_conversation_goes_on_after_a_part_of_an_answer(
    patient: Runtime, slow: ClaudeSimulator, tables: Tables
) -> None:
    opened = (await patient.chat("Hi")).json["conversationId"]
    slow.script.add(Scripted(text="word " * 200))
    await hang_up_when(patient, {"message": "Tell", "conversationId": opened}, some_words_of(slow, call=2))
    await eventually(lambda: ended(tables))

    assert (await patient.chat("And?", conversationId=opened)).status == 200

    messages = (await patient.get(f"/api/conversations/{opened}")).json["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 3
