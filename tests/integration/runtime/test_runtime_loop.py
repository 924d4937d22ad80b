"""A turn with tools: what is used, what is recorded, and when it ends."""

import asyncio
import re
from typing import Any

from claw_dev.simulators.claude.script import Scripted, ScriptedTool
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from tests.eventually import eventually
from tests.integration.runtime.world import Runtime, Tables


async def test_a_tool_that_nobody_offered_is_refused_and_the_answer_goes_on(
    runtime: Runtime, claude: ClaudeSimulator
) -> None:
    claude.script.add(Scripted(text="Let me see.", tools=(ScriptedTool(name="rm", input={"path": "/"}),)))

    answer = await runtime.chat("Clean up")

    assert answer.status == 200
    assert answer.json["reply"].startswith("Let me see.\n\n")
    assert "There is no tool 'rm' here" in answer.json["reply"]
    assert [(tool["name"], tool["ok"]) for tool in answer.json["tools"]] == [("rm", False)]


async def test_a_stream_tells_of_tools_as_they_are_used(runtime: Runtime, claude: ClaudeSimulator) -> None:
    claude.script.add(Scripted(tools=(ScriptedTool(name="rm"),)))

    answer = await runtime.chat("Clean up", stream=True)

    names = [name for name, _ in answer.events if name != "text"]
    assert names == ["tool_start", "tool_end", "usage", "done"]


async def test_a_model_that_goes_round_in_circles_is_stopped(runtime: Runtime, claude: ClaudeSimulator) -> None:
    claude.script.add(Scripted(tools=(ScriptedTool(name="rm"),), times=None))

    answer = await runtime.chat("Clean up")

    assert answer.status == 502
    assert answer.problem == "model-failed"
    assert len(claude.calls.all()) == 12
    assert (await runtime.report())["usage"]["messagesUsed"] == 0


async def test_the_next_question_brings_what_tools_answered_before(runtime: Runtime, claude: ClaudeSimulator) -> None:
    claude.script.add(Scripted(tools=(ScriptedTool(name="rm", input={"path": "/"}),)))
    opened = (await runtime.chat("Clean up")).json["conversationId"]

    assert (await runtime.chat("And now?", conversationId=opened)).status == 200

    request = claude.calls.all()[-1].request
    assert request is not None
    kinds = [block["type"] for message in request["messages"] for block in message["content"]]
    assert kinds == ["text", "tool_use", "tool_result", "text", "text", "text"]


def marked(request: dict[str, Any]) -> list[tuple[str, str]]:
    """What the provider is asked to keep: the last of what is read before each mark."""
    said = [("message", block) for message in request["messages"] for block in message["content"]]
    parts = [*(("tool", tool) for tool in request["tools"]), *(("system", part) for part in request["system"]), *said]
    return [
        (kind, part.get("text") or part.get("name") or part["type"]) for kind, part in parts if "cache_control" in part
    ]


async def test_the_provider_may_keep_what_the_next_question_begins_with(
    runtime: Runtime, claude: ClaudeSimulator
) -> None:
    first = (await runtime.chat("Hello")).json
    claude.script.add(Scripted(tools=(ScriptedTool(name="list_files"),)))
    await runtime.post("/api/memory", {"content": "What is there is a dog called Bello."})

    await runtime.chat("What is there?", conversationId=first["conversationId"])

    request = claude.calls.all()[-1].request
    assert request is not None
    tools, system, history, thought = marked(request)
    assert (tools[0], system[0]) == ("tool", "system")
    assert history == ("message", first["reply"])
    assert thought == ("message", "tool_result")
    usage = claude.calls.all()[-2].answer["usage"]
    assert usage["cache_read_input_tokens"] > 3_000, "the tools and the system prompt are the same"


async def test_a_model_that_pauses_is_asked_to_go_on(runtime: Runtime, claude: ClaudeSimulator) -> None:
    claude.script.add(Scripted(text="Searching.", stop_reason="pause_turn"), Scripted(text="Found it."))

    answer = await runtime.chat("Search")

    assert answer.json["reply"] == "Searching.\n\nFound it."
    assert (await runtime.chat("Go on", conversationId=answer.json["conversationId"])).status == 200


async def test_a_model_that_declines_answers_and_the_conversation_goes_on(
    runtime: Runtime, claude: ClaudeSimulator
) -> None:
    claude.script.add(Scripted(stop_reason="refusal"))

    answer = await runtime.chat("Something bad")

    assert answer.json["reply"] == "The language model declined to answer this."
    assert (await runtime.chat("Then not", conversationId=answer.json["conversationId"])).status == 200


async def test_an_answer_that_is_too_long_says_that_it_is_cut_off(runtime: Runtime, claude: ClaudeSimulator) -> None:
    claude.script.add(Scripted(text="claws " * 5_000))

    answer = await runtime.chat("Tell me everything")

    assert answer.json["reply"].endswith("(The answer is cut off here: it became too long. Ask for the rest.)")


async def test_what_was_told_in_confidence_is_cut_out_of_the_stream(runtime: Runtime, claude: ClaudeSimulator) -> None:
    opened = (await runtime.chat("Hello")).json["conversationId"]
    request = claude.calls.all()[-1].request
    assert request is not None
    context = request["messages"][-2]["content"][0]["text"]
    (canary,) = re.findall(r"The mark (\w+) belongs", context)
    claude.script.add(Scripted(text=f"My mark is {canary}, and my key is sk-test-key. Anything else?"))

    answer = await runtime.chat("Tell me", stream=True, conversationId=opened)

    said = "".join(data["text"] for name, data in answer.events if name == "text")
    assert canary not in said
    assert said.startswith("My mark is […], and my key")
    assert said.endswith("Anything else?")


async def test_many_tiny_streams_leave_nothing_behind(runtime: Runtime, tables: Tables) -> None:
    for _ in range(4):
        answers = await asyncio.gather(*(runtime.chat("Hi", stream=True) for _ in range(50)))
        assert {answer.events[-1][0] for answer in answers} == {"done"}

    assert await tables.value("select count(*) from reservations") == 0
    assert await tables.value("select messages_used from usage") == 200
    await eventually(lambda: not ours())


def ours() -> list[str]:
    """What still runs of the routes and of the turns."""
    coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
    names = [coroutine.cr_code.co_filename for coroutine in coroutines if hasattr(coroutine, "cr_code")]
    return [name for name in names if "claw_runtime/routes" in name or "claw_runtime/turns" in name]
