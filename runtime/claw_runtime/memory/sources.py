"""Which files of the workspace are memory, and whose. Pure."""

import re
from dataclasses import dataclass
from datetime import date

FIRST_AGENT = "main"
"""Its folder is the workspace's root."""

_FILE = re.compile(
    r"(?:agents/(?P<agent>[A-Za-z0-9][A-Za-z0-9_.-]{0,63})/)?(?P<name>MEMORY\.md|USER\.md|memory/(?:[^/]+/)*[^/]+\.md)"
)
_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")


@dataclass(frozen=True)
class Source:
    """A file of memory."""

    path: str
    agent_id: str | None
    """None: everybody's."""
    dated: date | None
    """Of a note of one day. All other files hold what is true until somebody changes it."""


def source(path: str) -> Source | None:
    """What the file is to memory; None when it is no part of it."""
    found = _FILE.fullmatch(path)
    if found is None:
        return None
    everybodys = path == "USER.md"
    agent_id = None if everybodys else found["agent"] or FIRST_AGENT
    return Source(path, agent_id, _date(found["name"]))


def folder(agent_id: str) -> str:
    """Where an agent's files are: empty, or with a slash at its end."""
    return "" if agent_id == FIRST_AGENT else f"agents/{agent_id}/"


def may_see(agent_id: str, path: str) -> bool:
    """Whether a file of memory is for the eyes of this agent."""
    found = source(path)
    return found is not None and found.agent_id in {None, agent_id}


def _date(name: str) -> date | None:
    found = _DATE.search(name)
    try:
        return date.fromisoformat(found[0]) if found else None
    except ValueError:
        return None
