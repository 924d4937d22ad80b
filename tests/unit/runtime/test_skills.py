"""Skills: the plan offers, the spec chooses, the customer has the last word."""

import pytest

from claw_crds.configuration import PlanConfiguration, SkillChoices
from claw_runtime.problems import Problem
from claw_runtime.skills import require, resolve


def plan(*names: str) -> PlanConfiguration:
    return PlanConfiguration(name="starter", display_name="Starter", skills=names)


def enabled(plan: PlanConfiguration, spec: SkillChoices, chosen: dict[str, bool]) -> set[str]:
    return {skill.name for skill in resolve(plan, spec, chosen) if skill.enabled}


def test_what_the_plan_offers_is_on() -> None:
    assert enabled(plan("chat", "memory"), SkillChoices(), {}) == {"chat", "memory"}


def test_a_star_offers_everything_that_is_bundled() -> None:
    everything = {"chat", "memory", "web_search", "gmail", "calendar", "browser"}

    assert enabled(plan("*"), SkillChoices(), {}) == everything


def test_the_spec_turns_off_and_the_customer_turns_on_again() -> None:
    spec = SkillChoices(disabled=("memory",))

    assert enabled(plan("chat", "memory"), spec, {}) == {"chat"}
    assert enabled(plan("chat", "memory"), spec, {"memory": True}) == {"chat", "memory"}
    assert enabled(plan("chat", "memory"), SkillChoices(enabled=("memory",)), {"memory": False}) == {"chat"}


def test_nobody_can_choose_what_the_plan_lacks() -> None:
    assert enabled(plan("chat"), SkillChoices(enabled=("gmail",)), {"gmail": True}) == {"chat"}


@pytest.mark.parametrize(
    ("offered", "chosen", "slug"),
    [(("memory",), {}, "skill-not-in-plan"), (("chat",), {"chat": False}, "skill-disabled")],
)
def test_without_the_skill_it_goes_no_further(offered: tuple[str, ...], chosen: dict[str, bool], slug: str) -> None:
    with pytest.raises(Problem) as refused:
        require(resolve(plan(*offered), SkillChoices(), chosen), plan(*offered), "chat")

    assert refused.value.kind.slug == slug
