"""What goes to the model and comes back, in the Messages API's own shapes. Pure.

Blocks stay the JSON that they are: what the model said must be sent back to it as it was said, with members that this
version of the runtime does not know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Block = dict[str, Any]
"""A content block: `{"type": "text", "text": …}`, `tool_use`, `tool_result`, `server_tool_use`, …"""


@dataclass(frozen=True)
class Message:
    """One message of a prompt."""

    role: Literal["user", "assistant"]
    content: tuple[Block, ...]

    @classmethod
    def of(cls, role: Literal["user", "assistant"], text: str) -> "Message":
        """A message of mere words."""
        return cls(role, ({"type": "text", "text": text},))


@dataclass(frozen=True)
class ToolDefinition:
    """A tool that the runtime offers, as the model is told of it."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


@dataclass(frozen=True)
class ServerTool:
    """A tool that the model's provider runs itself, such as its own search of the web."""

    type: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ToolUse:
    """The model wants a tool to be used. The input is as the model wrote it: it may be anything."""

    id: str
    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Tokens:
    """What one call of the model, or many, cost."""

    input: int = 0
    """Read afresh."""
    cache_write: int = 0
    """Read, and kept by the provider for the next time."""
    cache_read: int = 0
    """Kept from an earlier time."""
    output: int = 0
    searches: int = 0
    """Made by the provider's own search, which bills them apart."""

    @property
    def read(self) -> int:
        """All that was read, from wherever."""
        return self.input + self.cache_write + self.cache_read

    def __add__(self, other: "Tokens") -> "Tokens":
        """Both together."""
        return Tokens(
            self.input + other.input,
            self.cache_write + other.cache_write,
            self.cache_read + other.cache_read,
            self.output + other.output,
            self.searches + other.searches,
        )


@dataclass(frozen=True)
class Prompt:
    """One call of the model with everything that goes with it.

    In the order in which the model reads it, which is also from what changes least to what changes most: the provider
    keeps a prompt only up to the first difference.
    """

    model: str
    stable: str
    """Who the assistant is: the same for many conversations."""
    question: str
    volatile: str = ""
    """What holds for this question only: read between history and question, so that the history stays the same."""
    history: tuple[Message, ...] = ()
    """What was said before the question. Begins with the user's."""
    thought: tuple[Message, ...] = ()
    """What happened since the question: the model's messages, and the answers of tools."""
    tools: tuple[ToolDefinition | ServerTool, ...] = ()
    may_use_tools: bool = True
    """Without it they are still told of: the API wants to know the tools that were used earlier in the messages."""
    max_tokens: int = 4096
