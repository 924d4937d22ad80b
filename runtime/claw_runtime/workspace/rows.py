"""The workspace in the database: statements, and the rows they give. Whoever calls has a transaction open.

One writer at a time, across all processes that share the database: the first thing a writing transaction does is
`lock`. What it then reads stays true until it commits, be it an etag or how full the workspace is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from claw_runtime.workspace.paths import folded, folders

if TYPE_CHECKING:
    from claw_runtime.database import Connection

Author = Literal["customer", "agent", "disk", "seed"]
"""Who wrote it: the customer through the API, the assistant, a program on the disk, or the system."""
Ended = Literal["replaced", "deleted", "lost"]

KEPT_VERSIONS = 50
KEPT_BYTES = 2_000_000
"""Of one file's history."""
KEPT_BYTES_IN_ALL = 50_000_000

_LOCK = 0x66696C65  # "file"


@dataclass(frozen=True)
class WorkspaceListing:
    """A file without its content. The etag changes with the content, and only with it. The size is in bytes."""

    path: str
    etag: str
    size: int
    author: Author
    updated_at: datetime


@dataclass(frozen=True)
class WorkspaceEntry(WorkspaceListing):
    """A file."""

    content: str


@dataclass(frozen=True)
class Version:
    """What a file held before, and how that ended. `lost`: it was written while the file had already changed."""

    id: int
    etag: str
    size: int
    author: Author
    written_at: datetime
    ended: Ended
    ended_by: Author
    ended_at: datetime


@dataclass(frozen=True)
class Room:
    """How full the workspace is."""

    files: int
    size: int


async def lock(connection: "Connection") -> None:
    """Wait until no other transaction writes into the workspace."""
    await connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])


async def entry(connection: "Connection", path: str) -> WorkspaceEntry | None:
    """A file; None when there is none."""
    found = await entries(connection, [path])
    return found[0] if found else None


async def entries(connection: "Connection", paths: list[str]) -> list[WorkspaceEntry]:
    """Those of the files that there are."""
    cursor = await connection.execute(
        """select path, etag, octet_length(content) as size, author, updated_at, content
             from workspace_files where path = any(%s) order by path collate "C\"""",
        [paths],
    )
    return [WorkspaceEntry(**row) for row in await cursor.fetchall()]


async def everything(connection: "Connection") -> list[WorkspaceEntry]:
    """All files with their content, by path."""
    return await entries(connection, [listing.path for listing in await listings(connection)])


async def listings(connection: "Connection", prefix: str = "") -> list[WorkspaceListing]:
    """All files whose path begins like this, by path."""
    cursor = await connection.execute(
        """select path, etag, octet_length(content) as size, author, updated_at
             from workspace_files where starts_with(path, %s) order by path collate "C\"""",
        [prefix],
    )
    return [WorkspaceListing(**row) for row in await cursor.fetchall()]


async def in_the_way(connection: "Connection", path: str) -> str | None:
    """A file beside which this one cannot be: one would be the other's folder, or their spelling differs in case."""
    cursor = await connection.execute(
        """select path from workspace_files f
            where f.folded = any(%(folded_folders)s)
               or starts_with(f.folded, %(folded)s || '/')
               or (f.folded = %(folded)s and f.path <> %(path)s)
               or exists (select from unnest(%(folded_folders)s::text[], %(folders)s::text[]) as a(folded, path)
                           where starts_with(f.folded, a.folded || '/') and not starts_with(f.path, a.path || '/'))
            limit 1""",
        {
            "path": path,
            "folded": folded(path),
            "folders": folders(path),
            "folded_folders": [folded(folder) for folder in folders(path)],
        },
    )
    row = await cursor.fetchone()
    return row["path"] if row is not None else None


async def room(connection: "Connection") -> Room:
    """How full the workspace is."""
    cursor = await connection.execute(
        "select count(*) as files, coalesce(sum(octet_length(content)), 0)::bigint as size from workspace_files"
    )
    row = await cursor.fetchone()
    return Room(**row) if row is not None else Room(0, 0)


