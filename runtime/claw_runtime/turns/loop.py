"""Thinking: the model is asked, uses tools, reads what they answered, and is asked again, until it has an answer.

It ends, whatever the model does: see `bounds.py`. At a bound the model is told, and asked for its answer once more,
without tools.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from claw_runtime.tools import Proposal, Source, ToolContext, ToolResult
from claw_runtime.tools.toolbox import Toolbox, Used
from claw_runtime.turns.bounds import CUT_OFF, ENOUGH, GO_ON, SAY_SOMETHING, Bounds
from claw_runtime.turns.draft import Draft
from claw_runtime.turns.listening import Listener
from claw_runtime.turns.messages import Block, Message, Prompt, ServerTool, Tokens, ToolDefinition, ToolUse
from claw_runtime.turns.model import Model, no_answer

log = logging.getLogger(__name__)

MAX_ABREAST = 5

_DECLINED = "The language model declined to answer this."
_TOO_LONG = "(The answer is cut off here: it became too long. Ask for the rest.)"


@dataclass(frozen=True)
class UsedTool:
    """A tool that was used, for whoever wants to see what the assistant did."""

    name: str
    ok: bool
    seconds: float


class Filter(Protocol):
    """What an answer passes through before anybody hears it."""

    def feed(self, text: str) -> str:
        """What may be said now."""
        ...

    def finish(self) -> str:
        """What was held back, and may be said after all."""
        ...


class Unfiltered:
    """For what nobody but the runtime hears."""

    def feed(self, text: str) -> str:
        """As in Filter."""
        return text

    def finish(self) -> str:
        """As in Filter."""
        return ""


@dataclass
class Thought:
    """What came of it, also when it was interrupted."""

    filter: Filter = field(default_factory=Unfiltered)
    said: list[str] = field(default_factory=list)
    """The answer, in the pieces in which it was heard."""
    transcript: list[Message] = field(default_factory=list)
    """Everything after the question: the model's messages, and the answers of tools."""
    drafts: list[Draft] = field(default_factory=list)
    used: list[UsedTool] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What was said, from first to last."""
        return "".join(self.said).strip()

    @property
    def tokens(self) -> Tokens:
        """What it cost."""
        return sum((draft.tokens for draft in self.drafts), Tokens())

    @property
    def plain(self) -> bool:
        """Whether nothing happened but that something was said."""
        return all(block["type"] == "text" for message in self.transcript for block in message.content)

    async def say(self, text: str, listener: Listener) -> None:
        """Let the listener hear it."""
        if text:
            self.said.append(text)
            await listener.text(text)

    async def add(self, paragraph: str, listener: Listener) -> None:
        """Say something in the runtime's own name. The model never learns of it."""
        await self.say(f"\n\n{paragraph}" if self.said else paragraph, listener)


