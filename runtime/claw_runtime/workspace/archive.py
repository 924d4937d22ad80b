"""A workspace as one file: a tar.gz that anybody can open, the same bytes for the same files. Pure.

What is read back is believed in nothing: it lay outside, and a few kilobytes can unpack to anything.
"""

import gzip
import io
import tarfile
from collections.abc import Sequence

from claw_runtime.workspace.content import MAX_BYTES, MAX_CHARACTERS, MAX_FILES
from claw_runtime.workspace.paths import FOLLOW_THE_CONFIGURATION, is_path
from claw_runtime.workspace.rows import WorkspaceEntry

_MEMBER_OVERHEAD = 4_096
_MAX_UNPACKED = MAX_BYTES + MAX_FILES * _MEMBER_OVERHEAD


class BrokenArchive(Exception):
    """It is not an archive of a workspace. The text says what is wrong, without names."""


def pack(entries: Sequence[WorkspaceEntry]) -> bytes:
    """The files as a tar.gz, each with the time of its last change. The system's files are left out: they are made."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for entry in sorted(entries, key=lambda entry: entry.path):
            if entry.path in FOLLOW_THE_CONFIGURATION:
                continue
            content = entry.content.encode()
            member = tarfile.TarInfo(entry.path)
            member.size, member.mtime, member.mode = len(content), int(entry.updated_at.timestamp()), 0o600
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def unpack(packed: bytes) -> dict[str, str]:
    """Content by path. Raises BrokenArchive."""
    try:
        with tarfile.open(fileobj=_Bounded(packed), mode="r|") as archive:
            files = _files(archive)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise BrokenArchive("It is not a tar.gz, or it is damaged.") from error
    if not files:  # to restore it would be to delete everything
        raise BrokenArchive("It holds no files.")
    return files


def _files(archive: tarfile.TarFile) -> dict[str, str]:
    files: dict[str, str] = {}
    for member in archive:
        if member.isdir() or member.name in FOLLOW_THE_CONFIGURATION:
            continue
        if not member.isreg() or not is_path(member.name):
            raise BrokenArchive("It holds something that is no file of a workspace.")
        if len(files) == MAX_FILES or member.size > 4 * MAX_CHARACTERS:
            raise BrokenArchive("It holds more than a workspace takes.")
        file = archive.extractfile(member)
        files[member.name] = file.read().decode() if file is not None else ""
    return files


class _Bounded(io.RawIOBase):
    """What is packed, unpacked as it is read, up to a bound."""

    def __init__(self, packed: bytes) -> None:
        self._stream = gzip.GzipFile(fileobj=io.BytesIO(packed))
        self._left = _MAX_UNPACKED

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        found = self._stream.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(found)
        if self._left <= 0:
            raise BrokenArchive("It unpacks to more than a workspace takes.")
        return found
