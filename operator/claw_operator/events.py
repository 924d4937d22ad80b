"""What the instance's owner is told as Kubernetes Events: what changed, and nothing else. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from claw_crds.conditions import find
from claw_crds.v1alpha1 import ClawInstanceStatus, ConditionType, Reason
from claw_operator.decide import Step, StepKind


@dataclass(frozen=True)
class News:
    """One Event."""

    kind: str
    """Normal or Warning."""
    reason: str
    message: str
    action: str


_WARNINGS = (Reason.DEGRADED, Reason.FAILED)
_TOLD_WHEN_THEY_BEGIN = {
    ConditionType.SYNCED: Reason.UNREADABLE_ANNOTATION,
    ConditionType.WITHIN_PLAN: Reason.OVER_LIMITS,
}
_STEPS = {
    StepKind.ROTATE_KEY: ("KeyRotated", "The API key was rotated; the earlier one still works for an hour."),
    StepKind.RETIRE_KEY: ("KeyRetired", "The previous API key has expired."),
}


def news(before: ClawInstanceStatus, after: ClawInstanceStatus, done: Sequence[Step]) -> list[News]:
    """What is worth telling about a pass that turned one status into the other by these steps."""
    told = []
    was, now = find(before.conditions, ConditionType.READY), find(after.conditions, ConditionType.READY)
    if now is not None and (was is None or was.reason != now.reason):
        kind = "Warning" if now.reason in _WARNINGS else "Normal"
        told.append(News(kind, now.reason.value, now.message, "Reconcile"))
    for kind_of, reason in _TOLD_WHEN_THEY_BEGIN.items():
        was, now = find(before.conditions, kind_of), find(after.conditions, kind_of)
        if now is not None and now.reason == reason and (was is None or was.reason != reason):
            told.append(News("Warning", reason.value, now.message, "Reconcile"))
    for step in done:
        if step.kind in _STEPS:
            told.append(News("Normal", *_STEPS[step.kind], step.kind.value))
        if step.reason == Reason.CRASHED:
            told.append(News("Warning", "Restarted", step.message, step.kind.value))
        if step.reason == Reason.DRIFTED:
            told.append(News("Warning", Reason.DRIFTED.value, step.message, step.kind.value))
    return told
