"""A skill that comes as a zip. Pure, and slow enough to be run in a thread.

An archive is the customer's, but they have it from anywhere. What it says about itself is not believed: sizes are
counted while unpacking, and unpacking stops at the first byte too many. Nothing is ever written to the disk from here,
and every path is one that a file of the workspace can have.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from claw_runtime.skills.folders import SKILL, examined
from claw_runtime.skills.front_matter import BrokenSkill, parse
from claw_runtime.text import is_storable
from claw_runtime.workspace.content import MAX_CHARACTERS
from claw_runtime.workspace.paths import folded, is_path

MAX_ARCHIVE = 2 * 2**20
"""Bytes of an upload."""
MAX_UNPACKED = 4 * 2**20
"""Bytes of all its files."""
MAX_RATIO = 100
"""How many times larger than in the archive a file may be: text shrinks to a tenth, bombs to a thousandth."""
MAX_ENTRIES = 200

_READ = 64 * 1024
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError, OverflowError)
"""What Python's zipfile raises on nonsense."""
_LEFTOVERS = ("__MACOSX", ".DS_Store", "Thumbs.db")
"""Put into archives by other systems, and never part of a skill."""


class NoSkill(Exception):
    """The archive is refused. Its text is for the customer."""


@dataclass(frozen=True)
class Bundle:
    """An unpacked skill."""

    name: str
    files: dict[str, str]
    """Content by path within the skill's folder. One of them is SKILL.md."""


def unpack(data: bytes) -> Bundle:
    """The skill in a zip: SKILL.md and what belongs to it, at the top or in one folder. Raises NoSkill."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _texts(archive)
    except _DAMAGED as error:
        raise NoSkill("The archive is damaged, or no zip.") from error
    folder = _top(files)
    files = {path.removeprefix(folder): text for path, text in files.items()}
    name = _name(files[SKILL])
    if wrong := next((path for path in files if not is_path(f"skills/{name}/{path}")), None):
        raise NoSkill(f"{wrong!r} is no name for a file of the workspace.")
    return Bundle(name, files)


def _texts(archive: zipfile.ZipFile) -> dict[str, str]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise NoSkill(f"The archive has more than {MAX_ENTRIES} entries.")
    room = MAX_UNPACKED
    files: dict[str, str] = {}
    for entry in entries:
        path = _path(entry)
        if entry.is_dir() or any(part in _LEFTOVERS for part in path.split("/")):
            continue
        if folded(path) in map(folded, files):
            raise NoSkill(f"{path!r} is in the archive twice.")
        raw = b"".join(_unpacked(archive, entry, path, room))
        room -= len(raw)
        files[path] = _text(path, raw)
    return files


def _path(entry: zipfile.ZipInfo) -> str:
    """The entry's path. Raises NoSkill when it is none that stays where it belongs, or the entry is no plain file."""
    path = entry.orig_filename
    parts = path.removesuffix("/").split("/")
    if "\\" in path or ":" in path or any(part in ("", ".", "..") for part in parts) or not is_storable(path):
        raise NoSkill(f"The path {path[:100]!r} leads out of the archive.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise NoSkill(f"{path!r} is a link or a device. A skill has plain files only.")
    if entry.flag_bits & _ENCRYPTED:
        raise NoSkill(f"{path!r} is encrypted.")
    if entry.compress_type not in _PACKINGS:
        raise NoSkill(f"{path!r} is packed in an unusual way. Pack it again with an ordinary zip program.")
    return path


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str, room: int) -> Iterator[bytes]:
    """The entry, counted while it is unpacked. Raises NoSkill."""
    size = 0
    limit = max(_READ, MAX_RATIO * entry.compress_size)
    with archive.open(entry) as unpacking:
        while piece := unpacking.read(_READ):
            size += len(piece)
            if size > room:
                raise NoSkill(f"Its files are larger than {MAX_UNPACKED // 2**20} MiB together.")
            if size > limit:
                raise NoSkill(f"{path!r} unpacks to more than {MAX_RATIO} times its size, as text never does.")
            yield piece


def _text(path: str, raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise NoSkill(f"{path!r} is no text in UTF-8. A skill is made of texts, without archives in it.") from None
    if not is_storable(text):
        raise NoSkill(f"{path!r} holds the character U+0000, so it is no text.")
    if len(text) > MAX_CHARACTERS:
        raise NoSkill(f"{path!r} is longer than {MAX_CHARACTERS:,} characters.")
    return text


def _top(files: dict[str, str]) -> str:
    """The folder that everything lies in, with its slash; empty when SKILL.md is at the top."""
    if SKILL in files:
        return ""
    tops = {path.partition("/")[0] for path in files}
    if len(tops) == 1 and (folder := tops.pop()) and f"{folder}/{SKILL}" in files:
        return f"{folder}/"
    raise NoSkill("The archive must have a SKILL.md, at the top or in its only folder.")


def _name(head: str) -> str:
    """The skill's name, from its SKILL.md. What the archive calls the folder does not matter. Raises NoSkill."""
    try:
        name = parse(head).name
    except BrokenSkill as broken:
        raise NoSkill(f"{SKILL}: {broken}") from None
    _, problem = examined(name, head)
    if problem is not None:
        raise NoSkill(f"{SKILL}: {problem}")
    return name
