"""One turn while it lasts: who asked what, what was thought, and what it has cost so far."""

import uuid
from dataclasses import dataclass, field

from claw_crds.configuration import RuntimeConfiguration
from claw_runtime.skills import enabled
from claw_runtime.tools import ToolContext
from claw_runtime.tools.leaks import Guard
from claw_runtime.turns.briefing import Asked, Briefing
from claw_runtime.turns.confirmations import Waiting
from claw_runtime.turns.draft import Draft
from claw_runtime.turns.exchange import ChatReply, ProposalAnswer, ToolAnswer, usage_answer
from claw_runtime.turns.loop import Thought
from claw_runtime.turns.messages import Tokens
from claw_runtime.turns.strands import Strand
from claw_runtime.usage.daily import Purpose, Spent
from claw_runtime.usage.ledger import Reservation
from claw_runtime.usage.limits import Usage


@dataclass(frozen=True)
class Done:
    """Something that the customer confirmed, and that was done or failed."""

    summary: str
    ok: bool


@dataclass
class Turn:
    """A question that is being answered."""

    configuration: RuntimeConfiguration
    model: str
    skills: frozenset[str]
    strand: Strand
    question: str
    reservation: Reservation
    context: ToolContext
    guard: Guard
    thought: Thought = field(default_factory=Thought)
    complete: bool = False
    """Whether it was thought to its end."""
    shortening: list[Draft] = field(default_factory=list)
    """What the model said to make the conversation shorter."""
    done: list[Done] = field(default_factory=list)
    proposed: tuple[Waiting, ...] = ()
    keyed: bool = False
    """Whether the question came with an Idempotency-Key."""

    @classmethod
    def of(cls, asked: Asked, briefing: Briefing, reservation: Reservation, *, keyed: bool) -> "Turn":
        """The turn that begins with this."""
        context = ToolContext(
            asked.configuration,
            asked.agent.id,
            asked.strand.id,
            reservation.id,
            source=asked.source,
            guard=briefing.guard,
        )
        return cls(
            configuration=asked.configuration,
            model=briefing.prompt.model,
            skills=enabled(asked.skills),
            strand=asked.strand,
            question=asked.question,
            reservation=reservation,
            context=context,
            guard=briefing.guard,
            keyed=keyed,
        )

    @property
    def id(self) -> uuid.UUID:
        """Of the turn, and of what it has reserved."""
        return self.reservation.id

    @property
    def told(self) -> str:
        """What was done, in the runtime's own words: for when the model does not come to tell it."""
        return "\n".join(map(_told, self.done))

    @property
    def answer(self) -> str:
        """What is answered and recorded."""
        text = self.thought.text
        return text if self.complete else "\n\n".join(filter(None, [text, self.told]))

    @property
    def spent(self) -> tuple[Spent, ...]:
        """What it has cost."""
        return (
            *self._spent("heartbeat" if self.reservation.source == "heartbeat" else "chat", self.thought.drafts),
            *self._spent("compaction", self.shortening),
        )

    @property
    def room(self) -> int | None:
        """How many tokens it may still take; None when nobody limits them."""
        if self.reservation.room is None:
            return None
        spent = sum((entry.tokens for entry in self.spent), Tokens())
        return self.reservation.room - spent.read - spent.output

    def reply(self, usage: Usage) -> ChatReply:
        """The answer as the customer reads it."""
        return ChatReply(
            reply=self.answer,
            conversation_id=self.strand.id,
            tools=tuple(
                ToolAnswer(name=used.name, ok=used.ok, seconds=round(used.seconds, 3)) for used in self.thought.used
            ),
            proposals=tuple(
                ProposalAnswer(
                    id=proposal.id, summary=proposal.summary, code=proposal.code, expires_at=proposal.expires_at
                )
                for proposal in self.proposed
            ),
            usage=usage_answer(usage, self.configuration.plan.limits.messages_per_month),
        )

    def _spent(self, purpose: Purpose, drafts: list[Draft]) -> tuple[Spent, ...]:
        if not drafts:
            return ()
        return (Spent(self.model, purpose, sum((draft.tokens for draft in drafts), Tokens()), len(drafts)),)


def _told(done: Done) -> str:
    return f"Done: {done.summary}" if done.ok else f"This failed, and was not repeated: {done.summary}"
