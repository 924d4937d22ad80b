"""A conversation that became too long is read as a summary; nothing of it is lost, and nothing depends on it."""

import asyncio
from typing import Any

import pytest

from claw_crds.plan import Limits
from claw_dev.simulators.claude.script import Scripted, ScriptedTool
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from claw_dev.simulators.faults import Fault, FaultKind
from tests.integration.runtime.world import Runtime, Tables

LONG = "Tell me about claws. " * 1_620
"""A question of about 9,700 tokens. A short one leaves a history about 32,000."""
STORY = Scripted(text="Claws are everywhere. " * 740, when="Go on")
"""An answer of about 4,600 tokens."""
FLUSH = "will soon be replaced by a summary"
SUMMARISE = "Summarise all of it"
SUMMARY = Scripted(text="They talked about claws, and Ada wants five.", when=SUMMARISE)
NOTHING = Scripted(text="NO_REPLY", when=FLUSH)


@pytest.fixture
async def long(runtime: Runtime, claude: ClaudeSimulator) -> str:
    """A conversation that is too long for one more question."""
    opened = str((await runtime.chat("I want five claws.")).json["conversationId"])
    await talk(runtime, claude, opened, questions=3, stories=1)
    assert sum(SUMMARISE in text for text in asked(claude)) == 0
    return opened


async def talk(runtime: Runtime, claude: ClaudeSimulator, conversation: str, *, questions: int, stories: int) -> None:
    for number in range(questions):
        assert (await runtime.chat(f"{number} {LONG}", conversationId=conversation)).status == 200
    claude.script.add(*[STORY] * stories)
    for _ in range(stories):
        assert (await runtime.chat("Go on", conversationId=conversation)).status == 200


def asked(claude: ClaudeSimulator) -> list[str]:
    """The last message of each request, the oldest first."""
    requests = [call.request for call in claude.calls.all() if call.request is not None]
    return [text_of(request["messages"][-1]) for request in requests]


def text_of(message: dict[str, Any]) -> str:
    return "\n".join(block.get("text", "") for block in message["content"])


def history_of(claude: ClaudeSimulator) -> str:
    request = claude.calls.all()[-1].request
    assert request is not None
    return "\n".join(map(text_of, request["messages"]))


async def test_the_beginning_is_summarised_before_the_question_is_answered(
    runtime: Runtime, claude: ClaudeSimulator, tables: Tables, long: str
) -> None:
    claude.calls.clear()
    claude.script.add(NOTHING, SUMMARY)

    answer = await runtime.chat("How many did I want?", conversationId=long)

    assert answer.status == 200
    flush, summarise, question = asked(claude)
    assert FLUSH in flush
    assert "Customer: I want five claws." in summarise
    assert question == "How many did I want?"
    assert "Ada wants five" in history_of(claude)
    assert "I want five claws." not in history_of(claude)
    assert len(history_of(claude)) < 60_000


async def test_the_customer_reads_everything_as_it_was_said(
    runtime: Runtime, claude: ClaudeSimulator, long: str
) -> None:
    claude.script.add(NOTHING, SUMMARY)
    await runtime.chat("How many did I want?", conversationId=long)

    messages = (await runtime.get(f"/api/conversations/{long}?limit=100")).json["messages"]

    assert len(messages) == 12
    assert messages[0]["content"] == "I want five claws."


async def test_what_is_worth_it_goes_into_memory_first(runtime: Runtime, claude: ClaudeSimulator, long: str) -> None:
    write = ScriptedTool(name="memory_write", input={"content": "Ada wants five claws."})
    claude.script.add(Scripted(tools=(write,), when=FLUSH), Scripted(text="NO_REPLY"), SUMMARY)

    answer = await runtime.chat("How many did I want?", conversationId=long)

    kept = [memory["content"] for memory in (await runtime.get("/api/memory")).json["memories"]]
    assert kept == ["Ada wants five claws."]
    assert answer.json["tools"] == [], "nobody asked for it, so nobody hears of it"


async def test_the_flush_has_no_tools_but_those_of_memory(runtime: Runtime, claude: ClaudeSimulator, long: str) -> None:
    forbidden = ScriptedTool(name="write_file", input={"path": "notes.md", "content": "x"})
    claude.calls.clear()
    claude.script.add(Scripted(tools=(forbidden,), when=FLUSH), Scripted(text="NO_REPLY"), SUMMARY)

    await runtime.chat("How many did I want?", conversationId=long)

    request = claude.calls.all()[0].request
    assert request is not None
    assert {tool["name"] for tool in request["tools"]} == {"memory_search", "memory_get", "memory_write"}
    assert (await runtime.get("/api/workspace/notes.md")).status == 404


