"""One turn: reserve, think, record, settle.

Whatever fails in between, the message is given back, and the conversation is as it was. With two exceptions, which the
customer finds in the conversation and pays for: what was said before they hung up, and what was done because they had
confirmed it. No database connection is held while the model thinks.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from claw_crds.configuration import RuntimeConfiguration
from claw_runtime import skills as skill_rules
from claw_runtime.problems import Problem
from claw_runtime.skills import Skill, Skills
from claw_runtime.turns import confirmations as rules
from claw_runtime.turns.agents import Admitted, Agents
from claw_runtime.turns.bounds import LEAST_ANSWER
from claw_runtime.turns.briefing import Asked, Briefing, Briefings
from claw_runtime.turns.compaction import Compaction, due, fitted, tokens_in
from claw_runtime.turns.confirmations import Confirmations, Waiting
from claw_runtime.turns.exchange import DEFAULT_AGENT, ChatReply, ChatRequest, Considered, Occasion
from claw_runtime.turns.history import as_messages
from claw_runtime.turns.idempotency import Idempotency, Replay
from claw_runtime.turns.listening import Listener, Patient
from claw_runtime.turns.loop import Loop
from claw_runtime.turns.messages import Prompt, ToolUse
from claw_runtime.turns.recording import Recorder
from claw_runtime.turns.strands import Strand, find_strand
from claw_runtime.turns.turn import Done, Turn
from claw_runtime.usage.ledger import UsageLedger

if TYPE_CHECKING:
    from claw_runtime.database import Database

log = logging.getLogger(__name__)

_TO_CONFIRM = "{summary}\n\nThis is done only when you answer with the code {code}."


@dataclass(frozen=True)
class _Opened:
    """What a question finds."""

    strand: Strand
    agent: Admitted
    waiting: tuple[Waiting, ...]


class Chat:
    """Answers questions."""

    def __init__(
        self,
        *,
        database: "Database",
        agents: Agents,
        skills: Skills,
        briefings: Briefings,
        compaction: Compaction,
        confirmations: Confirmations,
        idempotency: Idempotency,
        usage: UsageLedger,
        recorder: Recorder,
        loop: Loop,
    ) -> None:
        self._database = database
        self._agents = agents
        self._skills = skills
        self._briefings = briefings
        self._compaction = compaction
        self._confirmations = confirmations
        self._idempotency = idempotency
        self._usage = usage
        self._recorder = recorder
        self._loop = loop

    async def answer(self, configuration: RuntimeConfiguration, request: ChatRequest, listener: Listener) -> ChatReply:
        """Answer the question. Raises Problem, DatabaseAway, and what the listener raises."""
        return await self._answer(configuration, request, listener, None)

    async def answer_once(
        self, configuration: RuntimeConfiguration, request: ChatRequest, listener: Listener, key: str
    ) -> ChatReply | Replay:
        """Answer the question unless it was answered before, which its key tells. Raises as `answer` does."""
        begun = await self._idempotency.begin(key, request)
        if isinstance(begun, Replay):
            return begun
        try:
            return await self._answer(configuration, request, listener, begun)
        except BaseException:
            await self._recorder.to_the_end(self._recorder.abandon(begun))
            raise

    async def consider(self, configuration: RuntimeConfiguration, occasion: Occasion) -> Considered:
        """Think about something that nobody asked for. It is counted, and belongs to no conversation.

        Raises Problem, DatabaseAway.
        """
        skills = await self._chat_skills(configuration)
        async with self._database.connection() as connection:
            agent = await self._agents.admit(connection, configuration.plan, occasion.agent_id)
        asked = Asked(
            configuration=configuration,
            skills=skills,
            agent=agent,
            strand=Strand(uuid4(), agent.id, is_new=True),
            question=occasion.question,
            source=occasion.source,
            model=occasion.model,
            files=occasion.files,
            extra=occasion.volatile_extra,
        )
        briefing = await self._briefings.make(asked)
        turn = await self._begin(asked, briefing, None)
        try:
            await self._think(turn, briefing.prompt, Patient())
        except BaseException:
            await self._recorder.to_the_end(self._recorder.give_back(turn))
            raise
        await self._recorder.to_the_end(self._recorder.count(turn))
        return Considered(turn.answer, turn.thought.tokens)

    async def finish(self, seconds: float) -> None:
        """Wait until everything that was begun is counted, before the database is closed."""
        await self._recorder.finish(seconds)

    async def _answer(
        self, configuration: RuntimeConfiguration, request: ChatRequest, listener: Listener, turn_id: UUID | None
    ) -> ChatReply:
        skills = await self._chat_skills(configuration)
        opened = await self._open(configuration, request)
        confirmed = rules.confirmed(opened.waiting, request.confirm, request.message)
        asked = Asked(
            configuration=configuration,
            skills=skills,
            agent=opened.agent,
            strand=opened.strand,
            question=request.message,
            waiting=tuple(proposal for proposal in opened.waiting if proposal not in confirmed),
        )
        briefing = await self._briefings.make(asked)
        turn = await self._begin(asked, briefing, turn_id)
        try:
            prompt = await self._with_history(turn, briefing)
            await self._carry_out(turn, confirmed, listener)
            await self._think(turn, prompt, listener)
            await self._propose(turn, opened.waiting, listener)
        except BaseException:
            await self._recorder.to_the_end(self._unfinished(turn, listener))
            raise
        return await self._recorder.to_the_end(self._recorder.record(turn))

    async def _chat_skills(self, configuration: RuntimeConfiguration) -> tuple[Skill, ...]:
        skills = await self._skills.list(configuration)
        skill_rules.require(skills, configuration.plan, "chat")
        return skills

    async def _open(self, configuration: RuntimeConfiguration, request: ChatRequest) -> _Opened:
        """Everything that the question has to do with, read at once."""
        async with self._database.connection() as connection:
            if request.conversation_id is None:
                strand = Strand(uuid4(), request.agent_id or DEFAULT_AGENT, is_new=True)
                waiting: tuple[Waiting, ...] = ()
            else:
                strand = await find_strand(connection, request.conversation_id, request.agent_id)
                waiting = await self._confirmations.waiting(connection, strand.id)
            agent = await self._agents.admit(connection, configuration.plan, strand.agent_id)
        if agent.is_new:
            await self._agents.furnish(configuration, agent)
        return _Opened(strand, agent, waiting)

    async def _begin(self, asked: Asked, briefing: Briefing, turn_id: UUID | None) -> Turn:
        """Reserve what it may take. Nothing is awaited after that, so whoever leaves now leaves no reservation."""
        history = min(tokens_in(asked.strand), self._compaction.window.room(briefing.tokens))
        reservation = await self._usage.reserve(
            asked.configuration.plan,
            asked.agent.id,
            source="heartbeat" if asked.source == "heartbeat" else "chat",
            tokens=briefing.tokens + history + LEAST_ANSWER,
            turn=turn_id,
        )
        return Turn.of(asked, briefing, reservation, keyed=turn_id is not None)

    async def _with_history(self, turn: Turn, briefing: Briefing) -> Prompt:
        """The prompt with the conversation, which is made shorter first when it has become too long."""
        room = self._compaction.window.room(briefing.tokens)
        if due(turn.strand, room):
            turn.strand = fitted(await self._compaction.shorten(turn, briefing.prompt, room), room)
        return replace(briefing.prompt, history=as_messages(turn.strand.history, turn.strand.summary))

    async def _carry_out(self, turn: Turn, confirmed: tuple[Waiting, ...], listener: Listener) -> None:
        """Do what the customer has confirmed, each once, and to its end even when they hang up now."""
        for proposal in confirmed:
            await listener.tool_started(str(proposal.id), proposal.tool)
            seconds = await self._recorder.to_the_end(self._do(turn, proposal))
            if seconds is not None:
                await listener.tool_ended(str(proposal.id), proposal.tool, turn.done[-1].ok, seconds)

    async def _do(self, turn: Turn, proposal: Waiting) -> float | None:
        """How long it took; None when another question was quicker to confirm it."""
        if not await self._confirmations.claim(proposal):
            return None
        use = ToolUse(f"toolu_{proposal.id.hex}", proposal.tool, proposal.input)
        context = replace(turn.context, confirmed=frozenset({proposal.id}))
        used = await self._loop.carry_out(context, turn.skills, use, turn.thought)
        ok = not used.result.is_error
        turn.done.append(Done(proposal.summary, ok=ok))
        await self._confirmations.conclude(proposal, ok=ok)
        return used.seconds

    async def _think(self, turn: Turn, prompt: Prompt, listener: Listener) -> None:
        # What must not be said takes a while to work out when the workspace is large: nobody else waits for that.
        turn.thought.filter = await asyncio.to_thread(turn.guard.filter)
        try:
            await self._loop.think(prompt, turn.context, turn.skills, turn.thought, listener, room=turn.room)
        except Problem:
            if not turn.done:
                raise
            log.warning("the model failed after something was done; that is told without it")
            await listener.text(f"\n\n{turn.told}" if turn.thought.said else turn.told)
        else:
            turn.complete = True

    async def _propose(self, turn: Turn, waiting: tuple[Waiting, ...], listener: Listener) -> None:
        """Ask the customer, in the runtime's own words, about what tools would do."""
        turn.proposed = self._confirmations.propose(turn.thought.proposals, waiting)
        for proposal in turn.proposed:
            await turn.thought.add(_TO_CONFIRM.format(code=proposal.code, summary=proposal.summary), listener)

    async def _unfinished(self, turn: Turn, listener: Listener) -> None:
        """Keep what the customer has had; else it is as if they had not asked."""
        if turn.done or (listener.gone and turn.thought.text):
            turn.proposed = ()
            await self._recorder.record(turn)
        else:
            await self._recorder.give_back(turn)
