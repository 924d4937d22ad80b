"""`/api/memory`: keep, find, list, change and forget; what was, and everything at once."""

import re
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from claw_crds.resource import Model
from claw_runtime.memory.entries import (
    ChangedMemory,
    FoundMemories,
    Memory,
    MemoryHistory,
    MemoryPage,
    MemoryQuery,
    Moment,
    NewMemory,
)
from claw_runtime.problems import NOT_FOUND
from claw_runtime.routes import LINES, Access, Call, Nothing, Route
from claw_runtime.routes.lists import PageQuery
from claw_runtime.text import Name, Text, Words

_ORIGIN = "(customer|assistant|import|file)"


class SearchQuery(Model):
    """What is looked for."""

    q: Annotated[Words, Field(max_length=2000)] = Field(
        description='Words or a question. "a phrase" must be there as it is, and -word must not.'
    )
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    agent: Name | None = Field(default=None, description="Only what this agent sees: its own, and everybody's.")
    tags: Annotated[Text, Field(max_length=1400)] = Field(
        default="", description="Divided by commas; all of them must be there."
    )
    since: Moment | None = Field(default=None, description="RFC 3339. Without what has no date, as most files.")
    until: Moment | None = None
    origins: Annotated[str, Field(pattern=rf"^({_ORIGIN}(,{_ORIGIN})*)?$", max_length=100)] = Field(
        default="", description="Divided by commas; any of customer, assistant, import, file."
    )
    threshold: Annotated[float, Field(ge=0, le=1)] = Field(default=0.0, description="The least relevance.")
    mode: Literal["auto", "keyword", "vector"] = Field(
        default="auto", description="By words and meaning where the runtime is set up for both, or by one of them."
    )


async def add(call: Call[NewMemory, Nothing]) -> Memory:
    """Keep a memory."""
    configuration = call.configuration
    return await call.services.memories.add(call.body, configuration.customer.locale, configuration.plan)


async def search(call: Call[Nothing, SearchQuery]) -> FoundMemories:
    """Find memories, and pieces of the workspace's memory files."""
    return await call.services.memories.search(as_query(call.query), call.configuration.customer.locale)


async def page(call: Call[Nothing, PageQuery]) -> MemoryPage:
    """All memories, by page."""
    return await call.services.memories.list(call.query.limit, call.query.cursor)


async def read(call: Call[Nothing, Nothing]) -> Memory:
    """One memory."""
    return await call.services.memories.read(call.id("memory"))


async def supersede(call: Call[ChangedMemory, Nothing]) -> Memory:
    """Let a memory hold something else. What it held stays in its history."""
    locale = call.configuration.customer.locale
    return await call.services.memories.supersede(call.id("memory"), call.body, locale, "customer")


async def history(call: Call[Nothing, Nothing]) -> MemoryHistory:
    """What was done to a memory."""
    return await call.services.memories.history(call.id("memory"))


async def delete(call: Call[Nothing, Nothing]) -> None:
    """Forget a memory, and what it held before."""
    await call.services.memories.delete(call.id("memory"))


async def export(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """All memories, one JSON object a line."""
    batches = call.services.memories.export()
    first = await anext(batches)  # before the answer begins: a database that is away is still a problem document
    response = web.StreamResponse()
    response.content_type = LINES
    await response.prepare(call.request)
    await response.write(_lines(first))
    async for batch in batches:
        await response.write(_lines(batch))
    await response.write_eof()
    return response


def _lines(memories: tuple[Memory, ...]) -> bytes:
    return "".join(memory.model_dump_json(by_alias=True) + "\n" for memory in memories).encode()


_PHRASE = re.compile(r'"([^"]+)"')
_EXCLUDED = re.compile(r"(?<!\S)-(\w\S*)")


def as_query(asked: SearchQuery) -> MemoryQuery:
    """What was asked, with its marks taken apart. Pure."""
    phrases = tuple(phrase.strip() for phrase in _PHRASE.findall(asked.q) if phrase.strip())
    without_phrases = _PHRASE.sub(r" \1 ", asked.q)
    return MemoryQuery(
        text=_EXCLUDED.sub(" ", without_phrases),
        limit=asked.limit,
        agent_id=asked.agent,
        tags=_listed(asked.tags),
        since=asked.since,
        until=asked.until,
        origins=_listed(asked.origins),
        threshold=asked.threshold,
        mode=asked.mode,
        phrases=phrases,
        excluded=" ".join(_EXCLUDED.findall(_PHRASE.sub(" ", asked.q))),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


ROUTES: tuple[Route[Any, Any], ...] = (
    Route("POST", "/api/memory", add, Access.CUSTOMER, NewMemory, Nothing, Memory, status=201),
    Route("GET", "/api/memory", page, Access.CUSTOMER, Nothing, PageQuery, MemoryPage),
    Route("GET", "/api/memory/search", search, Access.CUSTOMER, Nothing, SearchQuery, FoundMemories),
    Route("GET", "/api/memory/export", export, Access.CUSTOMER, Nothing, Nothing, Memory, lines=True),
    Route("GET", "/api/memory/{id}", read, Access.CUSTOMER, Nothing, Nothing, Memory, problems=(NOT_FOUND,)),
    Route("PUT", "/api/memory/{id}", supersede, Access.CUSTOMER, ChangedMemory, Nothing, Memory, problems=(NOT_FOUND,)),
    Route(
        "GET",
        "/api/memory/{id}/history",
        history,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        MemoryHistory,
        problems=(NOT_FOUND,),
    ),
    Route("DELETE", "/api/memory/{id}", delete, Access.CUSTOMER, Nothing, Nothing, None, problems=(NOT_FOUND,)),
)
