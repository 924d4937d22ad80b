"""From Railway's thirteen deployment states to what a compute is doing. Pure."""

from collections.abc import Sequence

from claw_operator.external import ComputeState
from claw_operator.external.railway.models import Deployment

_STATES = {
    # Asleep until the next request, which wakes it: nothing is to be done about it.
    "SLEEPING": ComputeState.RUNNING,
    "SUCCESS": ComputeState.RUNNING,
    "CRASHED": ComputeState.CRASHED,
    "FAILED": ComputeState.FAILED,
    "NEEDS_APPROVAL": ComputeState.FAILED,
    "SKIPPED": ComputeState.FAILED,
    "REMOVED": ComputeState.STOPPED,
}
_REASONS = {
    "NEEDS_APPROVAL": "The deployment waits for somebody's approval in Railway.",
    "SKIPPED": "Railway skipped the deployment.",
}


def state_of(deployment: Deployment) -> ComputeState:
    """What one deployment amounts to. A state that we do not know yet counts as under way: somebody looks again."""
    if deployment.status == "SUCCESS" and deployment.deployment_stopped:
        return ComputeState.CRASHED  # its process ended by itself, without an error
    if deployment.status == "CRASHED" and any(replica.status == "RUNNING" for replica in deployment.instances):
        return ComputeState.RUNNING
    return _STATES.get(deployment.status, ComputeState.DEPLOYING)


def compute_state(latest: Deployment | None, active: Sequence[Deployment]) -> ComputeState:
    """What a service is doing, by its newest deployment and by those that still serve.

    A newest one that was skipped or removed says nothing about an older one that runs.
    """
    if latest is None:
        return ComputeState.EMPTY
    if latest.status in ("SKIPPED", "REMOVED"):
        others = [state_of(deployment) for deployment in active if deployment.id != latest.id]
        for state in (ComputeState.RUNNING, ComputeState.DEPLOYING):
            if state in others:
                return state
    return state_of(latest)


def is_there(deployment: Deployment) -> bool:
    """Whether there is something of it left to remove; Railway starts even a crashed one again."""
    return deployment.status not in ("REMOVED", "REMOVING")


def reason_of(deployment: Deployment) -> str:
    """What the state alone says of the trouble; empty when only the logs can."""
    if deployment.status == "SUCCESS" and deployment.deployment_stopped:
        return "The process has ended by itself."
    return _REASONS.get(deployment.status, "")