async def store(
    connection: "Connection", path: str, content: str, etag: str, author: Author, now: datetime
) -> WorkspaceEntry:
    """Write the file, whatever it held."""
    cursor = await connection.execute(
        """insert into workspace_files (path, folded, content, etag, author, updated_at)
           values (%(path)s, %(folded)s, %(content)s, %(etag)s, %(author)s, %(now)s)
           on conflict (path) do update
              set content = excluded.content, etag = excluded.etag, author = excluded.author,
                  updated_at = excluded.updated_at
           returning path, etag, octet_length(content) as size, author, updated_at, content""",
        {"path": path, "folded": folded(path), "content": content, "etag": etag, "author": author, "now": now},
    )
    row: Any = await cursor.fetchone()
    return WorkspaceEntry(**row)


async def drop(connection: "Connection", path: str) -> None:
    """Delete the file."""
    await connection.execute("delete from workspace_files where path = %s", [path])


async def keep(connection: "Connection", old: WorkspaceEntry, ended: Ended, by: Author, now: datetime) -> None:
    """Put what a file held, or would have held, into its history, and forget what is too old or too much of it."""
    await connection.execute(
        """insert into workspace_versions (path, content, etag, author, written_at, ended, ended_by, ended_at)
           values (%(path)s, %(content)s, %(etag)s, %(author)s, %(written_at)s, %(ended)s, %(by)s, %(now)s)""",
        {
            "path": old.path,
            "content": old.content,
            "etag": old.etag,
            "author": old.author,
            "written_at": old.updated_at,
            "ended": ended,
            "by": by,
            "now": now,
        },
    )
    await connection.execute(
        """delete from workspace_versions where id in (
               select id from (
                   select id, row_number() over newer as place, sum(octet_length(content)) over newer as size
                     from workspace_versions where path = %(path)s window newer as (order by id desc)) v
                where place > %(versions)s or (place > 1 and size > %(bytes)s))""",
        {"path": old.path, "versions": KEPT_VERSIONS, "bytes": KEPT_BYTES},
    )


async def trim(connection: "Connection") -> None:
    """Forget the oldest of what all files held before, where it is too much in all."""
    await connection.execute(
        """delete from workspace_versions where id in (
               select id from (select id, sum(octet_length(content)) over (order by id desc) as size
                                 from workspace_versions) v
                where size > %s)""",
        [KEPT_BYTES_IN_ALL],
    )


async def versions(connection: "Connection", path: str) -> list[Version]:
    """What the file held before, the latest first."""
    cursor = await connection.execute(
        """select id, etag, octet_length(content) as size, author, written_at, ended, ended_by, ended_at
             from workspace_versions where path = %s order by id desc""",
        [path],
    )
    return [Version(**row) for row in await cursor.fetchall()]


async def version(connection: "Connection", path: str, version_id: int) -> WorkspaceEntry | None:
    """The file as it was in one version; None when there is no such version of this file."""
    cursor = await connection.execute(
        """select path, etag, octet_length(content) as size, author, written_at as updated_at, content
             from workspace_versions where path = %s and id = %s""",
        [path, version_id],
    )
    row = await cursor.fetchone()
    return WorkspaceEntry(**row) if row is not None else None


async def once_there(connection: "Connection", paths: list[str]) -> frozenset[str]:
    """Those of the paths that have a history: where there is no file now, somebody has deleted it."""
    cursor = await connection.execute("select distinct path from workspace_versions where path = any(%s)", [paths])
    return frozenset(row["path"] for row in await cursor.fetchall())


async def forget(connection: "Connection", prefix: str) -> frozenset[str]:
    """Delete all files whose path begins like this, and their history; the paths of those that there were."""
    cursor = await connection.execute(
        "delete from workspace_files where starts_with(path, %s) returning path", [prefix]
    )
    paths = frozenset(row["path"] for row in await cursor.fetchall())
    await connection.execute("delete from workspace_versions where starts_with(path, %s)", [prefix])
    return paths
