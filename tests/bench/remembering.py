"""Memory by itself: on a database of its own, beside a workspace, without the rest of a runtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claw_crds.configuration import PlanConfiguration
from claw_runtime.database import Database
from claw_runtime.memory.assembly import memories_of
from claw_runtime.memory.embedding import Embedder
from claw_runtime.memory.entries import FoundMemories, Memory, MemoryQuery, NewMemory
from claw_runtime.memory.memories import Memories
from claw_runtime.migrations import migrate
from claw_runtime.usage.holdings import Holdings
from claw_runtime.workspace.files import Workspace
from tests.clock import Clock

PLAN = PlanConfiguration(name="pro", display_name="Pro")


@dataclass
class Mind:
    """What remembers."""

    database: Database
    workspace: Workspace
    memories: Memories
    clock: Clock
    locale: str = "en-GB"

    async def keep(self, content: str, **members: Any) -> Memory:
        return await self.memories.add(NewMemory(content=content, **members), self.locale, PLAN)

    async def find(self, text: str, **members: Any) -> FoundMemories:
        return await self.memories.search(MemoryQuery(text=text, **members), self.locale)

    async def contents(self, text: str, **members: Any) -> list[str]:
        return [memory.content for memory in (await self.find(text, **members)).memories]


@asynccontextmanager
async def mind(url: str, directory: Path, clock: Clock, embedder: Embedder | None = None) -> AsyncIterator[Mind]:
    """Memory on this database, which is brought to the latest schema first."""
    database = Database(url, wait_seconds=2)
    await database.open()
    await migrate(database)
    workspace = Workspace(database, directory, clock)
    memories = memories_of(database, workspace, Holdings(database), clock, embedder, debounce=0.05)
    try:
        yield Mind(database, workspace, memories, clock)
    finally:
        await memories.stop()
        await database.close()
