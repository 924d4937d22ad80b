"""The rules of writing: what a file may hold, how much there is room for, and that what was there is kept.

A `Writing` is one transaction that has the workspace to itself. What it changed is told to the disk and to whoever
listens only after the commit.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from claw_runtime.problems import PRECONDITION_FAILED, WORKSPACE_FULL, Problem
from claw_runtime.workspace import rows
from claw_runtime.workspace.content import MAX_BYTES, MAX_FILES, etag_of, refuse_content
from claw_runtime.workspace.disk import Seen
from claw_runtime.workspace.paths import FOLLOW_THE_CONFIGURATION, InvalidPath
from claw_runtime.workspace.rows import Author, Ended, Room, WorkspaceEntry

if TYPE_CHECKING:
    from claw_runtime.database import Connection
ANY = "*"
"""Instead of an etag: whatever the file holds, as long as there is one."""


class WorkspaceConflict(Problem):
    """The file is not as the writer last saw it."""

    def __init__(self, path: str) -> None:
        super().__init__(PRECONDITION_FAILED, f"{path} has changed since it was read. Read it again and repeat.")


class WorkspaceFull(Problem):
    """There are as many files, or as much in them, as a workspace takes."""

    def __init__(self) -> None:
        super().__init__(
            WORKSPACE_FULL,
            f"A workspace takes {MAX_FILES:,} files and {MAX_BYTES // 1_000_000} MB in all. Delete what is not needed.",
        )


class Writing:
    """One transaction."""

    def __init__(self, connection: "Connection", now: datetime) -> None:
        self.connection = connection
        self.changed: dict[str, str | None] = {}
        """The new content by path; None for what is gone."""
        self.stale: dict[str, str | None] = {}
        """What has not changed now, but is not on the disk yet."""
        self.has_kept = False
        """Whether anything went into a history."""
        self.taken: dict[str, Seen | None] = {}
        """What was taken in from the disk, as it was there."""
        self._now = now
        self._room: Room | None = None
        """What there is, once it was counted: nobody else writes meanwhile."""

    async def expect(self, path: str, if_match: str | None, *, create: bool = False) -> None:
        """Raises WorkspaceConflict when the file is another than the one with this etag; with `create`, than none."""
        if if_match is None and not create:
            return
        old = await rows.entry(self.connection, path)
        if (old is not None) if create else (old is None or if_match not in (ANY, old.etag)):
            raise WorkspaceConflict(path)

    async def put(self, path: str, content: str, author: Author) -> WorkspaceEntry:
        """Let the file hold this. Raises InvalidPath, InvalidContent, ContentTooLarge, WorkspaceFull."""
        refuse_content(path, content)
        old = await rows.entry(self.connection, path)
        etag = etag_of(content)
        if old is not None and old.etag == etag:
            return old
        if old is None and (other := await rows.in_the_way(self.connection, path)) is not None:
            raise InvalidPath(f"{path} cannot be beside {other}: a name is a file or a folder, and has one spelling.")
        await self._take_room(int(old is None), len(content.encode()) - (old.size if old is not None else 0))
        if old is not None and path not in FOLLOW_THE_CONFIGURATION:
            await self._keep(old, "replaced", author)
        self.changed[path] = content
        return await rows.store(self.connection, path, content, etag, author, self._now)

    async def remove(self, old: WorkspaceEntry, author: Author) -> None:
        """Delete the file; its history says what it held."""
        await self._take_room(-1, -old.size)
        await self._keep(old, "deleted", author)
        await rows.drop(self.connection, old.path)
        self.changed[old.path] = None

    async def lose(self, path: str, content: str, author: Author) -> None:
        """Keep, in the file's history, a text that came too late to become its content."""
        refuse_content(path, content)
        size = len(content.encode())
        lost = WorkspaceEntry(path, etag_of(content), size, author, self._now, content)
        await self._keep(lost, "lost", author)

    async def _keep(self, old: WorkspaceEntry, ended: Ended, author: Author) -> None:
        await rows.keep(self.connection, old, ended, author, self._now)
        self.has_kept = True

    async def _take_room(self, files: int, size: int) -> None:
        """Count so many more files and bytes. What becomes smaller is never refused: that is how there is room."""
        room = self._room or await rows.room(self.connection)
        after = Room(room.files + files, room.size + size)
        if (size > 0 and after.size > MAX_BYTES) or (files > 0 and after.files > MAX_FILES):
            raise WorkspaceFull
        self._room = after
