"""One turn: reserve a message, ask the model, record question and answer together, settle.

Whatever happens in between, the message is given back, and the conversation is as it was. With one exception: a
customer who hangs up after the answer has begun has had a part of it, and paid for it, and finds that part in the
conversation. No database connection is held while the model thinks.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field, StringConstraints

from claw_crds.configuration import RuntimeConfiguration
from claw_crds.resource import Model as Document
from claw_crds.resource import Timestamp
from claw_runtime import skills as skill_rules
from claw_runtime.database import DatabaseAway
from claw_runtime.memory.memories import Memories
from claw_runtime.skills import Skill, Skills, enabled
from claw_runtime.text import Name, Words
from claw_runtime.tools import ToolContext
from claw_runtime.turns.conversations import WHOLE_TURNS, Conversations, Strand, as_messages
from claw_runtime.turns.loop import Listener, Loop, Thought
from claw_runtime.turns.messages import Message, Prompt
from claw_runtime.turns.prompt import DEFAULT_AGENT, RECALLED_MEMORIES, stable_part, volatile_part
from claw_runtime.usage.daily import Spent
from claw_runtime.usage.holdings import Holdings, count_agents
from claw_runtime.usage.ledger import Reservation, UsageLedger
from claw_runtime.usage.limits import Usage, remaining

if TYPE_CHECKING:
    from claw_runtime.database import Database
    from claw_runtime.workspace.files import Workspace

log = logging.getLogger(__name__)

SETTLE_ATTEMPTS = 3
SETTLE_WAIT_SECONDS = 5.0

Result = TypeVar("Result")


class ChatRequest(Document):
    """A question."""

    message: Annotated[Words, StringConstraints(max_length=100_000)]
    conversation_id: uuid.UUID | None = Field(default=None, description="Continues a conversation; else a new one.")
    agent_id: Name | None = Field(default=None, description="Who is asked in a new conversation; `main` by default.")
    stream: bool = Field(default=False, description="Answer as server-sent events.")


class UsageAnswer(Document):
    """Usage of the running month. Null where the plan sets no limit."""

    messages_used: int
    messages_remaining: int | None
    messages_limit: int | None
    input_tokens: int
    output_tokens: int
    resets_at: Timestamp


class ToolAnswer(Document):
    """A tool that was used for an answer."""

    name: str
    ok: bool
    seconds: float


class ChatReply(Document):
    """An answer."""

    reply: str
    conversation_id: uuid.UUID
    tools: tuple[ToolAnswer, ...] = ()
    usage: UsageAnswer


@dataclass
class Patient:
    """Wants the whole answer, when it is there."""

    gone: bool = field(default=False, init=False)

    async def text(self, piece: str) -> None:
        """As in Listener."""

    async def tool_started(self, use_id: str, name: str) -> None:
        """As in Listener."""

    async def tool_ended(self, use_id: str, name: str, ok: bool, seconds: float) -> None:
        """As in Listener."""


def usage_answer(usage: Usage, messages_limit: int | None) -> UsageAnswer:
    """The usage as the customer reads it."""
    return UsageAnswer(
        messages_used=usage.messages_used,
        messages_remaining=remaining(messages_limit, usage.messages_used),
        messages_limit=messages_limit,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        resets_at=usage.resets_at,
    )


class Chat:
    """Answers questions."""

    def __init__(
        self,
        *,
        database: "Database",
        conversations: Conversations,
        memories: Memories,
        skills: Skills,
        usage: UsageLedger,
        holdings: Holdings,
        workspace: "Workspace",
        loop: Loop,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._memories = memories
        self._skills = skills
        self._usage = usage
        self._holdings = holdings
        self._workspace = workspace
        self._loop = loop
        self._clock = clock
        self._finishing: set[asyncio.Task[Any]] = set()

    async def answer(self, configuration: RuntimeConfiguration, request: ChatRequest, listener: Listener) -> ChatReply:
        """Answer the question. Raises Problem, and DatabaseAway."""
        skills = await self._skills.list(configuration)
        skill_rules.require(skills, configuration.plan, "chat")
        strand = await self._conversations.strand(request.conversation_id, request.agent_id, DEFAULT_AGENT)
        reservation = await self._usage.reserve(configuration.plan, strand.agent_id, tokens=1)
        thought = Thought()
        try:
            prompt = await self._prompt(configuration, skills, strand, request.message)
            context = ToolContext(configuration, strand.agent_id, strand.id, reservation.id)
            await self._loop.think(prompt, context, enabled(skills), thought, listener)
        except BaseException:
            spent = _spent(configuration, thought)
            await self._to_the_end(self._unfinished(strand, reservation, request.message, thought, spent, listener))
            raise
        spent = _spent(configuration, thought)
        usage = await self._to_the_end(self._settle(strand, reservation, request.message, thought, spent))
        return ChatReply(
            reply=thought.text,
            conversation_id=strand.id,
            tools=tuple(
                ToolAnswer(name=used.name, ok=used.ok, seconds=round(used.seconds, 3)) for used in thought.used
            ),
            usage=usage_answer(usage, configuration.plan.limits.messages_per_month),
        )

    async def _prompt(
        self, configuration: RuntimeConfiguration, skills: tuple[Skill, ...], strand: Strand, question: str
    ) -> Prompt:
        sections = await self._workspace.prompt_sections()
        customer = configuration.customer
        names = enabled(skills)
        remembers = "memory" in names
        memories = await self._memories.recall(question, customer.locale, RECALLED_MEMORIES) if remembers else ()
        return Prompt(
            model=configuration.assistant.model,
            stable=stable_part(configuration.assistant, strand.agent_id, sections, skills),
            volatile=volatile_part(memories, customer.timezone, self._clock()),
            messages=(*as_messages(strand.history, WHOLE_TURNS), Message("user", question)),
            tools=self._loop.tools(names, "chat"),
        )

    async def _settle(
        self, strand: Strand, reservation: Reservation, question: str, thought: Thought, spent: Sequence[Spent]
    ) -> Usage:
        """Record the turn and its cost. The database may have gone while the model was answering: wait a little."""
        transcript = None if thought.plain else thought.transcript
        for attempt in range(1, SETTLE_ATTEMPTS + 1):
            try:
                async with self._database.connection() as connection, connection.transaction():
                    is_new = await self._conversations.record(
                        connection, strand, reservation.id, question, thought.text, transcript
                    )
                    if not is_new:  # the commit before did succeed, only its answer was lost
                        break
                    usage = await self._usage.settle(connection, reservation, spent)
                    agents = await count_agents(connection) if strand.is_new else self._holdings.agents
            except DatabaseAway:
                back = attempt < SETTLE_ATTEMPTS and await self._database.wait_until_present(SETTLE_WAIT_SECONDS)
                if not back:
                    log.error("an answer was lost: the database did not come back to record it")
                    raise
            else:
                self._holdings.agents = agents
                return self._usage.remember(usage)
        return await self._usage.load()

    async def _unfinished(
        self,
        strand: Strand,
        reservation: Reservation,
        question: str,
        thought: Thought,
        spent: Sequence[Spent],
        listener: Listener,
    ) -> None:
        if listener.gone and thought.text:
            await self._settle(strand, reservation, question, thought, spent)
            return
        try:
            await self._usage.give_back(reservation, spent)
        except DatabaseAway:
            log.warning("a message could not be given back now; it is when its reservation expires")

    async def _to_the_end(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Finish the work even when whoever waits for it is cancelled: a count must not be left half done."""
        task = asyncio.create_task(work)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    async def finish(self, seconds: float) -> None:
        """Wait until everything that was begun is counted, before the database is closed."""
        if self._finishing:
            await asyncio.wait(self._finishing, timeout=seconds)


def _spent(configuration: RuntimeConfiguration, thought: Thought) -> tuple[Spent, ...]:
    return (
        (Spent(configuration.assistant.model, "chat", thought.tokens, len(thought.drafts)),) if thought.drafts else ()
    )