async def test_it_is_counted_as_what_it_is(
    runtime: Runtime, claude: ClaudeSimulator, tables: Tables, long: str
) -> None:
    claude.script.add(NOTHING, SUMMARY)
    await runtime.chat("How many did I want?", conversationId=long)

    rows = {row["purpose"]: row for row in await tables.rows("select * from usage_daily")}

    assert rows["compaction"]["calls"] == 2
    assert rows["compaction"]["input_tokens"] > 10_000
    assert (rows["chat"]["messages"], rows["compaction"]["messages"]) == (6, 0)
    month = await tables.value("select input_tokens from usage")
    read = "input_tokens + cache_write_tokens + cache_read_tokens"
    assert month == await tables.value(f"select sum({read}) from usage_daily")


@pytest.mark.parametrize("failing", [FLUSH, SUMMARISE])
async def test_when_it_fails_the_answer_is_given_with_the_newest_messages(
    runtime: Runtime, claude: ClaudeSimulator, tables: Tables, long: str, failing: str
) -> None:
    skip = 0 if failing == FLUSH else 1
    claude.script.add(*[NOTHING] * skip)
    claude.faults.add(Fault(kind=FaultKind.ERROR, status=400, skip=skip))

    answer = await runtime.chat("How many did I want?", conversationId=long)

    assert answer.status == 200
    assert "2 Tell me about claws." in history_of(claude)
    assert "I want five claws." not in history_of(claude)
    assert await tables.value("select summary from conversations") is None
    claude.calls.clear()
    claude.script.add(*[NOTHING] * (1 - skip), SUMMARY)
    assert (await runtime.chat("Again: how many?", conversationId=long)).status == 200
    assert sum(FLUSH in text for text in asked(claude)) == 1 - skip, "what was flushed is not flushed again"
    assert "Ada wants five" in history_of(claude)


async def test_a_model_that_declines_to_summarise_replaces_nothing(
    runtime: Runtime, claude: ClaudeSimulator, tables: Tables, long: str
) -> None:
    claude.script.add(NOTHING, Scripted(text="No.", stop_reason="refusal", when=SUMMARISE))

    assert (await runtime.chat("How many did I want?", conversationId=long)).status == 200

    assert await tables.value("select summary from conversations") is None


async def test_the_next_summary_stands_for_the_one_before_as_well(
    runtime: Runtime, claude: ClaudeSimulator, tables: Tables, long: str
) -> None:
    claude.script.add(NOTHING, SUMMARY)
    await runtime.chat("How many did I want?", conversationId=long)
    first = await tables.value("select summarised_through from conversations")
    await talk(runtime, claude, long, questions=2, stories=2)
    claude.calls.clear()
    claude.script.add(NOTHING, Scripted(text="Still five, and much more about claws.", when=SUMMARISE))

    await runtime.chat("And now?", conversationId=long)

    assert any("Ada wants five" in text for text in asked(claude) if SUMMARISE in text)
    assert "Still five" in history_of(claude)
    assert await tables.value("select summarised_through from conversations") > first


async def test_what_the_month_has_left_goes_into_answers_before_summaries(
    runtime: Runtime, claude: ClaudeSimulator, tables: Tables, long: str
) -> None:
    used = await tables.value("select input_tokens + output_tokens from usage")
    await runtime.configure(limits=Limits(tokens_per_month=used + 60_000))
    claude.calls.clear()

    answer = await runtime.chat("How many did I want?", conversationId=long)

    assert answer.status == 200
    assert asked(claude) == ["How many did I want?"]
    assert await tables.value("select input_tokens + output_tokens from usage") <= used + 60_000


async def test_many_questions_at_once_shorten_it_once(
    runtime: Runtime, claude: ClaudeSimulator, tables: Tables, long: str
) -> None:
    claude.calls.clear()
    claude.script.add(NOTHING, SUMMARY)

    answers = await asyncio.gather(*(runtime.chat(f"Question {n}", conversationId=long) for n in range(5)))

    assert {answer.status for answer in answers} == {200}
    assert sum(SUMMARISE in text for text in asked(claude)) == 1
    assert len((await runtime.get(f"/api/conversations/{long}?limit=100")).json["messages"]) == 20
