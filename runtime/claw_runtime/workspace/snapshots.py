"""Copies of the whole workspace outside of it, in a place like S3, for the day on which the database is gone as well.

A change starts a clock: when nothing else has changed for a minute, or a quarter of an hour after the first change, a
snapshot is taken; without changes nothing happens at all. A snapshot that fails is tried again a few times, further and
further apart, and then with the next change. As many as RETAINED are kept.
"""

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from claw_runtime.database import DatabaseAway
from claw_runtime.problems import SNAPSHOT_FAILED, SNAPSHOTS_OFF, Problem, not_found
from claw_runtime.workspace.files import Workspace
from claw_runtime.workspace.s3 import Address, PlaceFailed, S3Folder, Stored

log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETAINED = 30
SUFFIX = ".tar.gz"
_NAME = re.compile(r"\d{8}T\d{6}Z")
_FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Rhythm:
    """When snapshots are taken, in seconds."""

    quiet: float = 60.0
    longest: float = 900.0
    retries: tuple[float, ...] = (60.0, 300.0, 900.0)


@dataclass(frozen=True)
class Snapshot:
    """A copy that was taken. The size is of the archive, in bytes."""

    name: str
    size: int
    taken_at: datetime


# Within Snapshots, `list` is its method.
SnapshotsFound = list[Snapshot]


class Snapshots:
    """The snapshots of one instance. `owner` says whose it is, None while nobody knows."""

    def __init__(
        self,
        workspace: Workspace,
        address: Address | None,
        owner: Callable[[], str | None],
        clock: Callable[[], datetime],
        *,
        rhythm: Rhythm | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._workspace = workspace
        self._address = address
        self._owner = owner
        self._clock = clock
        self._rhythm = rhythm or Rhythm()
        self._jitter = jitter
        self._folder: S3Folder | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._works = True
        if address is not None:
            workspace.subscribe(self._note)

    @property
    def idle(self) -> bool:
        """Whether no snapshot is due."""
        return self._task is None or self._task.done()

    async def list(self) -> SnapshotsFound:
        """All that are kept, the latest first. Raises Problem."""
        return _found(await self._asked(self._place().list()))

    async def take(self) -> Snapshot:
        """Take one now, and let go of the oldest ones. Raises Problem, DatabaseAway."""
        from claw_runtime.workspace.archive import pack

        place, taken_at = self._place(), self._clock().astimezone(UTC).replace(microsecond=0)
        packed = await asyncio.to_thread(pack, await self._workspace.everything())
        snapshot = Snapshot(taken_at.strftime(_FORMAT), len(packed), taken_at)
        await self._asked(place.put(snapshot.name + SUFFIX, packed))
        for old in _found(await self._asked(place.list()))[RETAINED:]:
            await self._asked(place.delete(old.name + SUFFIX))
        return snapshot

    async def restore(self, name: str) -> None:
        """Let the workspace be as it was. What its files hold now goes into their history.

        Raises Problem, DatabaseAway.
        """
        from claw_runtime.workspace.archive import BrokenArchive, unpack

        place = self._place()
        packed = await self._asked(place.get(name + SUFFIX)) if _NAME.fullmatch(name) else None
        if packed is None:
            raise not_found("snapshot of this name")
        try:
            files = await asyncio.to_thread(unpack, packed)
        except BrokenArchive as error:
            raise Problem(SNAPSHOT_FAILED, f"The snapshot cannot be restored. {error}") from error
        await self._workspace.replace_everything(files)
        log.info("a snapshot was restored", extra={"files": len(files)})

    async def stop(self, seconds: float) -> None:
        """Take the snapshot that is due, if it can be done in so many seconds."""
        if self._task is None or self._task.done():
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(seconds):
                await self.take()
        except (Problem, DatabaseAway, TimeoutError):
            log.warning("the last changes are in no snapshot")

    def _place(self) -> S3Folder:
        owner = self._owner()
        if self._address is None or owner is None:
            raise Problem(SNAPSHOTS_OFF, "Nobody has told this assistant where to keep snapshots.")
        if self._folder is None:
            self._folder = S3Folder(self._address, owner)
        return self._folder

    def _note(self, _paths: frozenset[str]) -> None:
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._take_soon(), name="workspace-snapshot")

    async def _take_soon(self) -> None:
        """Wait for quiet, then take one, and again for as long as something has changed meanwhile."""
        while self._changed.is_set():
            await self._wait_for_quiet()
            for pause in (*self._rhythm.retries, None):
                if await self._taken() or pause is None:
                    break
                await asyncio.sleep(pause * (0.5 + self._jitter() / 2))

    async def _wait_for_quiet(self) -> None:
        loop = asyncio.get_running_loop()
        latest = loop.time() + self._rhythm.longest
        while self._changed.is_set():
            self._changed.clear()
            try:
                async with asyncio.timeout(min(self._rhythm.quiet, max(0.0, latest - loop.time()))):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def _taken(self) -> bool:
        """Try it once. Logs when it begins to fail and when that ends."""
        try:
            await self.take()
        except (Problem, DatabaseAway) as error:
            if self._works:
                log.warning("snapshots of the workspace fail", extra={"reason": str(error) or type(error).__name__})
            self._works = False
            return False
        if not self._works:
            log.info("snapshots of the workspace are taken again")
        self._works = True
        return True

    async def _asked(self, asked: Awaitable[Result]) -> Result:
        try:
            return await asked
        except PlaceFailed as error:
            raise Problem(SNAPSHOT_FAILED, f"The place for snapshots did not answer properly ({error}).") from error


def _found(stored: Sequence[Stored]) -> SnapshotsFound:
    """The objects that are snapshots, the latest first. Others may lie there, too."""
    found = []
    for entry in stored:
        name = entry.name.removesuffix(SUFFIX)
        if name != entry.name and _NAME.fullmatch(name):
            taken_at = datetime.strptime(name, _FORMAT).replace(tzinfo=UTC)
            found.append(Snapshot(name, entry.size, taken_at))
    return sorted(found, key=lambda snapshot: snapshot.name, reverse=True)
