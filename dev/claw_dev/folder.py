"""The folder of a stack, usually `.claw`: locked while a stack runs, and emptied before the next one starts."""

import shutil
from pathlib import Path

from claw_dev import notes
from claw_dev.errors import StackError
from claw_dev.lock import LOCK_FILE, StackLock

NEEDED_BYTES = 2**30  # etcd, PostgreSQL and the logs of a long day


def take_folder(directory: Path, lock: StackLock) -> list[str]:
    """Lock the folder, end what an earlier stack left running, and empty it.

    Returns the names of the processes that were left. Raises StackError when the folder is in use, is not a stack's,
    or has no room. May take a few seconds.
    """
    if directory.exists() and not (directory / LOCK_FILE).exists() and any(directory.iterdir()):
        raise StackError(
            f"{directory} has files in it and is not a stack's folder; a stack would remove them",
            "name an empty or new folder with --directory",
        )
    try:
        lock.acquire()
        left = notes.sweep(directory)
        for entry in directory.iterdir():
            if entry.name != LOCK_FILE:
                _remove(entry)
        free = shutil.disk_usage(directory).free
    except OSError as error:
        lock.release()
        raise StackError(f"cannot use {directory}: {error.strerror or error}", "is it yours, and writable?") from error
    if free < NEEDED_BYTES:
        lock.release()
        raise StackError(f"the disk is full: {directory} has {free / 2**20:.0f} MiB left", "1 GiB is enough")
    return left


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
