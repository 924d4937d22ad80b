"""What each condition says, before it has times: (desired, observed, outcome) -> Finding. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from claw_crds import naming
from claw_crds.v1alpha1 import ConditionStatus, ConditionType, ProvisioningStatus, Reason, State
from claw_operator.decide import AT_REST, Observed, Step, StepKind, Unknown, database_vanished
from claw_operator.desired import Desired
from claw_operator.external import (
    ComputeState,
    ExternalError,
    NameTaken,
    ObservedCompute,
    ObservedDatabase,
    RateLimited,
    Rejected,
    Unauthorized,
)

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True)
class Failure:
    """A step that did not succeed, or something that could not be looked at."""

    what: str
    error: ExternalError

    def __str__(self) -> str:
        return f"{self.what}: {self.error}"


@dataclass(frozen=True)
class Outcome:
    """What a pass left behind."""

    pending: Sequence[Step] = ()
    """Steps that are still to be done, because they failed or wait for their turn."""
    failures: Sequence[Failure] = ()


@dataclass(frozen=True)
class Finding:
    """One condition before it has times."""

    status: ConditionStatus
    reason: Reason
    message: str = ""


_STOPPED = Finding(FALSE, Reason.STOPPED, "Stopped while the instance is suspended; its data is kept.")

Findings = Mapping[ConditionType, Finding]


def alive(
    desired: Desired, observed: Observed, outcome: Outcome, provisioning: ProvisioningStatus, now: datetime
) -> Findings:
    """All conditions of an instance that is to live."""
    database, compute = _database(desired, observed, outcome), _compute(desired, observed, outcome)
    runtime = _runtime(desired, observed, outcome, now)
    was_ready = provisioning.ready_at is not None or provisioning.recovered
    return {
        ConditionType.READY: _ready(desired, (database, compute, runtime), was_ready=was_ready),
        ConditionType.SYNCED: _synced(desired, outcome),
        ConditionType.DATABASE_READY: database,
        ConditionType.COMPUTE_READY: compute,
        ConditionType.RUNTIME_READY: runtime,
    }


def deleting(message: str, error: ExternalError | None = None) -> Findings:
    """An instance that is being taken down."""
    synced = Finding(TRUE, Reason.DELETING) if error is None else Finding(FALSE, reason_of(error), str(error))
    return {ConditionType.READY: Finding(FALSE, Reason.DELETING, message), ConditionType.SYNCED: synced}


def failed(message: str) -> Findings:
    """An instance that never became ready in time, and of which nothing is left."""
    gone = Finding(FALSE, Reason.ROLLED_BACK, "Removed, because provisioning failed.")
    return {
        ConditionType.READY: Finding(FALSE, Reason.FAILED, message),
        ConditionType.DATABASE_READY: gone,
        ConditionType.COMPUTE_READY: gone,
        ConditionType.RUNTIME_READY: gone,
    }


def paused() -> Findings:
    """An instance that a person has taken out of the loop."""
    message = f"Reconciliation is paused by annotation {naming.PAUSED}."
    return {ConditionType.SYNCED: Finding(FALSE, Reason.PAUSED, message)}


def invalid(reason: Reason, message: str, *, has_ready: bool) -> Findings:
    """A spec that cannot be carried out. What already runs goes on running, so Ready stays as it was."""
    synced = {ConditionType.SYNCED: Finding(FALSE, reason, message)}
    return synced if has_ready else {ConditionType.READY: Finding(FALSE, Reason.PROVISIONING, message)} | synced


def reason_of(error: ExternalError) -> Reason:
    """The catalogue's word for a failure."""
    match error:
        case NameTaken():
            return Reason.NAME_TAKEN
        case Unauthorized():
            return Reason.UNAUTHORIZED
        case Rejected():
            return Reason.REJECTED
        case RateLimited():
            return Reason.RATE_LIMITED
        case _:
            return Reason.UNREACHABLE


def _ready(desired: Desired, parts: Sequence[Finding], *, was_ready: bool) -> Finding:
    if desired.instance.spec.state == State.SUSPENDED:
        return Finding(FALSE, Reason.SUSPENDED, "The instance is suspended; its data is kept.")
    runtime = parts[-1]
    # What the customer meets is the runtime: while only a provider's API is away, the assistant still answers.
    if runtime.status == TRUE and all(part.status != FALSE for part in parts):
        return Finding(TRUE, Reason.AVAILABLE, "The assistant answers.")
    worst = next((part for part in parts if part.status == FALSE), runtime)
    return Finding(FALSE, Reason.DEGRADED if was_ready else Reason.PROVISIONING, worst.message)


