"""What a skill still needs before it can be used, in words that say what to do. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from claw_crds.configuration import PlanConfiguration
from claw_crds.plan import EVERY_SKILL
from claw_runtime.problems import SKILL_NEEDS_CONNECTION, SKILL_NEEDS_SETUP, Kind
from claw_runtime.skills.catalogue import ABILITIES, CATALOGUE, FEATURES, GOOGLE, Ability
from claw_runtime.skills.front_matter import Requires

_SCOPES = ("gmail", "calendar")
_SCOPE_NAMES = {"gmail": "Gmail", "calendar": "Google Calendar"}


@dataclass(frozen=True)
class Surroundings:
    """What a runtime has, and its customer."""

    plan: PlanConfiguration
    connections: frozenset[str] = frozenset()
    """What the customer has connected: "gmail", "calendar"."""
    features: frozenset[str] = frozenset()
    """What whoever runs the assistant has set up: names of FEATURES."""

    def offers(self, ability: str) -> bool:
        """Whether the plan includes the ability."""
        return EVERY_SKILL in self.plan.skills or ability in self.plan.skills


@dataclass(frozen=True)
class Missing:
    """What is missing, and what the customer does about it."""

    kind: Kind
    text: str


def lacking_in_plan(requires: Requires, here: Surroundings) -> str | None:
    """The first thing that only another plan has; None when this plan is enough."""
    for ability in (name for name in requires.skills if name in ABILITIES):
        if not here.offers(ability):
            return f"the skill {ability}"
    if requires.plans and here.plan.name not in requires.plans:
        return f"what is in the plans {', '.join(requires.plans)}"
    return None


def missing_for_ability(ability: Ability, here: Surroundings) -> Missing | None:
    """What an ability still needs."""
    if ability.feature is not None and ability.feature not in here.features:
        return _not_set_up(ability.feature)
    if ability.connection is not None and ability.connection not in here.connections:
        return _not_connected([ability.connection])
    return None


def missing_for_folder(requires: Requires, here: Surroundings, usable: Iterable[str]) -> Missing | None:
    """What a skill of a SKILL.md still needs, given the abilities that can be used now."""
    programs = (*requires.bins, *requires.any_bins[:1])
    if programs:
        return Missing(
            SKILL_NEEDS_SETUP, f"It needs the program {programs[0]}, and this assistant does not run programs."
        )
    if requires.env:
        return Missing(
            SKILL_NEEDS_SETUP, f"It needs the variable {requires.env[0]}, and this assistant gives skills no variables."
        )
    if (feature := _first(requires.config, here.features)) is not None:
        return _not_set_up(feature)
    for name in requires.skills:
        if name in usable:
            continue
        ability = next((ability for ability in CATALOGUE if ability.name == name), None)
        if ability is None:
            return Missing(SKILL_NEEDS_SETUP, f"It needs the skill {name}, which this assistant does not know.")
        return missing_for_ability(ability, here) or Missing(
            SKILL_NEEDS_CONNECTION, f"It needs the skill {name}. Enable that first: POST /api/skills/{name}/enable."
        )
    return _unconnected(requires.integrations, here)


def _first(wanted: Iterable[str], present: Iterable[str]) -> str | None:
    return next((name for name in wanted if name not in present), None)


def _unconnected(wanted: Iterable[str], here: Surroundings) -> Missing | None:
    for name in wanted:
        if name == GOOGLE and here.connections.isdisjoint(_SCOPES):
            return _not_connected(list(_SCOPES))
        if name in _SCOPES and name not in here.connections:
            return _not_connected([name])
        if name != GOOGLE and name not in _SCOPES:
            return Missing(SKILL_NEEDS_SETUP, f"It needs {name}, which cannot be connected to this assistant.")
    return None


def _not_set_up(feature: str) -> Missing:
    what = FEATURES.get(feature, feature)
    return Missing(SKILL_NEEDS_SETUP, f"It needs {what}, which is not set up here. Ask whoever runs this assistant.")


def _not_connected(scopes: list[str]) -> Missing:
    names = " or ".join(_SCOPE_NAMES[scope] for scope in scopes)
    wanted = ", ".join(f'"{scope}"' for scope in scopes)
    return Missing(
        SKILL_NEEDS_CONNECTION,
        f"Connect {names} first: on your account page, or by POST /api/integrations/google with "
        f'{{"scopes": [{wanted}]}}.',
    )
