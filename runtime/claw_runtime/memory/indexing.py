"""Keeping the index true to the workspace's files, and to memories that are older than it.

What is indexed bears the etag of its content and the version of what indexed it. One query tells what differs, so
nothing has to be remembered across restarts: it is asked at the first search after one, and after files changed. While
nobody searches and nothing changes, nothing runs.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, LiteralString

from claw_runtime.database import DatabaseAway
from claw_runtime.memory import index, rows
from claw_runtime.memory.chunking import chunks
from claw_runtime.memory.index import Document
from claw_runtime.memory.sources import Source, source

if TYPE_CHECKING:
    from claw_runtime.database import Database

log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 1.5
READY_SECONDS = 2.0
"""A search waits that long for an index that is behind; after that it makes do with what there is."""
BATCH = 100

BEHIND = "Some of what was written is not in the index yet; it is being brought up to date."


class Indexer:
    """Brings the index up to date, and calls `grown` when it did. `debounce` and `patience` are seconds."""

    def __init__(
        self,
        database: "Database",
        grown: Callable[[], None] = lambda: None,
        *,
        debounce: float = DEBOUNCE_SECONDS,
        patience: float = READY_SECONDS,
    ) -> None:
        self._database = database
        self._grown = grown
        self._debounce = debounce
        self._patience = patience
        self._true_to: str | None = None
        """The version that the whole index has; None while something may differ."""
        self._dictionary: str | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._working: asyncio.Task[None] | None = None

    def changed(self, paths: Iterable[str]) -> None:
        """Files were written or deleted. Once they have rested, what has changed in them is indexed."""
        if not any(source(path) for path in paths):
            return
        self._true_to = None
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = asyncio.create_task(self._after_a_rest(), name="memory-debounce")

    async def ready(self, dictionary: str) -> bool:
        """Bring the index up to date, within the indexer's patience; False when it is not. Raises DatabaseAway."""
        self._dictionary = dictionary
        if self._true_to == index.version_of(dictionary):
            return True
        working = self._work(dictionary)
        done, _ = await asyncio.wait({working}, timeout=self._patience)
        if not done:
            return False
        working.result()
        return self._true_to == index.version_of(dictionary)

    async def stop(self) -> None:
        """Leave off, wherever it is: the next start goes on from there."""
        tasks = [task for task in (self._waiting, self._working) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _after_a_rest(self) -> None:
        await asyncio.sleep(self._debounce)
        if self._dictionary is None:  # nobody has searched yet, so the language is not known; the first search asks
            return
        try:
            await asyncio.shield(self._work(self._dictionary))
        except DatabaseAway:
            log.info("the index will be brought up to date by the next search: the database is away")

    def _work(self, dictionary: str) -> "asyncio.Task[None]":
        """The task that brings the index up to date: the one that runs, or a new one."""
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._catch_up(dictionary), name="memory-indexing")
            self._working.add_done_callback(_told)
        return self._working

    async def _catch_up(self, dictionary: str) -> None:
        version = index.version_of(dictionary)
        # Set before looking: what changes while we look unsets it again.
        self._true_to = version
        try:
            files = await self._differing(version)
            for path in files:
                await self._file(path, dictionary)
            memories = 0
            while batch := await self._memories(dictionary):
                memories += batch
        except BaseException:
            self._true_to = None
            raise
        if files or memories:
            log.info("memory indexed", extra={"files": len(files), "memories": memories, "version": version})
            self._grown()

    async def _differing(self, version: str) -> list[str]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_DIFFERING, {"version": version})
            found = [(row["path"], row["gone"]) for row in await cursor.fetchall()]
        return [path for path, gone in found if gone or source(path)]

    async def _file(self, path: str, dictionary: str) -> None:
        """Index the file as it is now; take it out when it is gone."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "select content, etag from workspace_files where path = %(path)s", {"path": path}
            )
            row = await cursor.fetchone()
        found = source(path)
        document = await asyncio.to_thread(_document, found, row["content"]) if found and row else None
        async with self._database.connection() as connection, connection.transaction():
            await index.take_turn(connection)
            await index.drop_files(connection, [path])
            if document is None or row is None:
                await connection.execute("delete from memory_files where path = %(path)s", {"path": path})
                return
            await index.put(connection, dictionary, [document])
            values = {"path": path, "etag": row["etag"], "version": index.version_of(dictionary)}
            await connection.execute(_INDEXED, values)

    async def _memories(self, dictionary: str) -> int:
        """Index some memories that another version has indexed, or none; returns how many."""
        version = index.version_of(dictionary)
        async with self._database.connection() as connection, connection.transaction():
            await index.take_turn(connection)
            cursor = await connection.execute(_STALE, {"version": version, "batch": BATCH})
            stale = await cursor.fetchall()
            if not stale:
                return 0
            ids = [row["id"] for row in stale]
            await index.drop_memories(connection, ids)
            await index.put(connection, dictionary, map(rows.document, stale))
            await connection.execute(
                "update memories set indexed = %(version)s where id = any(%(ids)s)", {"version": version, "ids": ids}
            )
        return len(stale)


def _document(found: Source, content: str) -> Document:
    dated = datetime.combine(found.dated, time(), UTC) if found.dated else None
    name = found.path.removesuffix(".md")
    return Document(
        None, found.path, found.agent_id, f"file:{found.path}", 0, dated, tuple(chunks(content)), hints=name
    )


def _told(task: "asyncio.Task[None]") -> None:
    """Nobody may be waiting any more: a failure must not go unseen, nor be told twice."""
    if task.cancelled() or (error := task.exception()) is None or isinstance(error, DatabaseAway):
        return
    log.error("the memory index could not be brought up to date", exc_info=error)


_DIFFERING: LiteralString = r"""
select path, file.path is null as gone
  from workspace_files file full join memory_files known using (path)
 where (file.path is null or file.path ~ '(^|/)(MEMORY\.md|USER\.md|memory/.+\.md)$')
   and (file.etag is distinct from known.etag or known.version is distinct from %(version)s)
 order by path
"""

_INDEXED: LiteralString = """
insert into memory_files (path, etag, version) values (%(path)s, %(etag)s, %(version)s)
on conflict (path) do update set etag = excluded.etag, version = excluded.version
"""

_STALE: LiteralString = f"""
select {rows.COLUMNS}, place from memories where indexed is distinct from %(version)s
 order by created_at limit %(batch)s
"""  # noqa: S608 - our own column names
