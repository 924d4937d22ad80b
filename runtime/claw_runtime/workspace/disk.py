"""One directory on the disk: files written whole or not at all, read without following a link, and looked through.

Programs of the instance write there too, and not all of them mean well: a link that one of them left must lead neither
our writing nor our reading out of the directory, a pipe must not hang us, and no file is read that is too large to be
taken in anyway. All of this blocks; `mirror.py` calls it in a thread.
"""

import errno
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from claw_runtime.text import is_storable
from claw_runtime.workspace.content import MAX_CHARACTERS, MAX_FILES, etag_of
from claw_runtime.workspace.paths import SETTINGS, is_path

MANIFEST = ".mirror.json"
"""What the disk held when it was last in step. It lies on the same disk, so that both are lost together."""

_MANIFEST_BYTES = 4_000_000
_MAX_VISITED = 5 * MAX_FILES
"""Files and folders. So many more than a workspace takes are none of ours, and would take long."""

Stamp = tuple[int, int, int]
"""Time of modification in ns, size, inode: while they stay the same, so does the content."""

_NO_STAMP: Stamp = (0, 0, 0)


class Seen(BaseModel):
    """A file as it was when disk and database were in step."""

    etag: str
    stamp: Stamp


class _Manifest(BaseModel):
    files: dict[str, Seen] = {}


@dataclass(frozen=True)
class Found:
    """A file that is not as it was seen last. Neither text nor seen when it is gone."""

    text: str | None = None
    seen: Seen | None = None


@dataclass
class Look:
    """What has changed on the disk since it was last in step, and what there is at all."""

    changed: dict[str, Found] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    unreadable: dict[str, Stamp] = field(default_factory=dict)
    """Too large, or no text."""


class Disk:
    """A directory that need not exist. Everything raises OSError."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def manifest(self) -> dict[str, Seen] | None:
        """What the disk held when it was last in step; None when nothing is known about it."""
        try:
            return _Manifest.model_validate_json(_read(self.directory / MANIFEST, _MANIFEST_BYTES) or b"").files
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None

    def remember(self, files: Mapping[str, Seen]) -> None:
        """Write the manifest."""
        self._replace(self.directory / MANIFEST, _Manifest(files=dict(files)).model_dump_json())

    def look(self, known: Mapping[str, Seen], refused: Mapping[str, Stamp]) -> Look:
        """Everything that is not as known, except for what was refused and is still the same.

        Raises OSError also when there are so many files that it would take long.
        """
        look, visited = Look(), 0
        root = os.fspath(self.directory)
        for folder, folders, names, descriptor in os.fwalk(root, follow_symlinks=False):
            within = os.path.relpath(folder, root)
            prefix = "" if within == "." else within + "/"
            folders[:] = [name for name in folders if is_path(prefix + name)]
            visited += len(folders) + len(names)
            if visited > _MAX_VISITED:
                raise OSError(errno.E2BIG, "there are too many files")
            for name in folders:
                if stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    # What lay below a folder that became a link is not deleted: it is out of sight.
                    look.present |= {path for path in known if path.startswith(f"{prefix}{name}/")}
            for name in names:
                path = prefix + name
                if path != SETTINGS and not is_path(path):
                    continue
                look.present.add(path)
                try:
                    _look_at(path, name, descriptor, look, known, refused)
                except OSError:  # gone again, or not ours to read
                    look.unreadable[path] = _NO_STAMP
        look.changed |= {path: Found() for path in known if path not in look.present}
        return look

    def write(self, path: str, content: str) -> Seen:
        """Let the file hold this, from one moment to the next."""
        return Seen(etag=etag_of(content), stamp=_stamp(self._replace(self._place(path), content)))

    def remove(self, path: str) -> None:
        """Remove the file, and the folders that become empty."""
        place = self._place(path)
        place.unlink(missing_ok=True)
        for folder in place.parents:
            if folder == self.directory or any(folder.iterdir()):
                return
            folder.rmdir()

    def read_if_changed(self, path: str, known: Seen | None) -> str | None:
        """The text of a file that is not as known; None when it is, or is no text, or is not there."""
        look = Look()
        try:
            descriptor = os.open(self._place(path).parent, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            _look_at(path, path.rpartition("/")[2], descriptor, look, {path: known} if known else {}, {})
        except FileNotFoundError:
            return None
        finally:
            os.close(descriptor)
        return look.changed[path].text if path in look.changed else None

    def _place(self, path: str) -> Path:
        place = self.directory / path
        if not place.parent.resolve().is_relative_to(self.directory.resolve()):
            raise OSError(errno.ELOOP, "a folder of the workspace is a link that leads out of it")
        return place

    def _replace(self, place: Path, content: str) -> os.stat_result:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".", dir=place.parent)
        try:
            with open(handle, "w", encoding="utf-8", newline="") as file:
                file.write(content)
            result = os.stat(draft)
            Path(draft).replace(place)
        except OSError:
            Path(draft).unlink()
            raise
        return result


def _look_at(
    path: str, name: str, descriptor: int, look: Look, known: Mapping[str, Seen], refused: Mapping[str, Stamp]
) -> None:
    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    stamp = _stamp(status)
    if not stat.S_ISREG(status.st_mode) or (path in known and known[path].stamp == stamp):
        return
    if refused.get(path) == stamp:
        look.unreadable[path] = stamp
        return
    text = _text(name, descriptor)
    if text is None:
        look.unreadable[path] = stamp
        return
    look.changed[path] = Found(text, Seen(etag=etag_of(text), stamp=stamp))


def _text(name: str, descriptor: int) -> str | None:
    """The file's text; None when it cannot be one of the workspace."""
    content = _read(name, 4 * MAX_CHARACTERS, descriptor)
    try:
        text = content.decode() if content is not None else None
    except UnicodeDecodeError:
        return None
    return text if text is not None and len(text) <= MAX_CHARACTERS and is_storable(text) else None


def _read(place: str | Path, limit: int, descriptor: int | None = None) -> bytes | None:
    """What is in the file; None when it is too long, or no regular file. Raises OSError for a link, too."""
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        content = file.read(limit + 1)
    return content if len(content) <= limit else None


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_mtime_ns, status.st_size, status.st_ino)
