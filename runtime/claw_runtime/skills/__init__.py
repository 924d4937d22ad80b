"""Skills: what the assistant can do, and how it does it well.

catalogue          the abilities: tools behind names that plans list
front_matter       what a SKILL.md says of itself
folders            the folders with a SKILL.md, bundled and of the workspace
gating ── rules    what each still needs; what is on for this customer
choices            what the customer chose: the one that talks to the database
archive            a skill that comes as a zip
listing, tools     what the assistant is told of them, and how it reads one
"""

from claw_runtime.skills.choices import Skills
from claw_runtime.skills.rules import Skill, SkillList, enabled, require, resolve

__all__ = ["Skill", "SkillList", "Skills", "enabled", "require", "resolve"]
