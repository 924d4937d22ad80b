"""One stack per folder: two would share ports, files and the note of who belongs to whom."""

import fcntl
import os
from pathlib import Path
from typing import IO

from claw_dev.errors import StackError

LOCK_FILE = "stack.lock"


class StackLock:
    """Held by a stack for as long as it lives; the kernel lets go of it however the stack ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: IO[str] | None = None

    def __enter__(self) -> "StackLock":
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Take it. Raises StackError, naming the process, when another stack has it."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (self._directory / LOCK_FILE).open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise StackError(
                f"another stack runs in {self._directory} (process {holder(self._directory) or 'unknown'})",
                "use it, end it with `claw down`, or name another folder with --directory",
            ) from None
        self._file = file
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()

    def release(self) -> None:
        """Let go of it. The file stays: removing it would let two stacks hold two different ones."""
        if self._file is not None:
            self._file.close()
            self._file = None


def holder(directory: Path) -> int | None:
    """The process id of the stack that runs in the directory; None if none does."""
    try:
        with (directory / LOCK_FILE).open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else None
    except FileNotFoundError:
        return None
    return None
