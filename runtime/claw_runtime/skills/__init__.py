"""Skills: what the assistant may do. Bundled here, offered by the plan, chosen by the customer.

Three voices, the later one wins: in the plan, a skill is on; `spec.skills` of the ClawInstance turns it off or on; and
what the customer sets through the API comes last. A skill outside the plan is off, whatever anybody chose.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import Field

from claw_crds.configuration import PlanConfiguration, RuntimeConfiguration, SkillChoices
from claw_crds.plan import EVERY_SKILL
from claw_crds.resource import Model
from claw_runtime.problems import SKILL_DISABLED, SKILL_NOT_IN_PLAN, Problem, not_found
from claw_runtime.skills.catalogue import CATALOGUE, Bundled
from claw_runtime.usage.holdings import Holdings, skills_switched_on

if TYPE_CHECKING:
    from claw_runtime.database import Database


class Skill(Model):
    """A skill, as it is for this customer."""

    name: str
    description: str
    in_plan: bool
    enabled: bool = Field(description="In the plan, and not turned off.")
    available: bool = Field(description="Whether this version of the assistant can do it; the others follow.")


class SkillList(Model):
    """Every bundled skill."""

    skills: tuple[Skill, ...]


def offers(plan: PlanConfiguration, skill: str) -> bool:
    """Whether the plan includes the skill."""
    return EVERY_SKILL in plan.skills or skill in plan.skills


def resolve(plan: PlanConfiguration, spec: SkillChoices, chosen: Mapping[str, bool]) -> tuple[Skill, ...]:
    """Every bundled skill as it is for this customer. Pure."""
    return tuple(
        Skill(
            name=bundled.name,
            description=bundled.description,
            in_plan=offers(plan, bundled.name),
            enabled=offers(plan, bundled.name) and chosen.get(bundled.name, bundled.name not in spec.disabled),
            available=bundled.available,
        )
        for bundled in CATALOGUE
    )


def enabled(skills: tuple[Skill, ...]) -> frozenset[str]:
    """The names of those that may be used now."""
    return frozenset(skill.name for skill in skills if skill.enabled and skill.available)


def require(skills: tuple[Skill, ...], plan: PlanConfiguration, name: str) -> None:
    """Go on only with the skill. Raises Problem."""
    skill = next(skill for skill in skills if skill.name == name)
    if not skill.in_plan:
        raise _not_in_plan(name, plan)
    if not skill.enabled:
        raise Problem(SKILL_DISABLED, f"Enable the skill first: POST /api/skills/{name}/enable.")


class Skills:
    """The customer's choices. Every method raises DatabaseAway."""

    def __init__(self, database: "Database", holdings: Holdings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._holdings = holdings
        self._clock = clock

    async def list(self, configuration: RuntimeConfiguration) -> tuple[Skill, ...]:
        """Every bundled skill as it is for this customer."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("select name, enabled from skills")
            chosen = {row["name"]: row["enabled"] for row in await cursor.fetchall()}
        return resolve(configuration.plan, configuration.skills, chosen)

    async def choose(self, name: str, enabled: bool, configuration: RuntimeConfiguration) -> Skill:
        """Remember the choice. Raises Problem for an unknown skill, and for one that the plan lacks."""
        bundled = _bundled(name)
        if not offers(configuration.plan, name):
            raise _not_in_plan(name, configuration.plan)
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(
                """insert into skills (name, enabled, updated_at) values (%(name)s, %(enabled)s, %(now)s)
                   on conflict (name) do update set enabled = excluded.enabled, updated_at = excluded.updated_at""",
                {"name": bundled.name, "enabled": enabled, "now": self._clock()},
            )
            switched_on = await skills_switched_on(connection)
        self._holdings.skills = switched_on
        return next(skill for skill in await self.list(configuration) if skill.name == name)


def _bundled(name: str) -> Bundled:
    found = next((bundled for bundled in CATALOGUE if bundled.name == name), None)
    if found is None:
        raise not_found("skill of this name; GET /api/skills lists them")
    return found


def _not_in_plan(name: str, plan: PlanConfiguration) -> Problem:
    return Problem(
        SKILL_NOT_IN_PLAN,
        f"The plan {plan.display_name} does not include the skill {name}. A larger plan does.",
        plan=plan.display_name,
    )
