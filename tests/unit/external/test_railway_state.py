"""Railway's thirteen deployment states, and one that it does not have yet."""

import pytest

from claw_operator.external import ComputeState
from claw_operator.external.railway.models import Deployment, Replica
from claw_operator.external.railway.state import compute_state, is_there, reason_of, state_of

STATES = {
    "INITIALIZING": ComputeState.DEPLOYING,
    "QUEUED": ComputeState.DEPLOYING,
    "WAITING": ComputeState.DEPLOYING,
    "BUILDING": ComputeState.DEPLOYING,
    "DEPLOYING": ComputeState.DEPLOYING,
    "SUCCESS": ComputeState.RUNNING,
    "SLEEPING": ComputeState.RUNNING,
    "CRASHED": ComputeState.CRASHED,
    "FAILED": ComputeState.FAILED,
    "NEEDS_APPROVAL": ComputeState.FAILED,
    "SKIPPED": ComputeState.FAILED,
    "REMOVING": ComputeState.DEPLOYING,
    "REMOVED": ComputeState.STOPPED,
    "TELEPORTING": ComputeState.DEPLOYING,
}


@pytest.mark.parametrize(("status", "state"), STATES.items())
def test_each_state_amounts_to_something(status: str, state: ComputeState) -> None:
    assert state_of(Deployment(id="d", status=status)) is state
    assert compute_state(Deployment(id="d", status=status), ()) is state


def test_nothing_was_ever_deployed() -> None:
    assert compute_state(None, ()) is ComputeState.EMPTY


def test_a_success_whose_process_ended_has_crashed() -> None:
    deployment = Deployment(id="d", status="SUCCESS", deployment_stopped=True)
    assert state_of(deployment) is ComputeState.CRASHED
    assert reason_of(deployment) == "The process has ended by itself."


def test_a_crash_that_railway_mends_is_none() -> None:
    deployment = Deployment(id="d", status="CRASHED", instances=(Replica(status="RUNNING"),))
    assert state_of(deployment) is ComputeState.RUNNING


@pytest.mark.parametrize("newest", ["REMOVED", "SKIPPED"])
def test_an_older_deployment_that_serves_counts_when_the_newest_does_not(newest: str) -> None:
    latest, older = Deployment(id="2", status=newest), Deployment(id="1", status="SUCCESS")
    assert compute_state(latest, (older,)) is ComputeState.RUNNING


def test_an_older_deployment_does_not_hide_that_the_newest_failed() -> None:
    latest, older = Deployment(id="2", status="FAILED"), Deployment(id="1", status="SUCCESS")
    assert compute_state(latest, (older, latest)) is ComputeState.FAILED


@pytest.mark.parametrize("status", STATES)
def test_everything_is_to_be_removed_but_what_is(status: str) -> None:
    assert is_there(Deployment(id="d", status=status)) is (status not in ("REMOVED", "REMOVING"))
