"""Memories: short texts that the customer, or the assistant, wants kept. What changes one also changes its index.

A memory keeps its id for as long as it is kept. What it held before is its history, which no search sees. Forgotten is
forgotten: the history of a deleted memory tells that it was, and not what.
"""

import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from claw_crds.configuration import PlanConfiguration
from claw_runtime import pages
from claw_runtime.memory import index, rows
from claw_runtime.memory.entries import (
    ChangedMemory,
    FoundMemories,
    FoundMemory,
    Memory,
    MemoryEvent,
    MemoryHistory,
    MemoryPage,
    MemoryQuery,
    NewMemory,
    Origin,
)
from claw_runtime.memory.search import MemorySearch
from claw_runtime.problems import Problem, limit_reached, not_found
from claw_runtime.usage.holdings import Holdings, count_memories

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

EXPORT_ROWS = 500


class Memories:
    """The instance's memories. Every method raises DatabaseAway."""

    def __init__(
        self, database: "Database", holdings: Holdings, clock: Callable[[], datetime], search: MemorySearch
    ) -> None:
        self._database = database
        self._holdings = holdings
        self._clock = clock
        self._search = search

    async def search(self, query: MemoryQuery, locale: str) -> FoundMemories:
        """Memories and pieces of files that answer the query, the best first."""
        return await self._search.search(query, locale)

    async def recall(self, text: str, agent_id: str, locale: str, limit: int) -> tuple[FoundMemory, ...]:
        """What may help an agent with a question, the best first; nothing that its prompt holds anyway."""
        return await self._search.recall(text, agent_id, locale, limit)

    async def add(self, new: NewMemory, locale: str, plan: PlanConfiguration, origin: Origin | None = None) -> Memory:
        """Keep it. Raises Problem when the plan's memories are used up."""
        now = self._clock()
        dictionary = index.dictionary_of(locale)
        values = {
            "id": uuid.uuid4(),
            "content": new.content,
            "tags": list(dict.fromkeys(new.tags)),
            "agent": new.agent_id,
            "origin": origin or ("customer" if new.created_at is None else "import"),
            "thread": new.thread,
            "metadata": json.dumps(new.metadata),
            "created": new.created_at or now,
            "indexed": index.version_of(dictionary),
            "step": index.STEP,
        }
        async with self._database.connection() as connection, connection.transaction():
            await index.take_turn(connection)
            used = await count_memories(connection)
            self._check_limit(used, plan)
            cursor = await connection.execute(rows.INSERT, values)
            (row,) = await cursor.fetchall()
            await index.put(connection, dictionary, [rows.document(row)])
            await self._note(connection, row["id"], "created", None, row["origin"])
        self._holdings.memories = used + 1
        self._search.grown()
        return rows.memory(row)

    async def supersede(self, memory_id: uuid.UUID, new: ChangedMemory, locale: str, author: Origin) -> Memory:
        """Let it hold something else; what it held is in its history. Raises Problem for an unknown id."""
        dictionary = index.dictionary_of(locale)
        values = {
            "id": memory_id,
            "content": new.content,
            "tags": list(dict.fromkeys(new.tags)) if new.tags is not None else None,
            "now": self._clock(),
            "indexed": index.version_of(dictionary),
        }
        async with self._database.connection() as connection, connection.transaction():
            await index.take_turn(connection)
            cursor = await connection.execute("select content from memories where id = %(id)s", values)
            old = await cursor.fetchone()
            if old is None:
                raise _unknown()
            cursor = await connection.execute(rows.UPDATE, values)
            (row,) = await cursor.fetchall()
            await index.drop_memories(connection, [memory_id])
            await index.put(connection, dictionary, [rows.document(row)])
            await self._note(connection, memory_id, "superseded", old["content"], author)
        self._search.grown()
        return rows.memory(row)

    async def delete(self, memory_id: uuid.UUID, author: Origin = "customer") -> None:
        """Forget it. Raises Problem for an unknown id."""
        async with self._database.connection() as connection, connection.transaction():
            await index.take_turn(connection)
            await index.drop_memories(connection, [memory_id])
            result = await connection.execute("delete from memories where id = %(id)s", {"id": memory_id})
            if result.rowcount == 0:
                raise _unknown()
            await connection.execute(
                "update memory_history set content = null where memory_id = %(id)s", {"id": memory_id}
            )
            await self._note(connection, memory_id, "deleted", None, author)
            used = await count_memories(connection)
        self._holdings.memories = used

    async def read(self, memory_id: uuid.UUID) -> Memory:
        """One memory. Raises Problem for an unknown id."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                f"select {rows.COLUMNS} from memories where id = %(id)s",  # noqa: S608 - our own column names
                {"id": memory_id},
            )
            row = await cursor.fetchone()
        if row is None:
            raise _unknown()
        return rows.memory(row)

    async def history(self, memory_id: uuid.UUID) -> MemoryHistory:
        """What was done to it, even when it is no longer there. Raises Problem for an id that never was."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "select event, author, at, content from memory_history where memory_id = %(id)s order by id desc",
                {"id": memory_id},
            )
            events = tuple(MemoryEvent(**row) for row in await cursor.fetchall())
        if not events:
            await self.read(memory_id)  # one that is older than histories
        return MemoryHistory(events=events)

    async def list(self, limit: int, cursor: str | None) -> MemoryPage:
        """One page. Raises Problem for a made-up cursor."""
        created_at, last = pages.key(cursor, datetime.fromisoformat, uuid.UUID)
        async with self._database.connection() as connection:
            result = await connection.execute(
                f"""select {rows.COLUMNS} from memories
                     where %(last)s::uuid is null or (created_at, id) < (%(at)s, %(last)s)
                     order by created_at desc, id desc limit %(limit)s""",  # noqa: S608 - our own column names
                {"at": created_at, "last": last, "limit": limit + 1},
            )
            found = [rows.memory(row) for row in await result.fetchall()]
        page, end = pages.split(found, limit)
        after = pages.cursor(end.created_at.isoformat(), end.id) if end is not None else None
        return MemoryPage(memories=tuple(page), next_cursor=after)

    async def export(self) -> AsyncIterator[tuple[Memory, ...]]:
        """All memories, some at a time; at least once. No connection is held while the caller writes them out."""
        last: uuid.UUID | None = None
        while True:
            async with self._database.connection() as connection:
                cursor = await connection.execute(
                    f"""select {rows.COLUMNS} from memories where %(last)s::uuid is null or id > %(last)s
                         order by id limit %(limit)s""",  # noqa: S608 - our own column names
                    {"last": last, "limit": EXPORT_ROWS},
                )
                found = await cursor.fetchall()
            yield tuple(map(rows.memory, found))
            if len(found) < EXPORT_ROWS:
                return
            last = found[-1]["id"]

    async def stop(self) -> None:
        """Let go of what is done in the background."""
        await self._search.stop()

    async def _note(
        self, connection: "Connection", memory_id: uuid.UUID, event: str, content: str | None, author: str
    ) -> None:
        values = {"id": memory_id, "event": event, "content": content, "author": author, "now": self._clock()}
        await connection.execute(rows.NOTE, values | {"kept": rows.KEPT_EVENTS})

    def _check_limit(self, used: int, plan: PlanConfiguration) -> None:
        limit = plan.limits.memories
        if limit is not None and used >= limit:
            raise limit_reached(
                "memories",
                "memories",
                plan=plan.display_name,
                limit=limit,
                used=used,
                now=self._clock(),
                resets_at=None,
            )


def _unknown() -> Problem:
    return not_found("memory with this id")
