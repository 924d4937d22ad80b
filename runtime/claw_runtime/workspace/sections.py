"""Which files of the workspace the model reads with every question, in which order, and how much of each. Pure.

What rarely changes comes first, so that the provider can cache it; the day's notes come last. A file that is too long
is cut and says so, and so does one that has no room left: a model that believes it has read everything is worse than
one that knows it has not.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from claw_runtime.workspace.initial import note_of
from claw_runtime.workspace.paths import STATE

FILE_LIMIT = 20_000
TOTAL_LIMIT = 60_000
"""Characters."""

# Of a file that is missing, the assistant is told, unless it need not be there.
_EXPECTED = ("AGENTS.md", "SOUL.md", "USER.md", "TOOLS.md", "MEMORY.md")
_ORDER = (
    "AGENTS.md",
    "SOUL.md",
    "USER.md",
    "IDENTITY.md",
    "TOOLS.md",
    "HEARTBEAT.md",
    "BOOTSTRAP.md",
    "MEMORY.md",
    STATE,
)

_MISSING = "(This file is missing.)"
_CUT = "\n\n(Cut here: {left} more characters are in the file.)"
_NO_ROOM = "(Left out: the prompt has no room for its {left} characters.)"
_NOTICE_LENGTH = 80
"""More than any of the notices above needs."""


def prompt_paths(today: date) -> tuple[str, ...]:
    """The files that are read, in their order."""
    return (*_ORDER, note_of(today - timedelta(days=1)), note_of(today))


def prompt_sections(files: Mapping[str, str], paths: Iterable[str]) -> list[tuple[str, str]]:
    """Path and text of each section: at most FILE_LIMIT characters in one and TOTAL_LIMIT in all."""
    found = [(path, files.get(path)) for path in paths]
    wanted = [
        (path, _MISSING if text is None else text)
        for path, text in found
        if text or (text is None and path in _EXPECTED)
    ]
    sections, room = [], TOTAL_LIMIT - _NOTICE_LENGTH * len(wanted)
    for path, text in wanted:
        section = _fitted(text.strip(), min(FILE_LIMIT - _NOTICE_LENGTH, max(room, 0)))
        room -= len(section)
        sections.append((path, section))
    return sections


def _fitted(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    if room == 0:
        return _NO_ROOM.format(left=len(text))
    return text[:room] + _CUT.format(left=len(text) - room)
