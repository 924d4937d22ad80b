"""When to look again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from claw_operator.decide import Observed
from claw_operator.external import ComputeState, ExternalError, Rejected, Transient, Unauthorized
from claw_operator.findings import Failure
from claw_operator.pace import Pacing, retry, under_way
from claw_operator.workqueue import Result
from tests.unit.operator.examples import AWAY, DATABASE, NOW, limited, report, running, settled


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


@pytest.mark.parametrize(
    ("observed", "changing"),
    [
        (settled(), False),
        (replace(settled(), database=replace(DATABASE, ready=False)), True),
        (replace(settled(), compute=running(state=ComputeState.DEPLOYING), runtime=AWAY), True),
        (replace(settled(), runtime=AWAY), True),
        (replace(settled(), runtime=report(ready=False)), True),
        (replace(settled(), compute=running(state=ComputeState.CRASHED), runtime=AWAY), False),
        (replace(settled(), compute=running(state=ComputeState.FAILED), runtime=AWAY), False),
        (replace(settled(), compute=running(state=ComputeState.EMPTY), runtime=None), False),
        (replace(settled(), compute=None, runtime=None), False),
        (replace(settled(), compute=AWAY, runtime=AWAY), False),
        (replace(settled(), database=AWAY), False),
        (replace(settled(), database=None), False),
    ],
    ids=[
        "all is well",
        "a database in the making",
        "a deployment",
        "a runtime that starts",
        "a runtime that is not ready yet",
        "a crash, which has its own backoff",
        "a failed deployment, which nothing but a change mends",
        "an empty compute, which waits for the database",
        "no compute",
        "an unknown compute, which is a failure",
        "an unknown database, too",
        "a vanished database, which waits for a person",
    ],
)
def test_only_what_changes_by_itself_is_worth_polling(observed: Observed, changing: bool) -> None:
    assert under_way(observed) is changing
