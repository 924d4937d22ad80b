"""What memory is made of, as the API shows it. Pure."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from claw_crds.resource import Model, Timestamp
from claw_runtime.text import Name, Text, Words

MAX_CHARACTERS = 10_000

Origin = Literal["customer", "assistant", "import"]
Tag = Annotated[Text, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=20)]
Content = Annotated[Words, StringConstraints(max_length=MAX_CHARACTERS)]


def _in_our_times(moment: datetime) -> datetime:
    if not datetime(1900, 1, 1, tzinfo=UTC) <= moment <= datetime(2200, 1, 1, tzinfo=UTC):
        raise ValueError("must be between 1900 and 2200")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_our_times)]
"""With a time zone, and within what every database and every calendar agrees about."""


class NewMemory(Model):
    """A memory to keep."""

    content: Content
    tags: Tags = ()
    agent_id: Name | None = Field(default=None, description="The only agent that knows it; null is for all of them.")
    thread: Annotated[Text, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None,
        description="What it is a part of, a conversation say. Memories of a thread help to find each other.",
    )
    metadata: Annotated[dict[Tag, Annotated[Text, StringConstraints(max_length=500)]], Field(max_length=20)] = Field(
        default_factory=dict, description="Yours: kept and given back, never searched."
    )
    created_at: Moment | None = Field(default=None, description="Of what was kept elsewhere before; now by default.")


class ChangedMemory(Model):
    """What a memory is to hold from now on."""

    content: Content
    tags: Tags | None = Field(default=None, description="Null leaves them as they are.")


class Memory(Model):
    """A memory that is kept."""

    id: uuid.UUID
    content: str
    tags: tuple[str, ...]
    agent_id: str | None
    origin: Origin
    thread: str | None
    metadata: dict[str, str]
    created_at: Timestamp
    updated_at: Timestamp


class MemoryPage(Model):
    """Memories, the latest first."""

    memories: tuple[Memory, ...]
    next_cursor: str | None = Field(description="Asks for the next page; null on the last one.")


class MemoryEvent(Model):
    """Something that was done to a memory."""

    event: Literal["created", "superseded", "deleted"]
    author: Origin
    at: Timestamp
    content: str | None = Field(description="What it held until it was superseded. Null once the memory is deleted.")


class MemoryHistory(Model):
    """What was done to a memory, the latest first."""

    events: tuple[MemoryEvent, ...]


class FoundMemory(Model):
    """A memory, or a piece of one of the workspace's files, that a search found."""

    id: uuid.UUID | None = Field(description="Of a memory; null for a file.")
    path: str | None = Field(description="Of a file; null for a memory.")
    first_line: int | None = Field(description="Of the piece, in its file.")
    last_line: int | None
    content: str
    tags: tuple[str, ...]
    agent_id: str | None
    origin: Origin | Literal["file"]
    created_at: Timestamp
    score: float = Field(description="Orders the answer: higher is better. Comparable within one answer only.")
    relevance: float = Field(
        description="How well it fits by itself, 0 to 1: the share of the question that it has, or likeness in meaning."
    )


class FoundMemories(Model):
    """What a search found, the best first."""

    memories: tuple[FoundMemory, ...]
    mode: Literal["hybrid", "keyword", "vector"] = Field(
        description="How they were found: by words, by meaning, or by both."
    )
    degraded: bool = Field(description="Whether this is less than the runtime is set up for, at the moment.")
    degraded_reason: str | None = None


class MemoryQuery(Model):
    """What is looked for."""

    text: str
    limit: int = 10
    agent_id: str | None = None
    tags: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    origins: tuple[str, ...] = ()
    threshold: float = 0.0
    """The least relevance."""
    mode: Literal["auto", "keyword", "vector"] = "auto"
    phrases: tuple[str, ...] = ()
    """Pieces of text that must be there as they are."""
    excluded: str = ""
    """Words that must not be there."""
    without_paths: tuple[str, ...] = ()
