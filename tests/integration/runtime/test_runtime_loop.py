"""A turn with tools: what is used, what is recorded, and when it ends."""

from claw_dev.simulators.claude.script import Scripted, ScriptedTool
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from tests.integration.runtime.world import Runtime


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
