"""What the assistant is told of its skills with every question: names and what they are for. Pure.

The texts of skills are long, and most questions need none of them. So the prompt has one line for each, within a
budget, and the assistant reads what it needs. Descriptions are other people's words: one line, no marks.
"""

import re
from collections.abc import Iterable

from claw_runtime.skills.rules import Skill

MAX_DESCRIPTION = 300
"""Characters of a description in the prompt."""
MAX_LISTING = 8_000
"""Characters of all lines together: about 2,000 tokens, paid for with every question."""

_HEADING = "When one of these fits what is asked, read it with read_skill before you begin, and do as it says."


def skill_lines(skills: Iterable[Skill]) -> str:
    """The section of the system prompt; empty when there are no folders that can be used."""
    usable = [skill for skill in skills if skill.location and skill.enabled and skill.available and skill.listed]
    if not usable:
        return ""
    lines: list[str] = []
    room = MAX_LISTING
    for skill in usable:
        line = f"- {skill.name}: {described(skill)}"
        if len(line) + 1 > room:
            break
        lines.append(line)
        room -= len(line) + 1
    if left := len(usable) - len(lines):
        lines.append(f"(There is no room for {left} more. The person you work for can name them.)")
    return "\n".join([_HEADING, "<available_skills>", *lines, "</available_skills>"])


def described(skill: Skill) -> str:
    """The description as one line that cannot end the list."""
    flat = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", " ", skill.description).split())
    bare = flat.replace("<", "‹").replace(">", "›")
    return bare if len(bare) <= MAX_DESCRIPTION else bare[: MAX_DESCRIPTION - 1].rstrip() + "…"
