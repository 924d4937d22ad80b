"""Which skills there are for a customer, and which of them can be used now. Pure.

Two sorts. Abilities are tools behind a name that plans list. Folders are texts that tell how to do something well, each
with a SKILL.md: some bundled, some in the customer's workspace, where one of the same name takes the bundled one's
place. A folder is in every plan that has the abilities it needs.

Three voices, the later one wins: in the plan, a skill is on; `spec.skills` of the ClawInstance turns it off or on; and
what the customer sets through the API comes last. A skill outside the plan is off, whatever anybody chose.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from claw_crds.configuration import PlanConfiguration, SkillChoices
from claw_crds.resource import Model
from claw_runtime.problems import SKILL_DISABLED, SKILL_NOT_IN_PLAN, Problem, not_found
from claw_runtime.skills.catalogue import CATALOGUE, Ability
from claw_runtime.skills.front_matter import FrontMatter
from claw_runtime.skills.gating import Surroundings, lacking_in_plan, missing_for_ability, missing_for_folder

Source = Literal["bundled", "workspace"]


class Skill(Model):
    """A skill, as it is for this customer."""

    name: str
    description: str
    source: Source = "bundled"
    location: str | None = Field(default=None, description="Of its SKILL.md; null for an ability of the assistant.")
    in_plan: bool
    enabled: bool = Field(description="In the plan, and not turned off.")
    available: bool = Field(description="Whether it can be used as soon as it is enabled.")
    missing: str | None = Field(default=None, description="What has to be done before it can be used.")
    problem: str | None = Field(default=None, description="What is wrong with its SKILL.md.")
    listed: bool = Field(
        default=True, description="Whether the assistant knows of it by itself; otherwise call it by its name."
    )


class SkillList(Model):
    """Every skill: abilities first, then folders by name."""

    skills: tuple[Skill, ...]


@dataclass(frozen=True)
class Folder:
    """A folder with a SKILL.md."""

    name: str
    source: Source
    front: FrontMatter | None
    """None when it is broken."""
    problem: str | None = None

    @property
    def location(self) -> str:
        """Where its SKILL.md is."""
        return f"skills/{self.name}/SKILL.md"


def resolve(
    plan: PlanConfiguration,
    spec: SkillChoices,
    chosen: Mapping[str, bool],
    *,
    connections: frozenset[str] = frozenset(),
    features: frozenset[str] = frozenset(),
    folders: Iterable[Folder] = (),
) -> tuple[Skill, ...]:
    """Every skill as it is for this customer. `folders` are bundled ones and those of the workspace, in any order."""
    here = Surroundings(plan, connections, features)
    abilities = tuple(_ability(ability, here, spec, chosen) for ability in CATALOGUE)
    usable = enabled(abilities)
    by_name = winning(folders)
    return abilities + tuple(_folder(by_name[name], here, usable, spec, chosen) for name in sorted(by_name))


def winning(folders: Iterable[Folder]) -> dict[str, Folder]:
    """The folder of each name that counts: the workspace's, or else the bundled one."""
    return {folder.name: folder for folder in sorted(folders, key=lambda folder: folder.source == "workspace")}


def enabled(skills: Iterable[Skill]) -> frozenset[str]:
    """The names of those that may be used now."""
    return frozenset(skill.name for skill in skills if skill.enabled and skill.available)


def require(skills: Iterable[Skill], plan: PlanConfiguration, name: str) -> None:
    """Go on only with the skill. Raises Problem."""
    skill = named(skills, name)
    if not skill.in_plan:
        raise not_in_plan(name, plan)
    if not skill.enabled:
        raise Problem(SKILL_DISABLED, f"Enable the skill first: POST /api/skills/{name}/enable.")


def named(skills: Iterable[Skill], name: str) -> Skill:
    """The skill of this name. Raises Problem."""
    found = next((skill for skill in skills if skill.name == name), None)
    if found is None:
        raise not_found("skill of this name; GET /api/skills lists them")
    return found


def not_in_plan(name: str, plan: PlanConfiguration, what: str | None = None) -> Problem:
    """`what` the plan lacks, when it is not the skill itself."""
    lacking = f"{what}, which the skill {name} needs" if what else f"the skill {name}"
    return Problem(
        SKILL_NOT_IN_PLAN,
        f"The plan {plan.display_name} does not include {lacking}. A larger plan does.",
        plan=plan.display_name,
    )


def _ability(ability: Ability, here: Surroundings, spec: SkillChoices, chosen: Mapping[str, bool]) -> Skill:
    in_plan = here.offers(ability.name)
    missing = missing_for_ability(ability, here)
    return Skill(
        name=ability.name,
        description=ability.description,
        in_plan=in_plan,
        enabled=in_plan and chosen.get(ability.name, ability.name not in spec.disabled),
        available=missing is None,
        missing=missing.text if missing is not None else None,
    )


def _folder(
    folder: Folder, here: Surroundings, usable: frozenset[str], spec: SkillChoices, chosen: Mapping[str, bool]
) -> Skill:
    front = folder.front
    if front is None:
        return Skill(
            name=folder.name,
            description="",
            source=folder.source,
            location=folder.location,
            in_plan=True,
            enabled=False,
            available=False,
            problem=folder.problem,
        )
    lacking = lacking_in_plan(front.requires, here)
    missing = missing_for_folder(front.requires, here, usable)
    to_do = not_in_plan(folder.name, here.plan, lacking).detail if lacking is not None else None
    return Skill(
        name=folder.name,
        description=front.description,
        source=folder.source,
        location=folder.location,
        in_plan=lacking is None,
        enabled=lacking is None and chosen.get(folder.name, folder.name not in spec.disabled),
        available=lacking is None and missing is None,
        missing=to_do or (missing.text if missing is not None else None),
        listed=front.listed,
    )
