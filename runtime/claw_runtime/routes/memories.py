"""`/api/memory`: keep, find, list and forget."""

from typing import Annotated

from pydantic import Field, StringConstraints

from claw_crds.resource import Model
from claw_runtime.memory.memories import FoundMemories, Memory, MemoryPage, NewMemory
from claw_runtime.routes import Call, Nothing
from claw_runtime.routes.lists import PageQuery
from claw_runtime.text import Words


class SearchQuery(Model):
    """What is looked for."""

    q: Annotated[Words, StringConstraints(max_length=500)] = Field(
        description='Words that must all be there; "a phrase", `or` and `-without` as in a web search.'
    )
    limit: Annotated[int, Field(ge=1, le=50)] = 10


async def add(call: Call[NewMemory, Nothing]) -> Memory:
    """Keep a memory."""
    configuration = call.configuration
    return await call.services.memories.add(call.body, configuration.customer.locale, configuration.plan)


async def search(call: Call[Nothing, SearchQuery]) -> FoundMemories:
    """Find memories by their words."""
    return await call.services.memories.search(call.query.q, call.configuration.customer.locale, call.query.limit)


async def page(call: Call[Nothing, PageQuery]) -> MemoryPage:
    """All memories, by page."""
    return await call.services.memories.list(call.query.limit, call.query.cursor)


async def delete(call: Call[Nothing, Nothing]) -> None:
    """Forget a memory."""
    await call.services.memories.delete(call.id("memory"))
