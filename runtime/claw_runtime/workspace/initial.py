"""What a workspace starts with: the default files, rendered from templates. Pure but for reading the templates.

Most files are written once and then belong to the customer and the assistant. Two tell what the configuration says,
so they follow it: STATE.json for the assistant, `.env` for programs.
"""

import re
from datetime import date
from importlib import import_module
from typing import Any

from claw_crds.configuration import RuntimeConfiguration

STATE = "STATE.json"
SETTINGS = ".env"
FOLLOW_THE_CONFIGURATION = (STATE, SETTINGS)

_TEMPLATES = {
    "AGENTS.md": "AGENTS.md.j2",
    "SOUL.md": "SOUL.md.j2",
    "USER.md": "USER.md.j2",
    "TOOLS.md": "TOOLS.md.j2",
    "HEARTBEAT.md": "HEARTBEAT.md.j2",
    "MEMORY.md": "MEMORY.md.j2",
    STATE: "STATE.json.j2",
    SETTINGS: "env.j2",
}
_FIRST_NOTE = "today.md.j2"

_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,4}")
_PATH_LENGTH = 128
_NOTE = re.compile(r"memory/[0-9]{4}-[0-9]{2}-[0-9]{2}[A-Za-z0-9._-]*\.md")


def initial_files(configuration: RuntimeConfiguration, today: date) -> dict[str, str]:
    """Content by path. The customer's own files win, except over what follows the configuration."""
    render = import_module("claw_templates").render
    context = _context(configuration, today)
    defaults = {path: render(f"workspace/{template}", **context) for path, template in _TEMPLATES.items()}
    own = {file.path: file.content for file in configuration.workspace_files}
    first_note = {note_of(today): render(f"workspace/{_FIRST_NOTE}", **context)}
    return first_note | defaults | own | {path: defaults[path] for path in FOLLOW_THE_CONFIGURATION}


def note_of(day: date) -> str:
    """The path of a day's note."""
    return f"memory/{day.isoformat()}.md"


def is_note(path: str) -> bool:
    """Whether it is the note of some day."""
    return _NOTE.fullmatch(path) is not None


def is_path(path: str) -> bool:
    """Whether a file of the workspace can have this path. What begins with a dot is hidden, except for `.env`."""
    return path == SETTINGS or (len(path) <= _PATH_LENGTH and _PATH.fullmatch(path) is not None)


def _context(configuration: RuntimeConfiguration, today: date) -> dict[str, Any]:
    return {
        "instance": configuration.instance,
        "state": configuration.state,
        "customer": configuration.customer,
        "assistant": configuration.assistant,
        "plan": configuration.plan,
        "skills": configuration.skills,
        "today": today.isoformat(),
    }
