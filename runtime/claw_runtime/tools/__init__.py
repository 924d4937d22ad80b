"""Tools: what the assistant can do beyond talking. Each belongs to a skill, and is offered only where that is enabled.

What a model asks for is believed in nothing. Its input is parsed by the tool's own model, its time and its answer are
bounded, and what must not happen without the customer (a mail leaves) needs a confirmation that only the customer's own
words can give; see `turns/confirmations.py`.

A tool is a `Tool`: a name, a model of its input, and a coroutine function.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from claw_crds.configuration import RuntimeConfiguration

if TYPE_CHECKING:
    from claw_runtime.tools.leaks import Guard

MAX_INPUT_CHARACTERS = 400_000
"""Of what one tool is given: two of the longest files."""
MAX_RESULT_CHARACTERS = 24_000
"""Of one answer. A longer one is cut, and says so."""
TOOL_SECONDS = 30.0

Source = Literal["chat", "heartbeat", "compaction"]
"""Why there is a turn: somebody asked, it was time to look, or a conversation became too long."""


class ToolInput(BaseModel):
    """What a tool takes. Members that the tool does not know are the model's mistake, and it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


Input = TypeVar("Input", bound=ToolInput)


@dataclass(frozen=True)
class ToolContext:
    """On whose behalf a tool is used."""

    configuration: RuntimeConfiguration
    agent_id: str
    conversation_id: uuid.UUID
    turn: uuid.UUID
    source: Source = "chat"
    confirmed: frozenset[uuid.UUID] = frozenset()
    """The actions that the customer has confirmed with this question."""
    guard: "Guard | None" = None
    """Knows what must not leave in this turn. Without one, only keys are known."""


@dataclass(frozen=True)
class Proposal:
    """Something that a tool would do, if the customer says so."""

    tool: str
    input: dict[str, Any]
    """What the tool is called with once it is confirmed. Kept in the database: no secrets."""
    summary: str
    """For the customer: "Send the mail “Invoice” to bob@example.com"."""


@dataclass(frozen=True)
class ToolResult:
    """What a tool answers the model."""

    content: str
    is_error: bool = False
    untrusted: bool = False
    """Whether it holds what strangers wrote: a page, a mail. The model is told that it is no order."""
    proposal: Proposal | None = None
    """What the customer has to confirm first. Nothing was done yet."""


class ToolRefused(Exception):
    """The tool does not do this. Its text is for the model, which tells the customer."""


@dataclass(frozen=True)
class Tool(Generic[Input]):
    """One tool."""

    name: str
    description: str
    skill: str
    """Of the catalogue in `skills/`; `chat` for those that everybody has."""
    input: type[Input]
    run: Callable[[ToolContext, Input], Awaitable[ToolResult]]
    """Raises ToolRefused, Problem, DatabaseAway."""
    seconds: float = TOOL_SECONDS
    leaves: bool = False
    """Whether its input goes to others: the web, a mail, a calendar that is shared."""
    asks: bool = False
    """Whether nothing leaves before the customer has seen and confirmed it. Then it may hold what they can read."""
    sources: frozenset[Source] = field(default_factory=lambda: frozenset({"chat", "heartbeat"}))
    """The turns in which it is offered."""