def _synced(desired: Desired, outcome: Outcome) -> Finding:
    if outcome.failures:
        first = outcome.failures[0]
        return Finding(FALSE, reason_of(first.error), str(first))
    if (unreadable := desired.retention.unreadable) is not None:
        message = (
            f"Annotation {naming.KEEP_UNTIL} is no moment: {unreadable}. The instance is not deleted until that is "
            "corrected, for example to 2027-01-31T12:00:00Z, or removed."
        )
        return Finding(FALSE, Reason.UNREADABLE_ANNOTATION, message)
    return Finding(TRUE, Reason.RECONCILE_SUCCESS, desired.refused())


def _database(desired: Desired, observed: Observed, outcome: Outcome) -> Finding:
    if (lost := database_vanished(observed)) is not None:
        return Finding(
            FALSE,
            Reason.VANISHED,
            f"Database {lost} is gone. It is not replaced, because that may lose data: restore it, or set annotation "
            f"{naming.ACCEPT_DATABASE_LOSS}={lost} to start again with an empty one.",
        )
    match observed.database:
        case Unknown() as unknown:
            return _unknown(unknown)
        case ObservedDatabase(suspended=True):
            return _pending(outcome, StepKind.RESUME_DATABASE) or _STOPPED
        case ObservedDatabase(ready=True):
            return Finding(TRUE, Reason.AVAILABLE)
        case ObservedDatabase() as database:
            return Finding(FALSE, Reason.CREATING, database.message or "The database is being created.")
    return _pending(outcome, StepKind.CREATE_DATABASE) or Finding(FALSE, Reason.PENDING, "There is no database yet.")


def _compute(desired: Desired, observed: Observed, outcome: Outcome) -> Finding:
    compute = observed.compute
    if isinstance(compute, Unknown):
        return _unknown(compute)
    if compute is None:
        step = _pending(outcome, StepKind.CREATE_COMPUTE)
        return step or Finding(FALSE, Reason.PENDING, "There is no compute yet.")
    if desired.stopped:
        return _STOPPED if compute.state in AT_REST else Finding(FALSE, Reason.STOPPED, "The compute is being stopped.")
    if compute.state == ComputeState.CRASHED:
        return Finding(FALSE, Reason.CRASHED, compute.message or "The runtime stopped by itself.")
    if compute.state == ComputeState.FAILED:
        message = compute.message or "its provider does not say why."
        return Finding(FALSE, Reason.CRASHED, f"The deployment failed and is tried again at growing gaps: {message}")
    if (step := _pending(outcome, StepKind.DEPLOY)) is not None:
        return step
    match compute.state:
        case ComputeState.RUNNING:
            return _serving(compute)
        case ComputeState.EMPTY | ComputeState.STOPPED:
            return Finding(FALSE, Reason.PENDING, "The deployment waits for the database.")
    return Finding(FALSE, Reason.DEPLOYING, compute.message or "The runtime is being deployed.")


def _serving(compute: ObservedCompute) -> Finding:
    """A compute that runs, with what a person has to know of it all the same."""
    told = []
    if compute.domain is not None and compute.domain.records:
        told.append(f"Domain {compute.domain.name} waits for DNS records: {'; '.join(compute.domain.records)}.")
    if compute.drift is not None:
        told.append(f"Changed by hand again and again, so it is put right at growing gaps: {compute.drift.what}.")
    return Finding(TRUE, Reason.AVAILABLE if compute.drift is None else Reason.DRIFTED, " ".join(told))


def _runtime(desired: Desired, observed: Observed, outcome: Outcome, now: datetime) -> Finding:
    runtime, credentials = observed.runtime, observed.credentials
    if isinstance(observed.secret, Unknown):
        return _unknown(observed.secret)  # without its token, nobody can ask the runtime
    if desired.stopped and runtime is None:
        return _STOPPED
    if runtime is None or credentials is None:
        return Finding(FALSE, Reason.PENDING, "The runtime is not deployed yet.")
    if isinstance(runtime, Unknown):
        # Not answering is itself the observation: for the customer, an unreachable runtime is not ready.
        return Finding(FALSE, Reason.UNAVAILABLE, str(runtime.error))
    if desired.configuration(credentials, now).revision != runtime.configuration_revision:
        step = _pending(outcome, StepKind.CONFIGURE)
        return step or Finding(FALSE, Reason.CONFIGURING, "The runtime is being configured.")
    if not runtime.ready:
        return Finding(FALSE, Reason.UNAVAILABLE, runtime.message or "The runtime is not ready.")
    return Finding(TRUE, Reason.AVAILABLE)


def _pending(outcome: Outcome, kind: StepKind) -> Finding | None:
    step = next((step for step in outcome.pending if step.kind == kind), None)
    return None if step is None else Finding(FALSE, step.reason, step.message)


def _unknown(unknown: Unknown) -> Finding:
    return Finding(UNKNOWN, reason_of(unknown.error), str(unknown.error))
