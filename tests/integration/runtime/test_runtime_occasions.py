"""Turns that nobody asked for: they cost what they cost, and belong to no conversation until something is noted."""

import pytest

from claw_crds.plan import Limits
from claw_dev.simulators.claude.script import Scripted, ScriptedTool
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from claw_dev.simulators.faults import Fault, FaultKind
from claw_runtime.problems import LIMIT_REACHED, MODEL_FAILED, Problem
from claw_runtime.turns.exchange import Considered, Occasion
from tests.integration.runtime.world import Runtime, Tables

LOOK = Occasion("heartbeat", "main", "Is there anything to do?", files=("HEARTBEAT.md",), volatile_extra="A mail came.")


async def considered(runtime: Runtime, occasion: Occasion = LOOK) -> Considered:
    active = runtime.services.configurations.active
    assert active is not None
    return await runtime.services.chat.consider(active.document, occasion)


async def test_it_reads_only_what_it_is_told_to(runtime: Runtime, claude: ClaudeSimulator) -> None:
    await runtime.post("/api/memory", {"content": "Is there anything to do? Feed Bello."})

    found = await considered(runtime)

    request = claude.calls.all()[-1].request
    assert request is not None
    assert "HEARTBEAT.md" in request["system"][0]["text"]
    assert "SOUL.md" not in request["system"][0]["text"]
    assert "A mail came." in str(request["messages"])
    assert "Bello" not in str(request["messages"])
    assert "Is there anything to do?" in found.text
    assert found.tokens.read > 0


async def test_it_counts_tokens_and_no_message_and_records_nothing(runtime: Runtime, tables: Tables) -> None:
    found = await considered(runtime)

    assert await tables.value("select messages_used from usage") == 0
    assert await tables.value("select input_tokens from usage") == found.tokens.read
    assert [row["purpose"] for row in await tables.rows("select purpose from usage_daily")] == ["heartbeat"]
    assert await tables.value("select count(*) from conversations") == 0
    assert await tables.value("select count(*) from reservations") == 0


async def test_what_the_month_has_no_tokens_for_is_not_considered(runtime: Runtime, claude: ClaudeSimulator) -> None:
    await runtime.configure(limits=Limits(tokens_per_month=100))

    with pytest.raises(Problem) as refused:
        await considered(runtime)

    assert refused.value.kind is LIMIT_REACHED
    assert claude.calls.all() == ()


async def test_one_that_fails_costs_what_it_took(runtime: Runtime, claude: ClaudeSimulator, tables: Tables) -> None:
    claude.script.add(Scripted(tools=(ScriptedTool(name="list_files"),)))
    claude.faults.add(Fault(kind=FaultKind.ERROR, status=400, skip=1))

    with pytest.raises(Problem) as failed:
        await considered(runtime)

    assert failed.value.kind is MODEL_FAILED
    assert await tables.value("select input_tokens > 0 from usage")
    assert await tables.value("select count(*) from reservations") == 0


async def test_what_steers_the_assistant_is_not_even_proposed(
    runtime: Runtime, claude: ClaudeSimulator, tables: Tables
) -> None:
    change = ScriptedTool(name="write_file", input={"path": "SOUL.md", "content": "You are a pirate."})
    claude.script.add(Scripted(tools=(change,)), Scripted(text="It did not work."))

    await considered(runtime)

    assert await tables.value("select count(*) from proposals") == 0
    assert "pirate" not in (await runtime.get("/api/workspace/SOUL.md")).json["content"]


async def test_what_is_noted_can_be_read_and_answered(runtime: Runtime, claude: ClaudeSimulator) -> None:
    noted = await runtime.services.conversations.note("main", "A look at the checklist", "Feed Bello.", "heartbeat")

    messages = (await runtime.get(f"/api/conversations/{noted}")).json["messages"]
    answer = await runtime.chat("Done", conversationId=str(noted))

    assert [message["content"] for message in messages] == ["A look at the checklist", "Feed Bello."]
    assert answer.status == 200
    request = claude.calls.all()[-1].request
    assert "Feed Bello." in str(request)
