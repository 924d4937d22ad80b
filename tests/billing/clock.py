"""A clock that a test sets and that other processes read, each time anew: real time, and some days on top."""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

_SECONDS = struct.Struct("<d")


class SharedClock:
    """Runs as fast as any clock, and is ahead of it by what the file says: never behind, or every signature was old."""

    def __init__(self, file: mmap.mmap) -> None:
        self._file = file

    @classmethod
    def create(cls, path: Path) -> Self:
        """A clock that is right so far."""
        path.write_bytes(_SECONDS.pack(0.0))
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The clock of another process. A look at it is a look into memory, so nothing waits for a disk."""
        with path.open("r+b") as file:
            return cls(mmap.mmap(file.fileno(), _SECONDS.size))

    def now(self) -> datetime:
        """The simulated moment, in UTC."""
        (ahead,) = _SECONDS.unpack_from(self._file)
        return datetime.now(UTC) + timedelta(seconds=ahead)

    def forward_to(self, moment: datetime) -> None:
        """Let everybody's clock jump to the moment; if it is past already, nothing happens."""
        (ahead,) = _SECONDS.unpack_from(self._file)
        missing = (moment - self.now()).total_seconds()
        if missing > 0:
            _SECONDS.pack_into(self._file, 0, ahead + missing)
