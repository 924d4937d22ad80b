"""The owner hears of changes, once, and of nothing else."""

import pytest

from claw_crds.conditions import ConditionStatus, ConditionType, Reason
from claw_crds.v1alpha1 import ClawInstanceStatus
from claw_operator.decide import Step, StepKind
from claw_operator.events import News, news
from claw_operator.findings import Finding
from claw_operator.status import with_findings
from tests.unit.operator.examples import NOW


def ready(reason: Reason, message: str = "Because.") -> ClawInstanceStatus:
    """A status whose Ready has that reason."""
    status = ConditionStatus.TRUE if reason == Reason.AVAILABLE else ConditionStatus.FALSE
    return with_findings(ClawInstanceStatus(), {ConditionType.READY: Finding(status, reason, message)}, 1, NOW)


def step(kind: StepKind, reason: Reason = Reason.UPDATING) -> Step:
    """A step that was carried out."""
    return Step(kind, reason, "It was done.")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (ClawInstanceStatus(), ClawInstanceStatus(), None),
        (ClawInstanceStatus(), ready(Reason.PROVISIONING), ("Normal", "Provisioning")),
        (ready(Reason.PROVISIONING), ready(Reason.PROVISIONING), None),
        (ready(Reason.PROVISIONING, "a"), ready(Reason.PROVISIONING, "b"), None),
        (ready(Reason.PROVISIONING), ready(Reason.AVAILABLE), ("Normal", "Available")),
        (ready(Reason.AVAILABLE), ready(Reason.DEGRADED), ("Warning", "Degraded")),
        (ready(Reason.DEGRADED), ready(Reason.AVAILABLE), ("Normal", "Available")),
        (ready(Reason.PROVISIONING), ready(Reason.FAILED), ("Warning", "Failed")),
        (ready(Reason.AVAILABLE), ready(Reason.SUSPENDED), ("Normal", "Suspended")),
        (ready(Reason.SUSPENDED), ready(Reason.DELETING), ("Normal", "Deleting")),
    ],
)
def test_another_reason_is_news_and_another_message_is_not(
    before: ClawInstanceStatus, after: ClawInstanceStatus, told: tuple[str, str] | None
) -> None:
    assert [(item.kind, item.reason) for item in news(before, after, [])] == ([told] if told else [])


@pytest.mark.parametrize(
    ("kind", "reason", "before"),
    [
        (ConditionType.SYNCED, Reason.UNREADABLE_ANNOTATION, Reason.RECONCILE_SUCCESS),
        (ConditionType.WITHIN_PLAN, Reason.OVER_LIMITS, Reason.WITHIN_LIMITS),
    ],
)
def test_what_a_person_has_to_look_at_is_told_when_it_begins(
    kind: ConditionType, reason: Reason, before: Reason
) -> None:
    was, now, still = (
        with_findings(ClawInstanceStatus(), {kind: Finding(ConditionStatus.FALSE, said, message)}, 1, NOW)
        for said, message in ((before, ""), (reason, "Look."), (reason, "Look again."))
    )
    warning = News("Warning", reason.value, "Look.", "Reconcile")
    assert news(ClawInstanceStatus(), now, []) == news(was, now, []) == [warning]
    assert news(now, still, []) == news(now, was, []) == []


@pytest.mark.parametrize("kind", list(StepKind))
def test_of_the_steps_only_those_that_concern_the_owner_are_told(kind: StepKind) -> None:
    told = [item.reason for item in news(ready(Reason.AVAILABLE), ready(Reason.AVAILABLE), [step(kind)])]
    assert told == {StepKind.ROTATE_KEY: ["KeyRotated"], StepKind.RETIRE_KEY: ["KeyRetired"]}.get(kind, [])


def test_what_was_put_right_after_somebodys_hand_is_a_warning() -> None:
    before = after = ready(Reason.AVAILABLE)
    for kind in (StepKind.DEPLOY, StepKind.ADJUST, StepKind.ISSUE_CREDENTIALS):
        assert news(before, after, [step(kind, Reason.DRIFTED)]) == [
            News("Warning", "Drifted", "It was done.", kind.value)
        ]


def test_a_restart_after_a_crash_is_a_warning_and_a_deployment_is_not() -> None:
    before = after = ready(Reason.AVAILABLE)
    assert news(before, after, [step(StepKind.DEPLOY, Reason.DEPLOYING)]) == []
    crashed = news(before, after, [step(StepKind.DEPLOY, Reason.CRASHED)])
    assert crashed == [News("Warning", "Restarted", "It was done.", "Deploy")]
