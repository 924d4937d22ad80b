"""Memory, put together."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from claw_runtime.memory.embedding import Embedder
from claw_runtime.memory.indexing import DEBOUNCE_SECONDS, Indexer
from claw_runtime.memory.meaning import Meaning
from claw_runtime.memory.memories import Memories
from claw_runtime.memory.search import MemorySearch
from claw_runtime.usage.holdings import Holdings
from claw_runtime.workspace.files import Workspace

if TYPE_CHECKING:
    from claw_runtime.database import Database


def memories_of(
    database: "Database",
    workspace: Workspace,
    holdings: Holdings,
    clock: Callable[[], datetime],
    embedder: Embedder | None = None,
    *,
    debounce: float = DEBOUNCE_SECONDS,
) -> Memories:
    """The memories of an instance, which follow its workspace from now on. Touches nothing yet."""
    meaning = Meaning(database, embedder) if embedder is not None else None
    indexer = Indexer(database, meaning.grown if meaning is not None else lambda: None, debounce=debounce)
    workspace.subscribe(indexer.changed)
    return Memories(database, holdings, clock, MemorySearch(database, clock, indexer, meaning))
