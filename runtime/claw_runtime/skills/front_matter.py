"""The front matter of a SKILL.md: what a skill is called, what it is for, what it needs. Pure, but for loading YAML.

    ---
    name: trip-planning
    description: Plans a trip, from wish to packing list.
    metadata: {"claw": {"requires": {"skills": ["web_search"]}}}
    ---
    # How to plan a trip …

A skill may come from anybody, so its front matter is parsed like hostile input: it is small, has no anchors (a few
lines of them unfold to gigabytes), and no tags that make objects. Skills that were written for OpenClaw are read as
they are; what they need in `metadata.openclaw` counts.
"""

import json
import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from claw_runtime.text import Text, Words

MAX_CHARACTERS = 16_000
"""Of the front matter."""
MAX_BRACKETS = 500
"""Opening ones. YAML takes a time that grows with their square: seconds for a few thousand."""

_FENCE = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n(?P<front>.*?)^---[ \t]*(?:\r?\n|\Z)(?P<body>.*)\Z", re.DOTALL | re.MULTILINE
)
_LINE = re.compile(r"^(?P<name>[A-Za-z][\w-]*):[ \t]+(?P<value>\S.*?)[ \t]*$", re.MULTILINE)
_OURS = ("claw", "openclaw", "clawdbot", "clawdis")
"""Under `metadata`, the first one that is there counts."""


class BrokenSkill(Exception):
    """The SKILL.md cannot be used. Its text is for the customer, who can correct it."""


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    tuple[Annotated[Text, StringConstraints(min_length=1, max_length=100)], ...], BeforeValidator(_several)
]


class Tolerant(BaseModel):
    """Members that this version does not know are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Requires(Tolerant):
    """What has to be there before the skill can be used."""

    skills: Names = ()
    """Abilities: gmail, web_search, …"""
    plans: Names = ()
    """Names of plans, any of which will do."""
    integrations: Names = ()
    """What the customer connects: gmail, calendar, or google for either."""
    config: Names = ()
    """What whoever runs the assistant sets up."""
    env: Names = ()
    bins: Names = ()
    any_bins: Names = Field(default=(), alias="anyBins")


class FrontMatter(Tolerant):
    """What a SKILL.md says of itself."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
    description: Annotated[Words, StringConstraints(max_length=1024)]
    listed: bool = True
    """Whether the assistant is told of it; otherwise it is read only when somebody names it."""
    requires: Requires = Requires()


def parse(text: str) -> FrontMatter:
    """What the SKILL.md says of itself. Raises BrokenSkill."""
    members = _members(_parts(text)[0])
    try:
        return FrontMatter.model_validate(
            {
                "name": members.get("name"),
                "description": members.get("description"),
                "listed": members.get("disable-model-invocation") is not True,
                "requires": _requires(members),
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BrokenSkill(f"In the front matter, {where} is not right: {_complaint(where, first['msg'])}.") from None


def body(text: str) -> str:
    """The SKILL.md without its front matter. Raises BrokenSkill."""
    return _parts(text)[1].strip()


def _complaint(where: str, message: str) -> str:
    if where == "name":
        return "it must be 1 to 64 lower-case letters and digits, with single hyphens between them"
    if where == "description":
        return "it must be a text of 1 to 1,024 characters"
    return message.removeprefix("Value error, ")


def _parts(text: str) -> tuple[str, str]:
    found = _FENCE.match(text)
    if found is None:
        raise BrokenSkill("It must begin with front matter: a line ---, then name and description, then a line ---.")
    if len(found["front"]) > MAX_CHARACTERS:
        raise BrokenSkill(f"Its front matter is longer than {MAX_CHARACTERS:,} characters.")
    return found["front"], found["body"]


def _members(front: str) -> dict[str, Any]:
    if front.count("[") + front.count("{") > MAX_BRACKETS:
        raise BrokenSkill("Its front matter is nested too deeply.")
    import yaml

    try:
        # Not the faster loader in C: deep nesting ends there in a crash of the process, and here in an exception.
        if any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(front, yaml.SafeLoader)):
            raise BrokenSkill("Its front matter uses anchors (& or *), which are not taken here. Write things out.")
        members = yaml.safe_load(front)
    except RecursionError:
        raise BrokenSkill("Its front matter is nested too deeply.") from None
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-99-99 is a ValueError
        members = _line_by_line(front)
        if not {"name", "description"} <= members.keys():
            raise BrokenSkill(f"Its front matter is not YAML{_line_of(error)}.") from None
    if not isinstance(members, dict):
        raise BrokenSkill("Its front matter must have the members name and description.")
    return members


def _line_by_line(front: str) -> dict[str, Any]:
    """Front matter as people write it who do not know that YAML minds a colon within a description."""
    return {found["name"]: _bare(found["value"]) for found in _LINE.finditer(front)}


def _bare(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _line_of(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f": look at line {mark.line + 2} of the file" if mark is not None else ""  # counted from 0, below the fence


def _requires(members: dict[str, Any]) -> Any:
    metadata = members.get("metadata")
    if isinstance(metadata, str):  # JSON in a string, or what `_line_by_line` left
        try:
            metadata = json.loads(metadata)
        except (ValueError, RecursionError):
            raise BrokenSkill("In the front matter, metadata is neither YAML nor JSON.") from None
    if isinstance(metadata, dict):
        for name in _OURS:
            if isinstance(ours := metadata.get(name), dict) and ours.get("requires") is not None:
                return ours["requires"]
    return members.get("requires") or {}
