"""When to look again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from claw_crds.conditions import Reason
from claw_crds.v1alpha1 import ClawInstanceStatus, ProvisioningStatus
from claw_operator.decide import Observed, Step, StepKind, decide
from claw_operator.external import ComputeState, ExternalError, Rejected, Transient, Unauthorized
from claw_operator.findings import Failure, Outcome
from claw_operator.pace import FRESH, Ages, Pacing, UnderWay, needs_a_fresh_look, retry, under_way
from claw_operator.status import compute_status
from claw_operator.workqueue import Result
from tests.unit.operator.examples import AWAY, DATABASE, NOW, desired, limited, plan, report, running, settled

STOP = Step(StepKind.SUSPEND_COMPUTE, Reason.STOPPED, "The compute is being stopped.")


def pacing(random: float = 0.5) -> Pacing:
    """Once a minute."""
    return Pacing(60.0, lambda: random)


@pytest.mark.parametrize(("random", "seconds"), [(0.0, 54.0), (0.5, 60.0), (0.999, 65.99)])
def test_what_rests_is_looked_at_once_a_minute_more_or_less(random: float, seconds: float) -> None:
    assert pacing(random).settled() == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize(
    ("waited", "seconds"), [(0, 0.5), (5, 0.5), (6, 0.6), (30, 3.0), (99, 9.9), (100, 10.0), (86_400, 10.0)]
)
def test_what_is_under_way_is_polled_ever_more_seldom(waited: float, seconds: float) -> None:
    assert pacing().polling(NOW, NOW + timedelta(seconds=waited), 0.5) == pytest.approx(seconds)


def test_polling_never_becomes_more_frequent_while_one_waits() -> None:
    gaps = [pacing().polling(NOW, NOW + timedelta(seconds=waited), 1.0) for waited in range(300)]
    assert gaps == sorted(gaps)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([Transient("x")], Result(requeue_after=0.0, failed=True)),
        ([Transient("x"), limited(7.0), limited(90.0)], Result(requeue_after=90.0, failed=True)),
        ([limited(0.0)], Result(requeue_after=0.0, failed=True)),
        ([Rejected("x"), limited(90.0)], Result(requeue_after=90.0, failed=True)),
        ([Rejected("x")], Result(requeue_after=60.0)),
        ([Unauthorized("x"), Rejected("y")], Result(requeue_after=60.0)),
    ],
    ids=[
        "what may work next time has the queue's backoff",
        "the longest wait that a provider asks for is kept",
        "a provider that asks for no wait",
        "what only the spec can mend does not shorten it",
        "what only the spec can mend is looked at as if it rested",
        "... and what only a person can",
    ],
)
def test_after_failures(errors: list[ExternalError], expected: Result) -> None:
    assert pacing().after_failures([Failure("Deploy", error) for error in errors]) == expected


@pytest.mark.parametrize(("error", "seconds"), [(Transient("x"), 0.0), (limited(90.0), 90.0), (Rejected("x"), 0.0)])
def test_a_retry_never_comes_before_the_provider_allows_it(error: ExternalError, seconds: float) -> None:
    assert retry(error) == Result(requeue_after=seconds, failed=True)


@pytest.mark.parametrize(("waited", "seconds"), [(0, 0.5), (30, 0.5), (60, 1.0), (300, 5.0), (9999, 10.0)])
def test_a_runtime_that_is_starting_is_asked_more_often(waited: float, seconds: float) -> None:
    assert pacing().probing(NOW, NOW + timedelta(seconds=waited), 5.0) == pytest.approx(seconds)


def test_a_runtime_on_a_quick_driver_is_asked_as_soon_as_the_driver() -> None:
    assert pacing().probing(NOW, NOW, 0.1) == pytest.approx(0.1)


NOTHING, DATABASE_ALONE, RUNTIME = UnderWay(), UnderWay(database=True), UnderWay(runtime=True)


@pytest.mark.parametrize(
    ("observed", "changing"),
    [
        (settled(), NOTHING),
        (replace(settled(), database=replace(DATABASE, ready=False)), DATABASE_ALONE),
        (replace(settled(), database=replace(DATABASE, ready=False, suspended=True)), NOTHING),
        (replace(settled(), compute=running(state=ComputeState.DEPLOYING), runtime=AWAY), RUNTIME),
        (replace(settled(), runtime=AWAY), RUNTIME),
        (replace(settled(), runtime=report(ready=False)), RUNTIME),
        (replace(settled(), compute=running(state=ComputeState.CRASHED), runtime=AWAY), NOTHING),
        (replace(settled(), compute=running(state=ComputeState.FAILED), runtime=AWAY), NOTHING),
        (replace(settled(), compute=running(state=ComputeState.EMPTY), runtime=None), NOTHING),
        (replace(settled(), compute=running(state=ComputeState.STOPPED), runtime=None), NOTHING),
        (replace(settled(), compute=None, runtime=None), NOTHING),
        (replace(settled(), compute=AWAY, runtime=AWAY), NOTHING),
        (replace(settled(), database=AWAY), NOTHING),
        (replace(settled(), database=None), NOTHING),
    ],
    ids=[
        "all is well",
        "a database in the making",
        "a closed database, which is meant so",
        "a deployment",
        "a runtime that starts",
        "a runtime that is not ready yet",
        "a crash, which has its own backoff",
        "a failed deployment, which has one, too",
        "an empty compute, which waits for the database",
        "a compute that was stopped",
        "no compute",
        "an unknown compute, which is a failure",
        "an unknown database, too",
        "a vanished database, which waits for a person",
    ],
)
def test_only_what_changes_by_itself_is_worth_polling(observed: Observed, changing: UnderWay) -> None:
    assert under_way(observed) == changing
    assert bool(changing) is (changing != NOTHING)


def test_a_step_that_is_still_wanted_after_it_was_done_needs_a_moment() -> None:
    assert under_way(settled(), [STOP]) == UnderWay(compute=True)


def test_a_deployment_whose_id_was_never_learned_is_looked_up_although_its_runtime_answers() -> None:
    compute = replace(running(), deployment_id=None)
    assert under_way(replace(settled(), compute=compute)) == UnderWay(compute=True)


def test_a_runtime_that_is_being_stopped_is_not_waited_for() -> None:
    assert under_way(replace(settled(), runtime=AWAY), [STOP]) == UnderWay(compute=True)


@pytest.mark.parametrize(
    ("going", "expected"),
    [
        (NOTHING, []),
        (DATABASE_ALONE, [1.0]),
        (RUNTIME, [0.5]),
        (UnderWay(compute=True), [5.0]),
        (UnderWay(database=True, runtime=True), [1.0, 0.5]),
    ],
)
def test_each_part_is_polled_at_its_own_pace(going: UnderWay, expected: list[float]) -> None:
    assert pacing().waits(going, NOW, NOW, database=1.0, compute=5.0) == expected


def status(observed: Observed = settled(), **spec: Any) -> ClawInstanceStatus:  # noqa: B008 - a frozen record
    """The status that tells of that outside."""
    wished = desired(of_plan=plan(stopWhenSuspended=True), **spec)
    pending = decide(wished, observed, NOW).steps
    return compute_status(wished, observed, Outcome(pending=pending), ProvisioningStatus(requested_at=NOW), NOW)


STOPPED = replace(
    settled(),
    database=replace(DATABASE, suspended=True),
    compute=running(state=ComputeState.STOPPED),
    runtime=None,
)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (status(), Ages(60.0, 60.0)),
        (ClawInstanceStatus(), Ages(0.0, 0.0)),
        (status(replace(settled(), database=replace(DATABASE, ready=False))), Ages(0.0, 60.0)),
        (status(replace(settled(), database=AWAY)), Ages(0.0, 60.0)),
        (status(replace(settled(), compute=running(state=ComputeState.DEPLOYING), runtime=AWAY)), Ages(60.0, 0.0)),
        (status(replace(settled(), compute=running(state=ComputeState.FAILED), runtime=AWAY)), Ages(60.0, 0.0)),
        (status(replace(settled(), runtime=AWAY)), Ages(60.0, 0.0)),
        (status(STOPPED, state="Suspended"), Ages(60.0, 60.0)),
    ],
    ids=[
        "all is well",
        "nothing is known",
        "a database in the making is looked at, and nothing else",
        "one that could not be looked at, too",
        "a deployment",
        "a failed one",
        "a runtime that does not answer",
        "a stopped instance rests",
    ],
)
def test_what_rests_is_seen_with_the_fleet_and_what_does_not_by_itself(
    seen: ClawInstanceStatus, expected: Ages
) -> None:
    assert pacing().ages(seen, asked=False) == expected
    assert pacing().ages(seen, asked=True) == FRESH


@pytest.mark.parametrize(
    ("observed", "kinds", "fresh"),
    [
        (settled(), [], False),
        (settled(), [StepKind.CONFIGURE, StepKind.ROTATE_KEY, StepKind.RETIRE_KEY], False),
        (settled(), [StepKind.CREATE_DATABASE], True),
        (settled(), [StepKind.CREATE_COMPUTE], True),
        (settled(), [StepKind.CONFIGURE, StepKind.DEPLOY], True),
        (settled(), [StepKind.ISSUE_CREDENTIALS], True),
        (replace(settled(), database=None), [], True),
        (replace(settled(), database=replace(DATABASE, ready=False)), [], True),
        (replace(settled(), compute=running(state=ComputeState.CRASHED)), [], True),
        (replace(settled(), compute=running(state=ComputeState.DEPLOYING)), [], True),
        (STOPPED, [], False),
        (replace(settled(), database=AWAY, compute=AWAY, runtime=AWAY), [], False),
    ],
    ids=[
        "rest",
        "what providers have no part in",
        "database",
        "compute",
        "deployment",
        "password",
        "a database is gone",
        "a database that was ready",
        "a crash",
        "a deployment that was up",
        "a stopped one",
        "nobody can look",
    ],
)
def test_an_old_reading_shows_that_nothing_is_to_be_done_and_proves_nothing_else(
    observed: Observed, kinds: list[StepKind], fresh: bool
) -> None:
    steps = [Step(kind, Reason.UPDATING, "x") for kind in kinds]
    assert needs_a_fresh_look(Ages(60.0, 60.0), observed, steps) is fresh
    assert needs_a_fresh_look(FRESH, observed, steps) is False
