"""Puts a prompt together from all the rooms that have a say in it.

What comes from files and settings is kept between questions, so that most of them read nothing but their memories. Who
writes into the workspace makes it be read again.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from claw_crds.configuration import RuntimeConfiguration
from claw_runtime.memory.entries import FoundMemory
from claw_runtime.memory.memories import Memories
from claw_runtime.skills import Skill, enabled
from claw_runtime.tools import Source
from claw_runtime.tools.leaks import Guard, Leaks
from claw_runtime.turns.agents import Admitted
from claw_runtime.turns.confirmations import Waiting
from claw_runtime.turns.history import tokens_of
from claw_runtime.turns.loop import Loop
from claw_runtime.turns.messages import Prompt, ServerTool
from claw_runtime.turns.prompt import RECALLED_MEMORIES, stable_part, volatile_part, zone_of
from claw_runtime.turns.strands import Strand

if TYPE_CHECKING:
    from claw_runtime.workspace.files import Workspace

KEPT_SECONDS = 60.0
"""What another process writes, while one takes over from the other, is seen after so long."""

Sections = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Briefing:
    """A prompt without its history, and who watches that it stays where it is."""

    prompt: Prompt
    guard: Guard
    tokens: int
    """About how long it is."""


@dataclass(frozen=True)
class Asked:
    """What a prompt is made for."""

    configuration: RuntimeConfiguration
    skills: tuple[Skill, ...]
    agent: Admitted
    strand: Strand
    question: str
    source: Source = "chat"
    waiting: tuple[Waiting, ...] = ()
    model: str | None = None
    files: tuple[str, ...] | None = None
    extra: str = ""


class Briefings:
    """Makes prompts. Every method raises DatabaseAway."""

    def __init__(
        self,
        *,
        workspace: "Workspace",
        memories: Memories,
        loop: Loop,
        leaks: Leaks,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace = workspace
        self._memories = memories
        self._loop = loop
        self._leaks = leaks
        self._clock = clock
        self._monotonic = monotonic
        self._kept: dict[tuple[str, tuple[str, ...] | None], _Kept] = {}
        self._tokens_of_tools: dict[tuple[str, ...], int] = {}
        workspace.subscribe(self._forget)

    async def make(self, asked: Asked) -> Briefing:
        """The prompt for a question."""
        configuration, agent, conversation = asked.configuration, asked.agent, asked.strand.id
        names, now = enabled(asked.skills), self._clock()
        sections = await self._sections(configuration, agent.id, asked.files)
        memories = await self._recalled(asked, names)
        stable = stable_part(configuration.assistant, agent, sections, asked.skills)
        volatile = volatile_part(
            memories,
            configuration.customer.timezone,
            now,
            waiting=[proposal.summary for proposal in asked.waiting],
            extra="\n\n".join(filter(None, [asked.extra, self._leaks.warning(conversation)])),
        )
        prompt = Prompt(
            model=asked.model or configuration.assistant.model,
            stable=stable,
            question=asked.question,
            volatile=volatile,
            tools=self._loop.tools(names, asked.source),
        )
        quotable = [text for _, text in sections] + [memory.content for memory in memories]
        quotable += [skill.description for skill in asked.skills]
        quotable += [proposal.summary for proposal in asked.waiting]
        quotable += [text for text in (configuration.assistant.instructions, agent.instructions) if text]
        guard = self._leaks.guard(conversation, stable, volatile, quotable, asked.question)
        return Briefing(prompt, guard, sum(map(tokens_of, (stable, volatile, asked.question))) + self._of_tools(prompt))

    async def _recalled(self, asked: Asked, skills: frozenset[str]) -> Sequence[FoundMemory]:
        if "memory" not in skills or asked.source != "chat":
            return ()
        locale = asked.configuration.customer.locale
        return await self._memories.recall(asked.question, asked.agent.id, locale, RECALLED_MEMORIES)

    async def _sections(
        self, configuration: RuntimeConfiguration, agent_id: str, only: tuple[str, ...] | None
    ) -> Sections:
        """The files of the workspace that are read: others each day, because the day's notes are among them."""
        today = self._clock().astimezone(zone_of(configuration.customer.timezone)).date()
        kept = self._kept.get((agent_id, only))
        if kept is not None and kept.day == today and self._monotonic() < kept.until:
            return kept.sections
        memo = self._kept  # a write that happens meanwhile begins another one
        sections = await self._workspace.prompt_sections(agent_id, only)
        memo[agent_id, only] = _Kept(today, self._monotonic() + KEPT_SECONDS, sections)
        return sections

    def _of_tools(self, prompt: Prompt) -> int:
        """About how long the tools are. They are the same for most questions, and slow to write down."""
        names = tuple(tool.name for tool in prompt.tools)
        if names not in self._tokens_of_tools:
            schemas = (tool.options if isinstance(tool, ServerTool) else tool.input_schema for tool in prompt.tools)
            self._tokens_of_tools[names] = sum(tokens_of(json.dumps(schema)) for schema in schemas)
        return self._tokens_of_tools[names]

    def _forget(self, _: frozenset[str]) -> None:
        self._kept = {}


@dataclass(frozen=True)
class _Kept:
    day: date
    until: float
    sections: Sections
