"""Thinking ends, whatever the model does and whatever the tools do."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import pytest

from claw_runtime.problems import MODEL_FAILED, Problem
from claw_runtime.tools import Proposal, Tool, ToolContext, ToolInput, ToolResult
from claw_runtime.tools.toolbox import Toolbox
from claw_runtime.turns.bounds import AGAIN, CUT_OFF, ENOUGH, MAX_CALLS, MAX_USES, SAY_SOMETHING
from claw_runtime.turns.draft import Draft
from claw_runtime.turns.listening import Patient
from claw_runtime.turns.loop import MAX_ABREAST, Loop, Thought
from claw_runtime.turns.messages import Block, Message, Prompt, Tokens
from claw_runtime.turns.model import OnText
from tests.eventually import eventually
from tests.integration.runtime.world import configuration

PROMPT = Prompt(model="claude-test", stable="You are Ada.", question="How are you?")
SKILLS = frozenset({"chat"})


@dataclass(frozen=True)
class Answer:
    """What the model says next."""

    text: str = ""
    tools: tuple[tuple[str, dict[str, Any]], ...] = ()
    stop_reason: str = ""
    lost_uses: int = 0
    read: int = 10


class ScriptedModel:
    """Gives these answers, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[Prompt] = []

    async def answer(self, prompt: Prompt, draft: Draft, on_text: OnText) -> None:
        self.asked.append(prompt)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer.text:
            await on_text(answer.text)
            draft.blocks.append({"type": "text", "text": answer.text})
        for number, (name, given) in enumerate(answer.tools):
            use_id = f"toolu_{len(self.asked)}_{number}"
            draft.blocks.append({"type": "tool_use", "id": use_id, "name": name, "input": given})
        draft.stop_reason = answer.stop_reason or ("tool_use" if answer.tools else "end_turn")
        draft.lost_uses = answer.lost_uses
        draft.counted = Tokens(input=answer.read, output=5)
        draft.complete = True

    async def close(self) -> None:
        """Has no connections."""


@dataclass
class Heard(Patient):
    """Writes down what it hears."""

    events: list[tuple[Any, ...]] = field(default_factory=list)

    async def text(self, piece: str) -> None:
        self.events.append(("text", piece))

    async def tool_started(self, use_id: str, name: str) -> None:
        self.events.append(("started", name))

    async def tool_ended(self, use_id: str, name: str, ok: bool, seconds: float) -> None:
        self.events.append(("ended", name, ok))


class Anything(ToolInput):
    n: int = 0


def tool(name: str, run: Callable[[ToolContext, Anything], Awaitable[ToolResult]], seconds: float = 5) -> Tool[Any]:
    return Tool(name, f"Does {name}.", "chat", Anything, run, seconds=seconds)


async def look(_: ToolContext, given: Anything) -> ToolResult:
    return ToolResult(f"saw {given.n}")


CONTEXT = ToolContext(configuration(), "main", uuid.UUID(int=1), uuid.UUID(int=2))


async def think(
    model: ScriptedModel, *tools: Tool[Any], room: int | None = None, listener: Patient | None = None
) -> Thought:
    thought = Thought()
    loop = Loop(model, Toolbox(tools or (tool("look", look),)))
    prompt = Prompt(model="claude-test", stable="s", question="q", tools=loop.tools(SKILLS, "chat"))
    await loop.think(prompt, CONTEXT, SKILLS, thought, listener or Patient(), room=room)
    assert well_formed(thought.transcript)
    return thought


def well_formed(transcript: list[Message]) -> bool:
    """Whether the API would take it back: every use is answered in the very next message."""
    for message, following in zip_longest(transcript, transcript[1:]):
        used = {block["id"] for block in message.content if block["type"] == "tool_use"}
        answered = {block.get("tool_use_id") for block in following.content} if following else set()
        if not used <= answered:
            return False
    return True


def told(prompt: Prompt) -> list[Block]:
    """What the model read last."""
    return list(prompt.thought[-1].content) if prompt.thought else []


async def test_tools_are_used_and_the_answer_follows() -> None:
    listener = Heard()
    model = ScriptedModel(Answer("Let me look.", (("look", {"n": 1}),)), Answer("It is 1."))

    thought = await think(model, listener=listener)

    assert thought.text == "Let me look.\n\nIt is 1."
    assert listener.events == [
        ("text", "Let me look."),
        ("started", "look"),
        ("ended", "look", True),
        ("text", "\n\nIt is 1."),
    ]
    assert told(model.asked[1])[0]["content"] == "saw 1"
    assert thought.tokens == Tokens(input=20, output=10)


async def test_a_model_that_only_ever_uses_tools_is_stopped_and_told() -> None:
    model = ScriptedModel(*(Answer(tools=(("look", {"n": n}),)) for n in range(MAX_CALLS)))

    with pytest.raises(Problem):
        await think(model)

    assert len(model.asked) == MAX_CALLS
    assert not model.asked[-1].may_use_tools
    assert told(model.asked[-1])[-1] == {"type": "text", "text": ENOUGH}


async def test_the_same_use_over_and_over_is_refused() -> None:
    model = ScriptedModel(*[Answer(tools=(("look", {"n": 1}),))] * 3, Answer("I give up."))

    thought = await think(model)

    assert [used.ok for used in thought.used] == [True, True, False]
    assert told(model.asked[-1])[0]["content"] == AGAIN


async def test_many_uses_at_once_are_cut_at_the_bound_and_each_is_answered() -> None:
    most = running = 0

    async def count(_: ToolContext, __: Anything) -> ToolResult:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return ToolResult("ok")

    model = ScriptedModel(Answer(tools=tuple(("count", {"n": n}) for n in range(40))), Answer("Done."))

    thought = await think(model, tool("count", count))

    assert sum(used.ok for used in thought.used) == MAX_USES
    assert len(thought.used) == 40
    assert most == MAX_ABREAST
    assert not model.asked[1].may_use_tools


