"""What a workspace starts with: the default files, rendered from templates. Pure but for reading the templates.

Most files are written once and then belong to the customer and the assistant. Two tell what the configuration says,
so they follow it: STATE.json for the assistant, `.env` for programs.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, tzinfo
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from claw_crds.configuration import RuntimeConfiguration
from claw_runtime.workspace.content import etag_of
from claw_runtime.workspace.folders import folder_of
from claw_runtime.workspace.paths import FOLLOW_THE_CONFIGURATION, SETTINGS, STATE, is_note

_TEMPLATES = {
    "AGENTS.md": "AGENTS.md.j2",
    "SOUL.md": "SOUL.md.j2",
    "IDENTITY.md": "IDENTITY.md.j2",
    "USER.md": "USER.md.j2",
    "TOOLS.md": "TOOLS.md.j2",
    "HEARTBEAT.md": "HEARTBEAT.md.j2",
    "MEMORY.md": "MEMORY.md.j2",
    STATE: "STATE.json.j2",
    SETTINGS: "env.j2",
}
_OF_AN_AGENT = ("AGENTS.md", "SOUL.md", "IDENTITY.md", "MEMORY.md")
"""The rest it shares, or has no use for: only `main` is woken by the heartbeat."""
_FIRST_NOTE = "today.md.j2"


def initial_files(configuration: RuntimeConfiguration, today: date) -> dict[str, str]:
    """Content by path. The customer's own files win, except over what follows the configuration."""
    defaults = _rendered(_TEMPLATES, _context(configuration, today))
    own = {file.path: file.content for file in configuration.workspace_files}
    first_note = _rendered({note_of(today): _FIRST_NOTE}, _context(configuration, today))
    return first_note | defaults | own | {path: defaults[path] for path in FOLLOW_THE_CONFIGURATION}


def agent_files(configuration: RuntimeConfiguration, agent_id: str, name: str | None, today: date) -> dict[str, str]:
    """Content by path of what a new agent's folder holds. It goes by `name`, or by its id."""
    assistant = configuration.assistant.model_copy(update={"name": name or agent_id, "persona": None})
    context = _context(configuration.model_copy(update={"assistant": assistant}), today)
    files = _rendered({path: _TEMPLATES[path] for path in _OF_AN_AGENT}, context)
    return {folder_of(agent_id) + path: content for path, content in files.items()}


def wanting(
    files: Mapping[str, str], existing: Mapping[str, str], deleted: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The files that have to be written, given the etags of those that exist and the paths of those once deleted."""
    has_notes = any(is_note(path) for path in existing)
    for path, content in files.items():
        if path in FOLLOW_THE_CONFIGURATION:
            if existing.get(path) != etag_of(content):
                yield path, content
        elif path not in existing and path not in deleted and not (has_notes and is_note(path)):
            yield path, content


def zone_of(configuration: RuntimeConfiguration) -> tzinfo:
    """The customer's time zone, or UTC when there is none of this name."""
    try:
        return ZoneInfo(configuration.customer.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def note_of(day: date) -> str:
    """The path of a day's note."""
    return f"memory/{day.isoformat()}.md"


def _rendered(templates: Mapping[str, str], context: Mapping[str, Any]) -> dict[str, str]:
    render = import_module("claw_templates").render
    return {path: render(f"workspace/{template}", **context) for path, template in templates.items()}


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
