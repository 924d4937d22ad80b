"""Thinking: the model is asked, uses tools, reads what they answered, and is asked again, until it has an answer.

Bounded in every direction, because a model may go round in circles and each round costs money: calls of the model,
uses of tools, the same use over and over, and tokens. At a bound the model is told, and asked for its answer once
more, without tools.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import Protocol

from claw_runtime.tools import Proposal, Source, ToolContext, ToolResult
from claw_runtime.tools.toolbox import Toolbox, Used
from claw_runtime.turns.draft import Draft
from claw_runtime.turns.messages import Block, Message, Prompt, ServerTool, Tokens, ToolDefinition, ToolUse
from claw_runtime.turns.model import Model, no_answer

log = logging.getLogger(__name__)

MAX_CALLS = 12
MAX_USES = 24
MAX_SAME = 2
"""Uses of one tool with one input."""
MAX_ABREAST = 5
LEAST_ANSWER = 256
"""Tokens that are kept for the answer."""

_ENOUGH = "You have used as many tools as one answer may. Answer now with what you know, and say what is missing."
_AGAIN = "You have done exactly this before, and its answer is above. Do something else, or answer with what you know."


class Listener(Protocol):
    """Whoever waits for the answer."""

    gone: bool
    """Whether they hung up."""

    async def text(self, piece: str) -> None:
        """The next piece of the answer."""
        ...

    async def tool_started(self, use_id: str, name: str) -> None:
        """A tool is being used."""
        ...

    async def tool_ended(self, use_id: str, name: str, ok: bool, seconds: float) -> None:
        """A tool has answered, or refused."""
        ...


@dataclass(frozen=True)
class UsedTool:
    """A tool that was used, for whoever wants to see what the assistant did."""

    name: str
    ok: bool
    seconds: float


@dataclass
class Thought:
    """What came of it, also when it was interrupted."""

    transcript: list[Message] = field(default_factory=list)
    """Everything after the question: the model's messages, and the answers of tools."""
    drafts: list[Draft] = field(default_factory=list)
    used: list[UsedTool] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What was said, from first to last."""
        return "\n\n".join(text for draft in self.drafts if (text := draft.text.strip()))

    @property
    def tokens(self) -> Tokens:
        """What it cost."""
        return sum((draft.tokens for draft in self.drafts), Tokens())

    @property
    def plain(self) -> bool:
        """Whether nothing happened but that something was said."""
        blocks = [block for message in self.transcript for block in message.content]
        return all(isinstance(block, dict) and block["type"] == "text" for block in blocks)


class Loop:
    """Thinks with a model and the tools of a runtime."""

    def __init__(self, model: Model, toolbox: Toolbox) -> None:
        self._model = model
        self._toolbox = toolbox

    def tools(self, skills: frozenset[str], source: Source) -> tuple[ToolDefinition | ServerTool, ...]:
        """What the model is offered."""
        return self._toolbox.offered(skills, source)

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
        uses: Counter[str] = Counter()
        for call in range(1, MAX_CALLS + 1):
            left = None if room is None else room - thought.tokens.read - thought.tokens.output
            last = call == MAX_CALLS or uses.total() >= MAX_USES or (left is not None and left <= LEAST_ANSWER)
            asked = replace(
                prompt,
                messages=(*prompt.messages, *thought.transcript),
                may_use_tools=prompt.may_use_tools and not last,
                max_tokens=prompt.max_tokens if left is None else max(LEAST_ANSWER, min(prompt.max_tokens, left)),
            )
            draft = await self._answer(asked, thought, listener)
            if draft.blocks:
                thought.transcript.append(Message("assistant", tuple(draft.blocks)))
            if draft.stop_reason == "pause_turn" and not last:  # the provider's own tools take long: it wants to go on
                continue
            if not draft.tool_uses:
                break
            results = await self._use_all(draft.tool_uses, uses, context, skills, thought, listener)
            thought.transcript.append(Message("user", results))
        if not thought.text:
            raise no_answer()

    async def _answer(self, prompt: Prompt, thought: Thought, listener: Listener) -> Draft:
        separator = "\n\n" if thought.text else ""

        async def say(piece: str) -> None:
            nonlocal separator
            await listener.text(separator + piece)
            separator = ""

        draft = Draft()
        thought.drafts.append(draft)  # before it is asked: what was said and spent counts even if it is cut
        await self._model.answer(prompt, draft, say)
        return draft

    async def _use_all(
        self,
        wanted: tuple[ToolUse, ...],
        uses: "Counter[str]",
        context: ToolContext,
        skills: frozenset[str],
        thought: Thought,
        listener: Listener,
    ) -> tuple[Block, ...]:
        """Use the tools, some of them side by side. Every use gets its answer, in order: the API insists."""
        abreast = asyncio.Semaphore(MAX_ABREAST)

        async def answer(use: ToolUse) -> Used:
            async with abreast:
                await listener.tool_started(use.id, use.name)
                used = await self._toolbox.use(context, skills, use)
                await listener.tool_ended(use.id, use.name, not used.result.is_error, used.seconds)
                return used

        answering = [_counted(use, uses) or answer(use) for use in wanted]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(work)) for work in answering]
        results = []
        for use, task in zip(wanted, tasks, strict=True):
            used = task.result()
            thought.used.append(UsedTool(use.name, not used.result.is_error, used.seconds))
            if used.result.proposal is not None:
                thought.proposals.append(used.result.proposal)
            results.append(_block(use, used.result))
        return tuple(results)


async def _awaited(work: Awaitable[Used] | Used) -> Used:
    return work if isinstance(work, Used) else await work


def _counted(use: ToolUse, uses: "Counter[str]") -> Used | None:
    """Count the use; the refusal when it is one too many."""
    key = f"{use.name} {json.dumps(use.input, sort_keys=True)}"
    uses[key] += 1
    if uses.total() > MAX_USES:
        return Used(ToolResult(_ENOUGH, is_error=True), 0.0)
    if uses[key] > MAX_SAME:
        log.info("a model repeats itself", extra={"tool": use.name})
        return Used(ToolResult(_AGAIN, is_error=True), 0.0)
    return None


def _block(use: ToolUse, result: ToolResult) -> Block:
    content = result.content or "(nothing)"
    return {"type": "tool_result", "tool_use_id": use.id, "content": content, "is_error": result.is_error}
