"""What is asked and what is answered, as the API tells it and as other rooms of the runtime ask."""

import uuid
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints

from claw_crds.resource import Model, Timestamp
from claw_runtime.text import Name, Words
from claw_runtime.tools import Source
from claw_runtime.turns.messages import Tokens
from claw_runtime.usage.limits import Usage, remaining

DEFAULT_AGENT = "main"
MAX_CONFIRMED = 5


class ChatRequest(Model):
    """A question."""

    message: Annotated[Words, StringConstraints(max_length=100_000)]
    conversation_id: uuid.UUID | None = Field(default=None, description="Continues a conversation; else a new one.")
    agent_id: Name | None = Field(default=None, description="Who is asked in a new conversation; `main` by default.")
    confirm: tuple[uuid.UUID, ...] = Field(
        default=(),
        max_length=MAX_CONFIRMED,
        description="Proposals of this conversation that are to be done now. Their codes in the message do the same.",
    )
    stream: bool = Field(default=False, description="Answer as server-sent events.")


class UsageAnswer(Model):
    """Usage of the running month. Null where the plan sets no limit."""

    messages_used: int
    messages_remaining: int | None
    messages_limit: int | None
    input_tokens: int
    output_tokens: int
    resets_at: Timestamp


class ToolAnswer(Model):
    """A tool that was used for an answer."""

    name: str
    ok: bool
    seconds: float


class ProposalAnswer(Model):
    """Something that the assistant does only when the customer says so."""

    id: uuid.UUID
    summary: str
    code: str = Field(description="Written in the next message, it confirms; so does the id in `confirm`.")
    expires_at: Timestamp


class ChatReply(Model):
    """An answer."""

    reply: str
    conversation_id: uuid.UUID
    tools: tuple[ToolAnswer, ...] = ()
    proposals: tuple[ProposalAnswer, ...] = ()
    usage: UsageAnswer


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


@dataclass(frozen=True)
class Occasion:
    """A turn that nobody asked for."""

    source: Source
    agent_id: str
    question: str
    model: str | None = None
    """Instead of the assistant's own."""
    files: tuple[str, ...] | None = None
    """Of the workspace, that are read for it; None for all that a question of the customer comes with."""
    volatile_extra: str = ""
    """What happened, and whatever else holds for this occasion only."""


@dataclass(frozen=True)
class Considered:
    """What came of it."""

    text: str
    tokens: Tokens