class Loop:
    """Thinks with a model and the tools of a runtime."""

    def __init__(self, model: Model, toolbox: Toolbox, served: Mapping[str, ServerTool] | None = None) -> None:
        self._model = model
        self._toolbox = toolbox
        self._served = served or {}

    def tools(self, skills: frozenset[str], source: Source) -> tuple[ToolDefinition | ServerTool, ...]:
        """What the model is offered: our tools, and those that its provider runs for a skill."""
        served = (tool for skill, tool in self._served.items() if skill in skills and source != "compaction")
        return (*self._toolbox.offered(skills, source), *served)

    async def think(
        self,
        prompt: Prompt,
        context: ToolContext,
        skills: frozenset[str],
        thought: Thought,
        listener: Listener,
        *,
        room: int | None = None,
    ) -> None:
        """Complete the thought, with at most `room` tokens. Raises Problem, and what the listener raises."""
        bounds, last, reminded = Bounds(room), False, False
        while not last:
            latest = thought.drafts[-1].tokens if thought.drafts else Tokens()
            last = bounds.is_last(thought.tokens, latest)
            if last and thought.transcript:
                _remind(thought, ENOUGH)
            asked = replace(
                prompt,
                thought=tuple(thought.transcript),
                may_use_tools=prompt.may_use_tools and not last,
                max_tokens=bounds.answer_tokens(prompt.max_tokens, thought.tokens),
            )
            draft = await self._answer(asked, thought, listener)
            if draft.tool_uses and not last:
                results = await self._use_all(draft.tool_uses, bounds, context, skills, thought, listener)
                thought.transcript.append(Message("user", results))
            elif draft.stop_reason == "pause_turn":  # the provider's own tools take long: it wants to go on
                if not draft.under_way:
                    _remind(thought, GO_ON)
            elif reminder := _reminder(draft, thought, reminded):
                reminded = True
                _remind(thought, reminder)
            else:
                break
        await _end(thought, listener)

    async def carry_out(self, context: ToolContext, skills: frozenset[str], use: ToolUse, thought: Thought) -> Used:
        """Use a tool because the customer said so. The model reads it as something that it has done itself."""
        used = await self._toolbox.use(context, skills, use)
        asked: Block = {"type": "tool_use", "id": use.id, "name": use.name, "input": dict(use.input)}
        thought.transcript.append(Message("assistant", (asked,)))
        thought.transcript.append(Message("user", _noted((use,), [used], thought)))
        return used

    async def _answer(self, prompt: Prompt, thought: Thought, listener: Listener) -> Draft:
        separator = "\n\n" if thought.said else ""

        async def hear(piece: str) -> None:
            nonlocal separator
            text = thought.filter.feed(piece)
            text, separator = (separator + text, "") if text else ("", separator)
            await thought.say(text, listener)

        draft = Draft()
        thought.drafts.append(draft)  # before it is asked: what was spent counts even if it is cut
        await self._model.answer(prompt, draft, hear)
        held = thought.filter.finish()
        await thought.say(separator + held if held else "", listener)
        blocks = [block for block in draft.blocks if prompt.may_use_tools or block["type"] != "tool_use"]
        if blocks:
            thought.transcript.append(Message("assistant", tuple(blocks)))
        return draft

    async def _use_all(
        self,
        wanted: tuple[ToolUse, ...],
        bounds: Bounds,
        context: ToolContext,
        skills: frozenset[str],
        thought: Thought,
        listener: Listener,
    ) -> tuple[Block, ...]:
        """Use the tools, some of them side by side. Every use gets its answer, in order: the API insists."""
        abreast = asyncio.Semaphore(MAX_ABREAST)

        async def answer(use: ToolUse, refusal: str | None) -> Used:
            if refusal is not None:
                log.info("a use of a tool was one too many", extra={"tool": use.name})
                return Used(ToolResult(refusal, is_error=True), 0.0)
            async with abreast:
                await listener.tool_started(use.id, use.name)
                used = await self._toolbox.use(context, skills, use)
                await listener.tool_ended(use.id, use.name, not used.result.is_error, used.seconds)
                return used

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(answer(use, bounds.refusal(use))) for use in wanted]
        except BaseExceptionGroup as several:  # who hung up, or what the listener met: whoever waits knows its type
            raise several.exceptions[0] from None
        return _noted(wanted, [task.result() for task in tasks], thought)


def _noted(uses: tuple[ToolUse, ...], used: list[Used], thought: Thought) -> tuple[Block, ...]:
    """What the tools answered, as the model reads it; the rest goes into the thought."""
    for use, answer in zip(uses, used, strict=True):
        thought.used.append(UsedTool(use.name, not answer.result.is_error, answer.seconds))
        if answer.result.proposal is not None and answer.result.proposal not in thought.proposals:
            thought.proposals.append(answer.result.proposal)
    return tuple(_block(use, answer.result) for use, answer in zip(uses, used, strict=True))


def _block(use: ToolUse, result: ToolResult) -> Block:
    content = result.content or "(nothing)"
    return {"type": "tool_result", "tool_use_id": use.id, "content": content, "is_error": result.is_error}


def _reminder(draft: Draft, thought: Thought, reminded: bool) -> str | None:
    """What the model is told, once, when it ended although it had more to do or to say."""
    if reminded or draft.stop_reason == "refusal":
        return None
    if draft.lost_uses:
        return CUT_OFF
    return SAY_SOMETHING if thought.used and not thought.text else None


def _remind(thought: Thought, reminder: str) -> None:
    """Tell the model something, in the user's message that it reads next."""
    block: Block = {"type": "text", "text": reminder}
    if thought.transcript and thought.transcript[-1].role == "user":
        *before, latest = thought.transcript
        thought.transcript[:] = [*before, Message("user", (*latest.content, block))]
    else:
        thought.transcript.append(Message("user", (block,)))


async def _end(thought: Thought, listener: Listener) -> None:
    """See to it that there is an answer, and that it says when it is not whole. Raises Problem when there is none."""
    reason = thought.drafts[-1].stop_reason
    if reason == "max_tokens" and thought.text:
        await thought.add(_TOO_LONG, listener)
    elif reason == "refusal":
        await thought.add(_DECLINED, listener)
    if not thought.text:
        raise no_answer()
