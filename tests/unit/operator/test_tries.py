"""What went wrong is tried again: soon, then ever more seldom, and after a quiet while as if it were the first time."""

from datetime import timedelta

import pytest

from claw_operator.external import ComputeState, Drift
from claw_operator.tries import CRASHES, FAILURES, REPAIRS, Gaps, History, Tries
from tests.unit.operator.examples import AWAY, NOW, running

FINGERPRINT = running().fingerprint or ""
CRASHED, FAILED = running(state=ComputeState.CRASHED), running(state=ComputeState.FAILED)
DRIFTED = running(drift=Drift("replicas", needs_deployment=True))
RENAMED = running(drift=Drift("name", needs_deployment=False))
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("gaps", "seconds"),
    [
        (CRASHES, [0, 1, 2, 4, 8, 16, 32, 60, 60]),
        (FAILURES, [0, 60, 120, 240, 480, 960, 1800, 1800, 1800]),
        (REPAIRS, [0, 60, 120, 240, 480, 960, 1800, 1800, 1800]),
    ],
)
def test_the_gaps_grow_up_to_a_limit(gaps: Gaps, seconds: list[float]) -> None:
    tries, now, waited = Tries(), NOW, []
    for _ in seconds:
        due = tries.due(now, gaps)
        waited.append((due - now).total_seconds())
        now = due
        tries = tries.next(now, gaps)
    assert waited == seconds


@pytest.mark.parametrize("gaps", [CRASHES, FAILURES, REPAIRS])
def test_after_a_quiet_while_the_next_trouble_is_the_first(gaps: Gaps) -> None:
    later = NOW + gaps.forgiven + SECOND
    assert Tries(9, NOW).due(later, gaps) == later
    assert Tries(9, NOW).next(later, gaps) == Tries(1, later)
    assert gaps.limit < gaps.forgiven


def test_a_failure_is_counted_once_however_often_it_is_seen() -> None:
    history = History()
    for minutes in range(5):
        history = history.saw(FAILED, NOW + minutes * MINUTE)
    assert history.failures == Tries(1, NOW)


def test_each_failed_try_waits_twice_as_long_as_the_one_before() -> None:
    history = History().saw(FAILED, NOW)
    history = history.deployed(FAILED, FINGERPRINT, NOW + MINUTE).saw(FAILED, NOW + 11 * MINUTE)
    assert history.failures.due(NOW, FAILURES) == NOW + 13 * MINUTE


@pytest.mark.parametrize("compute", [None, AWAY, running(), CRASHED])
def test_what_has_not_failed_is_no_failure(compute: object) -> None:
    assert History().saw(compute, NOW) == History()


def test_a_deployment_counts_by_its_cause() -> None:
    assert History().deployed(CRASHED, FINGERPRINT, NOW) == History(restarts=Tries(1, NOW))
    assert History().deployed(DRIFTED, FINGERPRINT, NOW) == History(repairs=Tries(1, NOW))
    for compute in (running(), RENAMED):
        assert History().deployed(compute, FINGERPRINT, NOW) == History()


def test_new_settings_begin_anew_and_hands_that_will_not_rest_are_remembered() -> None:
    troubled = History(Tries(3, NOW), Tries(3, NOW), Tries(3, NOW), failed=True)
    assert troubled.deployed(CRASHED, "new", NOW) == History(repairs=Tries(3, NOW))


def test_a_password_that_was_replaced_is_a_repair() -> None:
    assert History().repaired(NOW).repaired(NOW + MINUTE).repairs == Tries(2, NOW + MINUTE)
