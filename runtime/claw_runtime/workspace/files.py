"""The workspace: the files that make the assistant itself. The database has the truth, the disk a mirror of it.

The disk of a compute may be gone after the next deployment, so what is written goes into the database first, and then
to the disk, where programs of the instance find it. What they change there is taken in; `reconciling.py` has the rule.
Nobody's words are lost to the next writer: what a file held before is its history.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from claw_crds.configuration import RuntimeConfiguration
from claw_runtime.database import DatabaseAway
from claw_runtime.problems import PRECONDITION_REQUIRED, Problem, not_found
from claw_runtime.workspace import rows
from claw_runtime.workspace.folders import MAIN, SHARED, folder_of
from claw_runtime.workspace.initial import agent_files, initial_files, wanting, zone_of
from claw_runtime.workspace.mirror import Mirror
from claw_runtime.workspace.paths import FOLLOW_THE_CONFIGURATION, is_path, normal, writable
from claw_runtime.workspace.rows import Author, Version, WorkspaceEntry, WorkspaceListing
from claw_runtime.workspace.sections import prompt_paths, prompt_sections
from claw_runtime.workspace.syncing import bring_into_step
from claw_runtime.workspace.watching import Watcher
from claw_runtime.workspace.writing import Writing

if TYPE_CHECKING:
    from claw_runtime.database import Database

# Within Workspace, `list` is its method.
Listings = list[WorkspaceListing]
Versions = list[Version]
Sections = list[tuple[str, str]]
Changed = Callable[[frozenset[str]], None]


class Workspace:
    """The workspace of one instance, mirrored below `directory`. All methods raise DatabaseAway.

    With `quiet_seconds`, what programs change on the disk is taken in when it has been quiet for so long; without, when
    the workspace is seeded.
    """

    def __init__(
        self,
        database: "Database",
        directory: Path,
        clock: Callable[[], datetime],
        *,
        quiet_seconds: float | None = None,
    ) -> None:
        self._database = database
        self._mirror = Mirror(directory)
        self._clock = clock
        self._zone: tzinfo = UTC
        self._subscribers: list[Changed] = []
        self._watcher = Watcher(directory, self._disk_changed, quiet_seconds) if quiet_seconds is not None else None
        self._behind = False
        # One write at a time, or the disk might end with the older of two contents.
        self._lock = asyncio.Lock()

    def subscribe(self, callback: Changed) -> None:
        """Call back with the paths of what changed, after each commit. The callback must neither block nor fail."""
        self._subscribers.append(callback)

    async def read(self, path: str) -> WorkspaceEntry | None:
        """A file; None when there is none."""
        if not is_path(path := normal(path)):
            return None
        async with self._database.connection() as connection:
            return await rows.entry(connection, path)

    async def list(self, prefix: str = "") -> Listings:
        """All files whose path begins like this, by path."""
        async with self._database.connection() as connection:
            return await rows.listings(connection, normal(prefix))

    async def write(
        self, path: str, content: str, if_match: str | None = None, author: Author = "customer", *, create: bool = False
    ) -> WorkspaceEntry:
        """Write a file, new or old; with `if_match` only the one with this etag, with `create` only a new one.

        Raises WorkspaceConflict, InvalidPath, InvalidContent, ContentTooLarge, WorkspaceFull.
        """
        path = writable(path)
        async with self._writing() as writing:
            await writing.expect(path, if_match, create=create)
            return await writing.put(path, content, author)

    async def delete(self, path: str, if_match: str | None, author: Author = "customer") -> None:
        """Delete the file with this etag, or any with ANY. Its history stays.

        Raises WorkspaceConflict, InvalidPath, and Problem when there is no such file or `if_match` is None.
        """
        path = writable(path)
        async with self._writing() as writing:
            old = await rows.entry(writing.connection, path)
            if old is None:
                raise not_found(f"file {path} in the workspace")
            if if_match is None:
                raise Problem(PRECONDITION_REQUIRED, f"Say in If-Match which {path} is to be deleted; `*` is any.")
            await writing.expect(path, if_match)
            await writing.remove(old, author)

    async def history(self, path: str) -> Versions:
        """What the file held before, the latest first. A file that was deleted has a history, too."""
        async with self._database.connection() as connection:
            return await rows.versions(connection, normal(path))

    async def version(self, path: str, version_id: int) -> WorkspaceEntry | None:
        """The file as it was in this version; None when there is none, or no longer."""
        async with self._database.connection() as connection:
            return await rows.version(connection, normal(path), version_id)

    async def restore(self, path: str, version_id: int, author: Author = "customer") -> WorkspaceEntry:
        """Let the file hold again what it held in this version. What it holds now goes into its history.

        Raises InvalidPath, WorkspaceFull, and Problem when there is no such version.
        """
        path = writable(path)
        async with self._writing() as writing:
            old = await rows.version(writing.connection, path, version_id)
            if old is None:
                raise not_found(f"version {version_id} of {path}")
            return await writing.put(path, old.content, author)

    async def everything(self) -> Sequence[WorkspaceEntry]:
        """All files with their content, as of one moment."""
        async with self._database.connection() as connection:
            return await rows.everything(connection)

    async def replace_everything(self, files: Mapping[str, str], author: Author = "customer") -> None:
        """Let there be these files and no others, except the system's. Raises InvalidPath, WorkspaceFull."""
        async with self._writing() as writing:
            sizes = {entry.path: entry.size for entry in await rows.listings(writing.connection)}
            for path in sizes.keys() - files.keys() - set(FOLLOW_THE_CONFIGURATION):
                if (old := await rows.entry(writing.connection, path)) is not None:
                    await writing.remove(old, author)
            # What becomes smaller comes first, so that there is room for the rest.
            for path in sorted(files, key=lambda path: len(files[path]) - sizes.get(path, 0)):
                await writing.put(writable(path), files[path], author)

    async def seed(self, configuration: RuntimeConfiguration) -> None:
        """Write the files that are missing and those that follow the configuration; then bring the disk up to date.

        What exists stays as it is, and what somebody deleted stays away. The first day's note is only written into a
        workspace that has no note yet.
        """
        self._zone = zone_of(configuration)
        files = await asyncio.to_thread(initial_files, configuration, self._today())
        async with self._writing() as writing:
            await self._seed(writing, files)
        await self.sync()
        if self._watcher is not None:
            self._watcher.start()

    async def close(self) -> None:
        """Stop watching the disk."""
        if self._watcher is not None:
            await self._watcher.stop()

    async def sync(self, *, everything: bool = True) -> None:
        """Take in what programs changed on the disk, and write what the disk lacks; see `reconciling.py`.

        Without `everything` only what changed on the disk is compared, and when nothing did, the database sleeps on.
        """
        async with self._lock:
            look, is_known = await self._mirror.look()
            refused = look.unreadable
            everything = everything or self._behind or not is_known
            if everything or look.changed:
                async with self._transaction() as writing:
                    refused = await bring_into_step(writing, self._mirror, look, everything=everything)
                await self._done(writing)
            self._mirror.refuse(refused)

    async def seed_agent(self, agent_id: str, configuration: RuntimeConfiguration, name: str | None = None) -> None:
        """Give an agent its folder, with the files that it lacks. Raises InvalidPath, WorkspaceFull."""
        if agent_id != MAIN:
            files = await asyncio.to_thread(agent_files, configuration, agent_id, name, self._today())
            async with self._writing() as writing:
                await self._seed(writing, files)

    async def remove_agent(self, agent_id: str) -> None:
        """Delete the agent's folder and its history. Of `main` there is nothing to remove."""
        if agent_id != MAIN:
            async with self._writing() as writing:
                writing.changed |= dict.fromkeys(await rows.forget(writing.connection, folder_of(agent_id)))

    async def prompt_sections(self, agent_id: str = MAIN, only: Sequence[str] | None = None) -> Sections:
        """Name and text of what the agent reads with every question, in order and cut to its caps.

        With `only`, just those of these names.
        """
        names = [name for name in prompt_paths(self._today()) if only is None or name in only]
        folder = folder_of(agent_id)
        paths = {folder + name for name in names} | {name for name in names if name in SHARED}
        async with self._database.connection() as connection:
            found = {entry.path: entry.content for entry in await rows.entries(connection, sorted(paths))}
        shared = {name: found[name] for name in SHARED if name in found}
        own = {name: found[folder + name] for name in names if folder + name in found}
        return prompt_sections(shared | own, names)

    async def _seed(self, writing: Writing, files: Mapping[str, str]) -> None:
        existing = {entry.path: entry.etag for entry in await rows.listings(writing.connection)}
        deleted = await rows.once_there(writing.connection, sorted(files))
        for path, content in wanting(files, existing, deleted):
            await writing.put(path, content, "seed")

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Writing]:
        """A transaction that has the workspace to itself. Disk and subscribers learn what it changed."""
        async with self._lock:
            async with self._transaction() as writing:
                yield writing
                # A program was quicker on the disk, and nobody has seen it yet: its text must not just vanish.
                for path, text in (await self._mirror.overtaken(writing.changed)).items():
                    if text != writing.changed[path]:
                        await writing.lose(path, text, "disk")
            await self._done(writing)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Writing]:
        async with self._database.connection() as connection, connection.transaction():
            await rows.lock(connection)
            writing = Writing(connection, self._clock())
            yield writing
            if writing.has_kept:
                await rows.trim(connection)

    async def _done(self, writing: Writing) -> None:
        """Tell whoever listens, then the disk. Where that is cut short, the next look compares all files."""
        self._behind = True
        if writing.changed:
            for callback in self._subscribers:
                callback(frozenset(writing.changed))
        await self._mirror.follow(writing.stale | writing.changed, writing.taken)
        self._behind = False

    async def _disk_changed(self) -> None:
        while True:
            try:
                return await self.sync(everything=False)
            except DatabaseAway:
                await self._database.wait_until_present()

    def _today(self) -> date:
        return self._clock().astimezone(self._zone).date()
