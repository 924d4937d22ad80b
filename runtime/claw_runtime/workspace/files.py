"""The workspace: the files that make the assistant itself. The database has them, the disk has a copy.

The disk of a compute may be gone after the next deployment, so nothing there is believed: what is written goes into
the database first, and then to the disk, where programs of the instance find it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from claw_crds.configuration import RuntimeConfiguration
from claw_runtime.problems import BODY_TOO_LARGE, INVALID_REQUEST, PRECONDITION_FAILED, Problem
from claw_runtime.workspace.initial import FOLLOW_THE_CONFIGURATION, initial_files, is_note, is_path
from claw_runtime.workspace.mirror import Mirror
from claw_runtime.workspace.sections import prompt_paths, prompt_sections

if TYPE_CHECKING:
    from claw_runtime.database import Database

MAX_CHARACTERS = 200_000


class InvalidPath(Problem):
    """No file of the workspace can be written at this path."""

    def __init__(self, detail: str) -> None:
        super().__init__(INVALID_REQUEST, detail)


class ContentTooLarge(Problem):
    """The content is longer than MAX_CHARACTERS."""

    def __init__(self, path: str) -> None:
        super().__init__(BODY_TOO_LARGE, f"{path} can hold {MAX_CHARACTERS:,} characters.")


class InvalidContent(Problem):
    """The content is no text that PostgreSQL can keep."""

    def __init__(self, path: str) -> None:
        super().__init__(INVALID_REQUEST, f"{path} can hold Unicode text without the character U+0000.")


class WorkspaceConflict(Problem):
    """The file is not as the writer last saw it."""

    def __init__(self, path: str) -> None:
        super().__init__(PRECONDITION_FAILED, f"{path} has changed since it was read. Read it again and repeat.")


@dataclass(frozen=True)
class WorkspaceListing:
    """A file without its content. The etag changes with the content, and only with it."""

    path: str
    etag: str
    updated_at: datetime


@dataclass(frozen=True)
class WorkspaceEntry(WorkspaceListing):
    """A file."""

    content: str


# Within Workspace, `list` is its method.
Listings = list[WorkspaceListing]
Sections = list[tuple[str, str]]


class Workspace:
    """The workspace of one instance, mirrored below `directory`. All methods raise DatabaseAway."""

    def __init__(self, database: "Database", directory: Path, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._mirror = Mirror(directory)
        self._clock = clock
        self._zone: tzinfo = UTC
        # One write at a time, or the disk might end with the older of two contents.
        self._writing = asyncio.Lock()

    async def seed(self, configuration: RuntimeConfiguration) -> None:
        """Write the files that are missing and those that follow the configuration; then bring the disk up to date.

        What exists stays as it is. The first day's note is only written into a workspace that has no note yet.
        """
        self._zone = _zone(configuration.customer.timezone)
        files = await asyncio.to_thread(initial_files, configuration, self._today())
        async with self._writing:
            async with self._database.connection() as connection, connection.transaction():
                cursor = await connection.execute("select path, etag from workspace_files")
                existing = {row["path"]: row["etag"] for row in await cursor.fetchall()}
                for path, content in _wanting(files, existing):
                    statement = _UPSERT if path in FOLLOW_THE_CONFIGURATION else _INSERT
                    await connection.execute(statement, self._row(path, content))
                cursor = await connection.execute("select path, content from workspace_files order by path")
                everything = [(row["path"], row["content"]) for row in await cursor.fetchall()]
            await self._mirror.copy(everything)

    async def read(self, path: str) -> WorkspaceEntry | None:
        """A file; None when there is none."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "select path, content, etag, updated_at from workspace_files where path = %s", [path]
            )
            row = await cursor.fetchone()
        return WorkspaceEntry(**row) if row is not None else None

    async def list(self) -> Listings:
        """All files, by path."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("select path, etag, updated_at from workspace_files order by path")
            return [WorkspaceListing(**row) for row in await cursor.fetchall()]

    async def write(self, path: str, content: str, if_match: str | None = None) -> WorkspaceEntry:
        """Write a file, new or old; with `if_match` only the one with this etag.

        Raises WorkspaceConflict, InvalidPath, InvalidContent, ContentTooLarge.
        """
        _refuse(path, content)
        row = self._row(path, content)
        async with self._writing:
            async with self._database.connection() as connection, connection.transaction():
                cursor = await connection.execute(_OVERLAPS, {"path": path, "folders": _folders(path)})
                if await cursor.fetchone():
                    raise InvalidPath(f"{path} would be a file and a folder at the same time.")
                cursor = (
                    await connection.execute(_UPSERT, row)
                    if if_match is None
                    else await connection.execute(_REPLACE, row | {"if_match": if_match})
                )
                stored = await cursor.fetchone()
            if stored is None:
                raise WorkspaceConflict(path)
            await self._mirror.copy([(path, content)])
        return WorkspaceEntry(**stored)

    async def prompt_sections(self) -> Sections:
        """Path and text of what the model reads with every question, in order and cut to its caps."""
        paths = prompt_paths(self._today())
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "select path, content from workspace_files where path = any(%s)", [list(paths)]
            )
            files = {row["path"]: row["content"] for row in await cursor.fetchall()}
        return prompt_sections(files, paths)

    def _today(self) -> date:
        return self._clock().astimezone(self._zone).date()

    def _row(self, path: str, content: str) -> dict[str, object]:
        return {"path": path, "content": content, "etag": _etag(content), "now": self._clock()}


_INSERT = """
insert into workspace_files (path, content, etag, updated_at) values (%(path)s, %(content)s, %(etag)s, %(now)s)
on conflict (path) do nothing
"""

_UPSERT = """
insert into workspace_files as f (path, content, etag, updated_at)
values (%(path)s, %(content)s, %(etag)s, %(now)s)
on conflict (path) do update
   set content = excluded.content,
       etag = excluded.etag,
       updated_at = case when f.etag = excluded.etag then f.updated_at else excluded.updated_at end
returning path, content, etag, updated_at
"""

_REPLACE = """
update workspace_files
   set content = %(content)s,
       etag = %(etag)s,
       updated_at = case when etag = %(etag)s then updated_at else %(now)s end
 where path = %(path)s and etag = %(if_match)s
returning path, content, etag, updated_at
"""

_OVERLAPS = """
select 1 from workspace_files where path = any(%(folders)s) or starts_with(path, %(path)s || '/') limit 1
"""


def _wanting(files: Mapping[str, str], existing: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The files that have to be written, given the etags of those that exist."""
    has_notes = any(is_note(path) for path in existing)
    for path, content in files.items():
        if path in FOLLOW_THE_CONFIGURATION:
            if existing.get(path) != _etag(content):
                yield path, content
        elif path not in existing and not (has_notes and is_note(path)):
            yield path, content


def _refuse(path: str, content: str) -> None:
    if not is_path(path):
        raise InvalidPath(
            "A path is made of letters, digits, dots, hyphens, underscores and slashes, and hides nothing."
        )
    if path in FOLLOW_THE_CONFIGURATION:
        raise InvalidPath(f"{path} is written by the system.")
    if len(content) > MAX_CHARACTERS:
        raise ContentTooLarge(path)
    if "\x00" in content or any("\ud800" <= character <= "\udfff" for character in content):
        raise InvalidContent(path)


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _etag(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
