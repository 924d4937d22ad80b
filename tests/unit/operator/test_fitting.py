"""What does not fit a plan is told, in words that rest, and nothing else happens to it."""

from dataclasses import replace

import pytest

from claw_crds.conditions import ConditionStatus, Reason
from claw_crds.configuration import RuntimeHoldings
from claw_operator.decide import Observed, decide
from claw_operator.fitting import within_plan
from tests.unit.operator.examples import AWAY, DATABASE, NOW, desired, plan, report, settled

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
SMALLER = desired(of_plan=plan(limits={"memories": 1000, "agents": 2}))
MEBIBYTE = 2**20


def holding(mebibytes: float | None = None, *skills: str, memories: int | None = 0, agents: int | None = 0) -> Observed:
    """An outside whose runtime and database hold that much."""
    holdings = RuntimeHoldings(memories=memories, agents=agents, skills_not_in_plan=skills)
    size = None if mebibytes is None else int(mebibytes * MEBIBYTE)
    observed = settled(SMALLER)
    runtime, database = report(SMALLER, holdings=holdings), replace(DATABASE, size_bytes=size)
    return replace(observed, runtime=runtime, database=database)


@pytest.mark.parametrize("observed", [holding(), holding(500, memories=1000, agents=2), holding(1)])
def test_what_fits_says_no_more(observed: Observed) -> None:
    found = within_plan(SMALLER, observed)
    assert (found.status, found.reason, found.message) == (TRUE, Reason.WITHIN_LIMITS, "")


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (
            holding(memories=1200),
            (
                "memories: 1,200 of 1,000. Nothing is deleted. No more memories can be added: delete some, or choose "
                "a larger plan."
            ),
        ),
        (
            holding(1500.01, "gmail", "browser", memories=1001, agents=5),
            (
                "memories: 1,001 of 1,000; agents: 5 of 2; skills: browser, gmail not in plan pro; storage: 1,501 MiB "
                "of 500 MiB. Nothing is deleted. No more memories or agents can be added: delete some, or choose a "
                "larger plan."
            ),
        ),
        (holding(501), "storage: 501 MiB of 500 MiB. Nothing is deleted."),
        (holding(0, "gmail"), "skills: gmail not in plan pro. Nothing is deleted."),
        (replace(holding(501), runtime=AWAY), "storage: 501 MiB of 500 MiB. Nothing is deleted."),
    ],
)
def test_what_does_not_fit_is_told_with_what_becomes_of_it(observed: Observed, message: str) -> None:
    found = within_plan(SMALLER, observed)
    assert (found.status, found.reason, found.message) == (FALSE, Reason.OVER_LIMITS, message)


def test_a_skill_that_the_spec_wishes_for_counts_too() -> None:
    wished = desired(skills={"enabled": ["gmail", "chat"]})
    assert within_plan(wished, settled(wished)).message == "skills: gmail not in plan pro. Nothing is deleted."


def test_without_limits_everything_fits() -> None:
    unlimited = desired(of_plan=plan(limits={}, skills=["*"]))
    assert within_plan(unlimited, holding(1, "gmail", memories=10**9, agents=10**9)).status == TRUE


@pytest.mark.parametrize(
    "observed",
    [
        settled(SMALLER),  # a runtime of an earlier version
        holding(memories=None),
        replace(holding(), runtime=AWAY),
        replace(holding(), runtime=None, database=None),
    ],
)
def test_what_nobody_has_told_is_not_known(observed: Observed) -> None:
    found = within_plan(SMALLER, observed)
    assert (found.status, found.reason) == (UNKNOWN, Reason.NOT_KNOWN)


def test_the_message_rests_while_a_database_grows_within_a_mebibyte() -> None:
    one, other = (within_plan(SMALLER, holding(size)) for size in (500.1, 500.9))
    assert one == other


def test_nothing_is_done_about_it() -> None:
    assert decide(SMALLER, holding(5000, "gmail", memories=10**6, agents=99), NOW).steps == ()
