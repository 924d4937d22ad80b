"""From the wish to the first answer, and what happens when that takes too long. Pure.

Before an instance was available for the first time, endless trying helps nobody: after the deadline all that was
made is removed, and the instance rests as Failed until its spec changes or somebody asks for another try. An
instance that ever was available is never rolled back, because its database is a customer's data.
"""

from datetime import datetime, timedelta

from claw_crds import naming
from claw_crds.conditions import find, is_true
from claw_crds.v1alpha1 import (
    ClawInstance,
    ClawInstanceStatus,
    ConditionStatus,
    ConditionType,
    ProvisioningStatus,
    Reason,
)
from claw_operator.decide import Observed
from claw_operator.findings import failed
from claw_operator.status import with_findings

_LAG = timedelta(seconds=20)
_AT_ONCE = timedelta(minutes=1)
"""An instance that is first looked at later than this had no operator, no plan or a pause until then."""


def begun(instance: ClawInstance, observed: Observed, first_seen: datetime, now: datetime) -> ProvisioningStatus:
    """The record of this instance's provisioning, as it is at the beginning of a pass.

    `first_seen` is when this process first tried to make it.
    """
    earlier = instance.status.provisioning
    if earlier is not None and earlier.failed_generation is None:
        return earlier
    if earlier is not None:  # another try
        return ProvisioningStatus(requested_at=now)
    created = instance.metadata.creation_timestamp or first_seen
    late = first_seen - created > _AT_ONCE
    # The first status is written before the Secret. Credentials without a status mean that the status was lost, and
    # with it whether this instance has ever been available. The same holds for an old instance that has a database,
    # or may have one. Then it may hold a customer's data.
    lost = observed.credentials is not None or (late and observed.database is not None)
    return ProvisioningStatus(requested_at=first_seen if late else created, recovered=lost)


def may_not_show_yet(instance: ClawInstance, first_seen: datetime, now: datetime) -> bool:
    """Whether what was made may be too new to be seen by this process, since reads lag behind writes.

    An operator that died right after it had made the database is succeeded within a second or two.
    """
    record = instance.status.provisioning
    was_ready = record is not None and (record.ready_at is not None or record.recovered)
    return not was_ready and now - first_seen < _LAG


def deadline(instance: ClawInstance, provisioning: ProvisioningStatus, first_seen: datetime) -> datetime | None:
    """Until when the instance must have become available; None when it ever was.

    An operator that comes back after the deadline gives it a little time of its own: it was not the instance's fault.
    """
    if provisioning.ready_at is not None or provisioning.recovered:
        return None
    allowed = timedelta(seconds=instance.spec.provisioning_deadline_seconds)
    return max(provisioning.requested_at + allowed, first_seen + min(allowed, _AT_ONCE))


def is_complete(status: ClawInstanceStatus) -> bool:
    """Whether it was made: it serves its customer, or it was suspended before it could, and all parts work or rest."""
    parts = (ConditionType.DATABASE_READY, ConditionType.COMPUTE_READY, ConditionType.RUNTIME_READY)
    served = is_true(status.conditions, ConditionType.READY)
    found = [find(status.conditions, part) for part in parts]
    return served or all(
        c is not None and (c.status == ConditionStatus.TRUE or c.reason == Reason.STOPPED) for c in found
    )


def has_failed(instance: ClawInstance) -> bool:
    """Whether it missed its deadline and is to be removed, or to rest.

    Another try begins only when everything of the last one was seen gone: a database that is half removed would look
    like one that was lost.
    """
    record, status = instance.status.provisioning, instance.status
    if record is None or record.failed_generation is None:
        return False
    remains = status.compute is not None or status.database is not None
    return remains or not asked_again(instance)


def asked_again(instance: ClawInstance) -> bool:
    """Whether somebody has asked for another try since it failed, by the annotation or by another spec."""
    record = instance.status.provisioning
    if record is None or record.failed_generation is None:
        return False
    asked = instance.metadata.annotations.get(naming.RETRY_REQUESTED_AT)
    return record.failed_generation != instance.metadata.generation or record.failed_retry != asked


def failed_status(instance: ClawInstance, provisioning: ProvisioningStatus, now: datetime) -> ClawInstanceStatus:
    """The status of an instance whose deadline has passed. Its message keeps the cause that was seen last."""
    seconds = instance.spec.provisioning_deadline_seconds
    ready = find(instance.status.conditions, ConditionType.READY)
    cause = f" {ready.message.rstrip('.')}." if ready is not None and ready.message else ""
    record = provisioning.model_copy(
        update={
            "failed_generation": instance.metadata.generation,
            "failed_retry": instance.metadata.annotations.get(naming.RETRY_REQUESTED_AT),
        }
    )
    message = (
        f"Not available within {seconds} s, so all that was made is removed.{cause} "
        f"Change the spec or set annotation {naming.RETRY_REQUESTED_AT} to try again."
    )
    bare = ClawInstanceStatus(
        conditions=instance.status.conditions,
        provisioning=record,
        # Kept until the removal is seen to be complete.
        compute=instance.status.compute,
        database=instance.status.database,
    )
    return with_findings(bare, failed(message), instance.metadata.generation, now)
