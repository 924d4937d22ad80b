"""Conditions are computed anew each pass; what remembers is their transition time alone."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from claw_crds import conditions
from claw_crds.conditions import Condition, ConditionStatus, ConditionType, Reason

EARLIER = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW = EARLIER + timedelta(minutes=5)


def ready(status: ConditionStatus, reason: Reason = Reason.PROVISIONING) -> Condition:
    return Condition(type=ConditionType.READY, status=status, reason=reason, last_transition_time=EARLIER)


def observe(earlier: list[Condition], status: ConditionStatus, message: str = "") -> Condition:
    return conditions.observed(earlier, ConditionType.READY, status, Reason.AVAILABLE, message, generation=7, now=NOW)


def test_the_first_observation_begins_now() -> None:
    seen = observe([], ConditionStatus.TRUE, "answers")

    assert seen.last_transition_time == NOW
    assert seen.observed_generation == 7
    assert seen.message == "answers"


def test_another_status_begins_now() -> None:
    assert observe([ready(ConditionStatus.FALSE)], ConditionStatus.TRUE).last_transition_time == NOW
    assert observe([ready(ConditionStatus.UNKNOWN)], ConditionStatus.FALSE).last_transition_time == NOW


def test_another_reason_does_not_move_the_transition_time() -> None:
    seen = observe([ready(ConditionStatus.TRUE, Reason.DEGRADED)], ConditionStatus.TRUE)

    assert seen.reason == Reason.AVAILABLE
    assert seen.last_transition_time == EARLIER


def test_a_condition_of_another_type_is_no_memory() -> None:
    synced = ready(ConditionStatus.TRUE).model_copy(update={"type": ConditionType.SYNCED})

    assert observe([synced], ConditionStatus.TRUE).last_transition_time == NOW


def test_what_was_never_observed_is_not_true() -> None:
    assert conditions.find([], ConditionType.READY) is None
    assert not conditions.is_true([], ConditionType.READY)


@pytest.mark.parametrize("status", ConditionStatus)
def test_only_true_is_true(status: ConditionStatus) -> None:
    assert conditions.is_true([ready(status)], ConditionType.READY) is (status == ConditionStatus.TRUE)


def test_on_the_wire_it_is_a_metav1_condition() -> None:
    assert observe([], ConditionStatus.TRUE, "answers").wire() == {
        "type": "Ready",
        "status": "True",
        "reason": "Available",
        "message": "answers",
        "lastTransitionTime": "2026-01-31T12:05:00Z",
        "observedGeneration": 7,
    }


def test_reasons_and_types_are_one_camel_case_word() -> None:
    for word in (*Reason, *ConditionType, *ConditionStatus):
        assert word.isalnum()
        assert word[0].isupper()


def test_a_reason_that_is_not_in_the_catalogue_does_not_exist() -> None:
    document = ready(ConditionStatus.TRUE).wire()

    with pytest.raises(ValidationError):
        Condition.model_validate(document | {"reason": "Because"})
