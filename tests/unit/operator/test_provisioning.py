"""The deadline: whom it concerns, when it comes, and how one starts again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from claw_crds import naming
from claw_crds.conditions import ConditionStatus, ConditionType, Reason
from claw_crds.v1alpha1 import (
    ClawInstanceStatus,
    ComputeStatus,
    DatabaseStatus,
    ProvisioningStatus,
)
from claw_operator.decide import Observed, Unknown
from claw_operator.external import NameTaken
from claw_operator.findings import Finding
from claw_operator.provisioning import asked_again, begun, deadline, failed_status, has_failed, is_complete
from claw_operator.status import with_findings
from tests.unit.operator.examples import AWAY, CREDENTIALS, DATABASE, NOW, condition, instance

NOTHING = Observed(database=None, compute=None, runtime=None, secret=None)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
CREATED = NOW - timedelta(seconds=5)  # as in the examples

READY, DATABASE_READY = ConditionType.READY, ConditionType.DATABASE_READY
COMPUTE_READY, RUNTIME_READY = ConditionType.COMPUTE_READY, ConditionType.RUNTIME_READY


@pytest.mark.parametrize(
    ("first_seen", "observed", "requested_at", "recovered"),
    [
        (NOW, NOTHING, CREATED, False),
        (NOW, replace(NOTHING, database=AWAY, compute=AWAY), CREATED, False),
        (NOW, replace(NOTHING, database=DATABASE), CREATED, False),
        (NOW, replace(NOTHING, secret=CREDENTIALS), CREATED, True),
        (NOW + DAY, NOTHING, NOW + DAY, False),
        (NOW + DAY, replace(NOTHING, compute=AWAY), NOW + DAY, False),
        (NOW + DAY, replace(NOTHING, secret=Unknown(NameTaken("x"))), NOW + DAY, False),
        (NOW + DAY, replace(NOTHING, secret=CREDENTIALS), NOW + DAY, True),
        (NOW + DAY, replace(NOTHING, database=DATABASE), NOW + DAY, True),
        (NOW + DAY, replace(NOTHING, database=AWAY), NOW + DAY, True),
    ],
    ids=[
        "a new instance counts from its creation",
        "... although its providers are away",
        "... also when an operator died before it could write down the database",
        "credentials without a status: the status was lost",
        "one that nobody looked at for a day has lost no time",
        "... although nobody can look at a compute",
        "... nor does a Secret of somebody else tell anything",
        "an old one with credentials lost its status",
        "an old one with a database lost status and Secret, and may hold data",
        "... or may have a database",
    ],
)
def test_a_record_begins(first_seen: object, observed: Observed, requested_at: object, recovered: bool) -> None:
    record = begun(instance(), observed, first_seen, NOW + DAY)  # type: ignore[arg-type]
    assert (record.requested_at, record.recovered) == (requested_at, recovered)


def test_a_record_goes_on_as_it_was_written() -> None:
    written = ProvisioningStatus(requested_at=NOW - DAY, ready_at=NOW, seconds=3.0)
    observed = replace(NOTHING, secret=CREDENTIALS)
    assert begun(instance(status=ClawInstanceStatus(provisioning=written)), observed, NOW, NOW) == written


def test_another_try_begins_now_and_with_a_clean_record() -> None:
    failed = ProvisioningStatus(requested_at=NOW - DAY, failed_generation=1, failed_retry="1")
    record = begun(instance(status=ClawInstanceStatus(provisioning=failed)), NOTHING, NOW - DAY, NOW)
    assert record == ProvisioningStatus(requested_at=NOW)


@pytest.mark.parametrize(
    ("record", "first_seen", "due"),
    [
        (ProvisioningStatus(requested_at=NOW), NOW, NOW + 10 * MINUTE),
        (ProvisioningStatus(requested_at=NOW), NOW + 3 * MINUTE, NOW + 10 * MINUTE),
        (ProvisioningStatus(requested_at=NOW), NOW + DAY, NOW + DAY + MINUTE),
        (ProvisioningStatus(requested_at=NOW, ready_at=NOW), NOW, None),
        (ProvisioningStatus(requested_at=NOW, recovered=True), NOW, None),
    ],
    ids=[
        "ten minutes from the wish",
        "... also over a restart of the operator",
        "an operator that comes back too late gives a minute",
        "one that was available is never rolled back",
        "one whose status was lost is never rolled back",
    ],
)
def test_the_deadline(record: ProvisioningStatus, first_seen: object, due: object) -> None:
    assert deadline(instance(), record, first_seen) == due  # type: ignore[arg-type]


def test_a_short_deadline_stays_short() -> None:
    quick = instance(provisioningDeadlineSeconds=10)
    assert deadline(quick, ProvisioningStatus(requested_at=NOW), NOW) == NOW + 10 * SECOND


def conditions(**parts: bool | None) -> ClawInstanceStatus:
    """A status with these conditions; None is Unknown."""
    words = {True: ConditionStatus.TRUE, False: ConditionStatus.FALSE, None: ConditionStatus.UNKNOWN}
    found = {ConditionType(kind): Finding(words[value], Reason.PENDING) for kind, value in parts.items()}
    return with_findings(ClawInstanceStatus(), found, 1, NOW)


@pytest.mark.parametrize(
    ("status", "complete"),
    [
        (ClawInstanceStatus(), False),
        (conditions(Ready=True, DatabaseReady=True, ComputeReady=True, RuntimeReady=True), True),
        (conditions(Ready=True, DatabaseReady=None, ComputeReady=True, RuntimeReady=True), True),
        (conditions(Ready=False, DatabaseReady=True, ComputeReady=True, RuntimeReady=True), True),
        (conditions(Ready=False, DatabaseReady=None, ComputeReady=True, RuntimeReady=True), False),
        (conditions(Ready=False, DatabaseReady=True, ComputeReady=True, RuntimeReady=False), False),
    ],
    ids=[
        "nothing is known",
        "all is well",
        "the assistant answers while a provider is away",
        "suspended before it was ready",
        "suspended, and a part is unknown",
        "the runtime does not answer",
    ],
)
def test_an_instance_is_complete_when_it_serves_or_could(status: ClawInstanceStatus, complete: bool) -> None:
    assert is_complete(status) is complete


FAILED = ProvisioningStatus(requested_at=NOW, failed_generation=1, failed_retry="1")
RETRY = {"annotations": {naming.RETRY_REQUESTED_AT: "1"}}
COMPUTE = {"compute": ComputeStatus(driver="local", id="svc-1")}


@pytest.mark.parametrize(
    ("record", "metadata", "parts", "failed", "again"),
    [
        (None, {}, {}, False, False),
        (ProvisioningStatus(requested_at=NOW), {}, {}, False, False),
        (FAILED, RETRY, {}, True, False),
        (FAILED, {"annotations": {naming.RETRY_REQUESTED_AT: "2"}}, {}, False, True),
        (FAILED, {}, {}, False, True),
        (FAILED, RETRY | {"generation": 2}, {}, False, True),
        (FAILED, {"annotations": {naming.RETRY_REQUESTED_AT: "2"}}, COMPUTE, True, True),
        (FAILED, RETRY | {"generation": 2}, {"database": DatabaseStatus(driver="neon")}, True, True),
    ],
    ids=[
        "never tried",
        "being tried",
        "failed, and nobody asked again",
        "another annotation asks again",
        "... and so does removing it",
        "another spec asks again",
        "what remains of the last try goes first",
        "... whoever asks",
    ],
)
def test_one_that_failed_rests_until_somebody_asks(
    record: ProvisioningStatus | None, metadata: dict[str, object], parts: dict[str, object], failed: bool, again: bool
) -> None:
    status = ClawInstanceStatus(provisioning=record).model_copy(update=parts)
    subject = instance(metadata=metadata, status=status)
    assert (has_failed(subject), asked_again(subject)) == (failed, again)


def test_a_failure_tells_the_cause_and_the_way_out_and_keeps_what_is_to_be_removed() -> None:
    status = with_findings(
        ClawInstanceStatus(url="http://ada.example", **COMPUTE),
        {READY: Finding(ConditionStatus.FALSE, Reason.PROVISIONING, "the image does not exist")},
        1,
        NOW,
    )
    subject = instance(metadata=RETRY, status=status)
    found = failed_status(subject, ProvisioningStatus(requested_at=NOW), NOW)
    ready = condition(found, READY)
    assert ready.reason == Reason.FAILED
    assert ready.message == (
        "Not available within 600 s, so all that was made is removed. the image does not exist. "
        "Change the spec or set annotation claw.dev/retry-requested-at to try again."
    )
    assert found.provisioning is not None
    assert (found.provisioning.failed_generation, found.provisioning.failed_retry) == (1, "1")
    assert found.compute == COMPUTE["compute"]
    assert found.url is None
    for part in (DATABASE_READY, COMPUTE_READY, RUNTIME_READY):
        assert condition(found, part).reason == Reason.ROLLED_BACK
    assert has_failed(instance(metadata=RETRY, status=found))