async def test_a_tool_that_hangs_is_left_and_the_answer_goes_on() -> None:
    cancelled = asyncio.Event()

    async def hang(_: ToolContext, __: Anything) -> ToolResult:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    model = ScriptedModel(Answer(tools=(("hang", {}),)), Answer("It does not answer."))

    thought = await think(model, tool("hang", hang, seconds=0.02))

    assert thought.text == "It does not answer."
    assert "did not answer within" in told(model.asked[1])[0]["content"]
    assert cancelled.is_set()


async def test_an_answer_of_megabytes_is_cut_before_the_model_reads_it() -> None:
    async def flood(_: ToolContext, __: Anything) -> ToolResult:
        return ToolResult("x" * 5_000_000)

    model = ScriptedModel(Answer(tools=(("flood", {}),)), Answer("Much."))

    await think(model, tool("flood", flood))

    assert len(told(model.asked[1])[0]["content"]) < 25_000


async def test_a_prompt_that_has_grown_too_long_gets_its_last_answer() -> None:
    model = ScriptedModel(Answer(tools=(("look", {"n": 1}),), read=130_000), Answer("That is it."))

    await think(model)

    assert not model.asked[1].may_use_tools


async def test_tokens_that_run_out_shorten_the_answer_and_then_end_it() -> None:
    model = ScriptedModel(Answer(tools=(("look", {"n": 1}),), read=800), Answer("Short.", read=900))

    await think(model, room=2_000)

    assert [asked.max_tokens for asked in model.asked] == [2_000, 1_195]
    assert [asked.may_use_tools for asked in model.asked] == [True, True]
    exhausted = ScriptedModel(Answer(tools=(("look", {"n": 1}),), read=1_000), Answer("Short."))
    await think(exhausted, room=1_300)
    assert [asked.may_use_tools for asked in exhausted.asked] == [True, False]


async def test_a_model_that_says_nothing_has_failed() -> None:
    with pytest.raises(Problem) as failed:
        await think(ScriptedModel(Answer()))

    assert failed.value.kind is MODEL_FAILED


async def test_a_model_that_says_nothing_after_its_tools_is_asked_once_more() -> None:
    model = ScriptedModel(Answer(tools=(("look", {}),)), Answer(), Answer("Sorry: 0."))

    thought = await think(model)

    assert thought.text == "Sorry: 0."
    assert told(model.asked[2])[-1]["text"] == SAY_SOMETHING
    with pytest.raises(Problem):
        await think(ScriptedModel(Answer(tools=(("look", {}),)), Answer()))


async def test_what_a_tool_was_given_and_is_no_json_is_told_once() -> None:
    broken = Answer("Let me write.", stop_reason="max_tokens", lost_uses=1)
    model = ScriptedModel(broken, Answer("In short: no."))

    thought = await think(model)

    assert thought.text == "Let me write.\n\nIn short: no."
    assert told(model.asked[1])[-1]["text"] == CUT_OFF
    again = await think(ScriptedModel(broken))
    assert len(again.drafts) == 2


async def test_an_answer_that_was_too_long_says_so() -> None:
    thought = await think(ScriptedModel(Answer("Once upon a", stop_reason="max_tokens")))

    assert thought.text.startswith("Once upon a\n\n(The answer is cut off here")


@pytest.mark.parametrize("text", ["", "I would rather"])
async def test_a_model_that_declines_is_an_answer(text: str) -> None:
    thought = await think(ScriptedModel(Answer(text, stop_reason="refusal")))

    assert thought.text.endswith("The language model declined to answer this.")


async def test_a_model_that_pauses_goes_on() -> None:
    model = ScriptedModel(Answer("Searching.", stop_reason="pause_turn"), Answer("Found."))

    thought = await think(model)

    assert thought.text == "Searching.\n\nFound."
    assert model.asked[1].thought[-1].role == "user", "not every model goes on from its own words"


async def test_a_model_that_pauses_for_ever_is_stopped() -> None:
    model = ScriptedModel(Answer("…", stop_reason="pause_turn"))

    await think(model)

    assert len(model.asked) == MAX_CALLS


async def test_what_the_listener_meets_keeps_its_type_and_ends_the_tools() -> None:
    ended = asyncio.Event()

    async def hang(_: ToolContext, __: Anything) -> ToolResult:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    @dataclass
    class Leaves(Patient):
        async def tool_ended(self, use_id: str, name: str, ok: bool, seconds: float) -> None:
            raise ConnectionResetError

    model = ScriptedModel(Answer(tools=(("look", {}), ("hang", {}))))

    with pytest.raises(ConnectionResetError):
        await think(model, tool("look", look), tool("hang", hang), listener=Leaves())

    assert ended.is_set()


async def test_who_is_cancelled_takes_the_tools_along() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: ToolContext, __: Anything) -> ToolResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    thinking = asyncio.create_task(think(ScriptedModel(Answer(tools=(("hang", {}),))), tool("hang", hang)))
    await begun.wait()
    thinking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await thinking
    await eventually(ended.is_set)


async def test_the_same_proposal_twice_is_one() -> None:
    proposal = Proposal("send", {"to": "bob"}, "Send it")

    async def send(_: ToolContext, __: Anything) -> ToolResult:
        return ToolResult("The customer has to confirm this.", proposal=proposal)

    model = ScriptedModel(Answer(tools=(("send", {}), ("send", {"n": 1}))), Answer("Shall I?"))

    thought = await think(model, tool("send", send))

    assert thought.proposals == [proposal]
