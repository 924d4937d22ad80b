"""The tool `read_skill`: the text of a skill, when it is needed."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints

from claw_runtime.skills.folders import ROOT, SKILL
from claw_runtime.skills.front_matter import BrokenSkill, body
from claw_runtime.text import Text
from claw_runtime.tools import Tool, ToolContext, ToolInput, ToolRefused, ToolResult
from claw_runtime.workspace.paths import is_path

if TYPE_CHECKING:
    from claw_runtime.skills.choices import Skills

_DESCRIPTION = (
    "Reads a skill from the list of available skills: how to do a certain thing well. Read it before you begin with "
    "something that it is for. With `path`, reads another file of the same skill that its text refers to."
)


class ReadSkill(ToolInput):
    """What `read_skill` takes."""

    name: Annotated[Text, StringConstraints(max_length=64)] = Field(description="As in the list of available skills.")
    path: Annotated[Text, StringConstraints(max_length=200)] = Field(
        default=SKILL, description="Within the skill's folder."
    )


def tools(skills: "Skills") -> tuple[Tool[Any], ...]:
    """The tool, which everybody has."""

    async def read_skill(context: ToolContext, given: ReadSkill) -> ToolResult:
        found = {skill.name: skill for skill in await skills.list(context.configuration)}
        skill = found.get(given.name)
        if skill is None or skill.location is None:
            raise ToolRefused(f"There is no skill {given.name!r} to read. Take one from the list of available skills.")
        if not (skill.enabled and skill.available):
            raise ToolRefused(skill.problem or skill.missing or "The skill is turned off. This person can enable it.")
        if not confined(given.name, given.path):
            raise ToolRefused("A path leads to a file within the skill's own folder, such as SKILL.md.")
        text = await skills.read(skill, given.path)
        paths = await skills.paths(skill)
        if text is None:
            raise ToolRefused(f"The skill has no file {given.path!r}. It has: {', '.join(paths)}.")
        if given.path != SKILL:
            return ToolResult(text)
        return ToolResult("\n\n".join(filter(None, [_instructions(skill.name, text), _more(paths)])))

    return (Tool("read_skill", _DESCRIPTION, "chat", ReadSkill, read_skill),)


def confined(name: str, path: str) -> bool:
    """Whether the path stays within the skill's folder."""
    return is_path(f"{ROOT}/{name}/{path}")


def _instructions(name: str, text: str) -> str:
    try:
        return body(text).replace("{baseDir}", f"{ROOT}/{name}")
    except BrokenSkill as broken:  # it was changed just now
        raise ToolRefused(str(broken)) from None


def _more(paths: tuple[str, ...]) -> str:
    others = [path for path in paths if path != SKILL]
    return f"(Further files of this skill, for read_skill: {', '.join(others)}.)" if others else ""
