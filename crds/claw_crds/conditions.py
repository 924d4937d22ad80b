"""Conditions and the catalogue of their reasons. Pure: set, get, summarise.

A condition is an observation, not a state machine: every pass computes all of them anew from facts. Messages are
stable, without times and request ids, or no status would ever rest.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from claw_crds.resource import Model, Timestamp


class ConditionType(StrEnum):
    """What is observed."""

    READY = "Ready"
    SYNCED = "Synced"
    DATABASE_READY = "DatabaseReady"
    COMPUTE_READY = "ComputeReady"
    RUNTIME_READY = "RuntimeReady"
    WITHIN_PLAN = "WithinPlan"


class ConditionStatus(StrEnum):
    """Whether it is so; Unknown when nobody could look."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why. The catalogue is published in docs/api.md; a reason that is not here does not exist."""

    # Ready: these are the STATUS column of `kubectl get clawinstances`.
    PROVISIONING = "Provisioning"
    AVAILABLE = "Available"
    SUSPENDED = "Suspended"
    DEGRADED = "Degraded"
    FAILED = "Failed"
    DELETING = "Deleting"

    # Synced
    RECONCILE_SUCCESS = "ReconcileSuccess"
    INVALID_SPEC = "InvalidSpec"
    PLAN_NOT_FOUND = "PlanNotFound"
    PAUSED = "Paused"
    UNAUTHORIZED = "Unauthorized"
    RATE_LIMITED = "RateLimited"
    REJECTED = "Rejected"
    UNREACHABLE = "Unreachable"
    UNREADABLE_ANNOTATION = "UnreadableAnnotation"

    # DatabaseReady, ComputeReady, RuntimeReady
    PENDING = "Pending"
    CREATING = "Creating"
    UPDATING = "Updating"
    DEPLOYING = "Deploying"
    CRASHED = "Crashed"
    CONFIGURING = "Configuring"
    VANISHED = "Vanished"
    DRIFTED = "Drifted"
    STOPPED = "Stopped"
    NAME_TAKEN = "NameTaken"
    ROLLED_BACK = "RolledBack"
    UNAVAILABLE = "Unavailable"

    # WithinPlan
    WITHIN_LIMITS = "WithinLimits"
    OVER_LIMITS = "OverLimits"
    NOT_KNOWN = "NotKnown"


class Condition(Model):
    """One observation, shaped as metav1.Condition."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str = Field(default="", max_length=4096, description="For the person who reads it: what, and what to do.")
    last_transition_time: Timestamp = Field(description="When the status, not the reason, last changed.")
    observed_generation: int | None = Field(default=None, description="The spec's generation that was looked at.")


def find(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of that type, if it was ever set."""
    return next((c for c in conditions if c.type == kind), None)


def is_true(conditions: Iterable[Condition], kind: ConditionType) -> bool:
    """Whether the condition was observed and holds."""
    found = find(conditions, kind)
    return found is not None and found.status == ConditionStatus.TRUE


def observed(
    earlier: Iterable[Condition],
    kind: ConditionType,
    status: ConditionStatus,
    reason: Reason,
    message: str,
    *,
    generation: int,
    now: datetime,
) -> Condition:
    """The condition as seen now. Its transition time moves only when the status does."""
    before = find(earlier, kind)
    since = before.last_transition_time if before is not None and before.status == status else now
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=since,
        observed_generation=generation,
    )
