"""Which paths a file of the workspace can have. Pure.

A path is relative and made of names between slashes: letters and digits of any script, and `.`, `_`, `-` and blanks
within. It never begins with a dot, so nothing is hidden and nothing leads up and out. Texts are compared in Unicode's
composed form (NFC): what a Mac sends in the other form is the same file.

Some names mean something. They have one spelling, or `soul.md` would be a SOUL.md that nobody guards.
"""

import re
import unicodedata

from claw_runtime.problems import INVALID_REQUEST, Problem

STATE = "STATE.json"
SETTINGS = ".env"
FOLLOW_THE_CONFIGURATION = (STATE, SETTINGS)
"""Written by the system, and by nobody else."""

AGENTS_FOLDER = "agents"
_ROUTES = ("history", "snapshots")
"""What the API calls by these names would hide files of the same."""

_NAMES = ("AGENTS.md", "SOUL.md", "USER.md", "IDENTITY.md", "TOOLS.md", "HEARTBEAT.md", "BOOTSTRAP.md", "MEMORY.md")
_SPELLING = {name.casefold(): name for name in (*_NAMES, STATE, "memory", "skills", AGENTS_FOLDER)}

_LENGTH = 200
_DEPTH = 8
_NAME_BYTES = 200
"""A disk takes 255 in one name, and a draft of the file needs some more."""

_NOTE = re.compile(r"memory/[0-9]{4}-[0-9]{2}-[0-9]{2}[A-Za-z0-9._-]*\.md")


class InvalidPath(Problem):
    """No file of the workspace can be written at this path."""

    def __init__(self, detail: str) -> None:
        super().__init__(INVALID_REQUEST, detail)


def normal(path: str) -> str:
    """The path in composed form. It may still be none: see `is_path`."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def folded(path: str) -> str:
    """What two paths share that a disk may take for one."""
    return normal(normal(path).casefold())


def is_path(path: str) -> bool:
    """Whether a file of the workspace can have this path. What begins with a dot is hidden, except for `.env`."""
    if path == SETTINGS:
        return True
    names = path.split("/")
    return (
        len(path) <= _LENGTH
        and len(names) <= _DEPTH
        and path == normal(path)
        and names[0] not in _ROUTES
        and all(_is_name(name) for name in names)
        and all(_SPELLING.get(name.casefold(), name) == name for name in _first_names(names))
    )


def writable(path: str) -> str:
    """The path, in composed form, of a file that anybody but the system may write. Raises InvalidPath."""
    path = normal(path)
    if path in FOLLOW_THE_CONFIGURATION:
        raise InvalidPath(f"{path} is written by the system.")
    if not is_path(path):
        raise InvalidPath(
            "A path has names of letters, digits, dots, hyphens, underscores and blanks, with slashes between them. "
            "No name is hidden, `history` and `snapshots` are taken, and names such as SOUL.md, memory and agents have "
            "one spelling."
        )
    return path


def folders(path: str) -> list[str]:
    """The folders that the path lies in, from the outermost."""
    names = path.split("/")
    return ["/".join(names[:depth]) for depth in range(1, len(names))]


def is_note(path: str) -> bool:
    """Whether it is the note of some day."""
    return _NOTE.fullmatch(path) is not None


def _first_names(names: list[str]) -> list[str]:
    """Where names mean something: first in the workspace, and first in an agent's folder."""
    return [names[0], names[2]] if names[0] == AGENTS_FOLDER and len(names) > 2 else names[:1]


def _is_name(name: str) -> bool:
    return (
        bool(name)
        and (name[0].isalnum() or name[0] in "_-")
        and name[-1] != " "
        and len(name.encode(errors="replace")) <= _NAME_BYTES
        and all(character in "._- " or unicodedata.category(character)[0] in "LMN" for character in name)
    )
