"""Noticing that a program changed something on the disk, without asking the disk or the database again and again.

The system tells (inotify); a thread of the library's passes it on once the disk has been quiet for a moment. A disk
that cannot be watched is told once, and its changes are taken in at the next start.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from claw_runtime.workspace.paths import SETTINGS

log = logging.getLogger(__name__)

Identity = tuple[int, int]
"""Of a directory: its device and its number there."""

MAX_FOLDERS = 500
STOP_SECONDS = 2.0
LONGEST_SECONDS = 1.5
"""So long a disk that is never quiet is waited for."""


class Watcher:
    """Calls `changed` soon after something has changed below the directory."""

    def __init__(self, directory: Path, changed: Callable[[], Coroutine[Any, Any, None]], quiet_seconds: float) -> None:
        self._directory = directory
        self._changed = changed
        self._quiet_seconds = quiet_seconds
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch from now on. The directory has to be there."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="workspace-watcher")

    async def stop(self) -> None:
        """Watch no longer. What is being taken in has a moment to end: it may wait for a database that is away."""
        self._stopped.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                obstacle = await asyncio.to_thread(_obstacle, self._directory)
                if obstacle is not None:
                    log.warning("the workspace's disk is not watched", extra={"reason": obstacle})
                    return
                await self._watch()
        except Exception as error:  # of the system's or the library's: as many kinds as there are disks
            log.warning("the workspace's disk is no longer watched", extra={"reason": type(error).__name__})

    async def _watch(self) -> None:
        """Watch the directory for as long as it is the same one."""
        watchfiles: Any = await asyncio.to_thread(import_module, "watchfiles")
        with held(self._directory) as identity:
            async with asyncio.TaskGroup() as group:
                # In this order: the first step of the one puts the watch in place, then the other looks for what
                # changed before it was.
                group.create_task(self._follow(watchfiles, identity))
                group.create_task(self._changed())

    async def _follow(self, watchfiles: Any, identity: Identity) -> None:
        step = int(self._quiet_seconds * 1000)
        async for _ in watchfiles.awatch(
            self._directory,
            watch_filter=self._matters,
            step=step,
            debounce=max(step, int(LONGEST_SECONDS * 1000)),
            rust_timeout=0,
            stop_event=self._stopped,
            force_polling=False,
        ):
            await self._changed()
            if identity_of(self._directory) != identity:
                return

    def _matters(self, _change: object, path: str) -> bool:
        """Drafts of ours and others' begin with a dot."""
        names = Path(path).relative_to(self._directory).parts if path.startswith(str(self._directory)) else ()
        return names == (SETTINGS,) or not any(name.startswith(".") for name in names)


def _obstacle(directory: Path) -> str | None:
    """Why the directory should not be watched; None when it can be.

    The library follows links to folders when it begins: one that leads to the root would have it walk the whole disk.
    """
    count = 0
    for folder, folders, _ in os.walk(directory):
        count += len(folders)
        if count > MAX_FOLDERS:
            return "there are too many folders"
        if any(os.path.islink(os.path.join(folder, name)) for name in folders):
            return "a folder is a link"
    return None if directory.is_dir() and os.access(directory, os.W_OK) else "it cannot be written"


@contextmanager
def held(directory: Path) -> Iterator[Identity]:
    """Which directory it is, for as long as it is held open: until then the disk gives its number to no other one."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _numbers(os.fstat(opened))
    finally:
        os.close(opened)


def identity_of(directory: Path) -> Identity | None:
    """Which directory is there now; None when there is none."""
    try:
        return _numbers(directory.stat())
    except OSError:
        return None


def _numbers(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
