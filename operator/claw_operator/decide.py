"""What to do next for one instance: (desired, observed, now) -> steps. Pure.

An ordered chain of small checks. Each looks at what was observed and answers with the one step that it misses, or
with nothing. Steps that come out of the same round touch different things, so they run side by side: the database
and the empty compute are made together, the deployment follows once the database's URL is known, and the runtime is
configured once it answers. Every step says why, in words that may go into a condition.

A suspended instance whose plan says so is stopped: the compute first, once its runtime knows, then the database. That
is opened again when a day is set for its deletion, so that its customer can still fetch the data.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from claw_crds.configuration import RuntimeReport
from claw_crds.v1alpha1 import Reason
from claw_operator.credentials import Credentials
from claw_operator.desired import Desired
from claw_operator.external import ComputeState, ExternalError, ObservedCompute, ObservedDatabase
from claw_operator.tries import CRASHES, FAILURES, REPAIRS, History

AT_REST = (ComputeState.EMPTY, ComputeState.STOPPED)
"""Nothing runs in such a compute, and nothing is about to."""


class StepKind(StrEnum):
    """Everything that the operator ever does for an instance that is to live."""

    CREATE_DATABASE = "CreateDatabase"
    CREATE_COMPUTE = "CreateCompute"
    RESUME_DATABASE = "ResumeDatabase"
    ADJUST_DATABASE = "AdjustDatabase"
    ISSUE_CREDENTIALS = "IssueCredentials"
    ROTATE_KEY = "RotateKey"
    RETIRE_KEY = "RetireKey"
    DEPLOY = "Deploy"
    ADJUST = "Adjust"
    CONFIGURE = "Configure"
    SUSPEND_COMPUTE = "SuspendCompute"
    SUSPEND_DATABASE = "SuspendDatabase"

    @property
    def touches(self) -> frozenset[str]:
        """The things that it changes. Steps that share one never run at the same time."""
        return _TOUCHES[self]


_DATABASE, _COMPUTE, _SECRET, _RUNTIME = "database", "compute", "secret", "runtime"
_TOUCHES = {
    StepKind.CREATE_DATABASE: frozenset({_DATABASE}),
    StepKind.CREATE_COMPUTE: frozenset({_COMPUTE}),
    StepKind.RESUME_DATABASE: frozenset({_DATABASE}),
    StepKind.ADJUST_DATABASE: frozenset({_DATABASE}),
    StepKind.ISSUE_CREDENTIALS: frozenset({_DATABASE, _SECRET}),
    StepKind.ROTATE_KEY: frozenset({_SECRET}),
    StepKind.RETIRE_KEY: frozenset({_SECRET}),
    StepKind.DEPLOY: frozenset({_COMPUTE}),
    StepKind.ADJUST: frozenset({_COMPUTE}),
    StepKind.CONFIGURE: frozenset({_RUNTIME}),
    StepKind.SUSPEND_COMPUTE: frozenset({_COMPUTE}),
    StepKind.SUSPEND_DATABASE: frozenset({_DATABASE}),
}


@dataclass(frozen=True)
class Step:
    """One mutation, with its reason."""

    kind: StepKind
    reason: Reason
    message: str


@dataclass(frozen=True)
class Unknown:
    """It could not be looked at. Never the same as gone."""

    error: ExternalError


@dataclass(frozen=True)
class Observed:
    """Everything that is known of the outside at one moment. None means: certainly not there."""

    database: ObservedDatabase | Unknown | None
    compute: ObservedCompute | Unknown | None
    runtime: RuntimeReport | Unknown | None
    secret: Credentials | Unknown | None
    secret_version: str | None = None
    """The Secret's resourceVersion; None while there is no Secret, whatever is in it."""
    history: History = field(default_factory=History)
    known_database_id: str | None = None
    """The id that the status remembers. A database that once was and now is gone is not made again silently."""
    accepted_loss: str | None = None
    """The id of the database whose loss a person accepted by annotation."""

    @property
    def credentials(self) -> Credentials | None:
        """What the Secret holds, where it could be read."""
        return self.secret if isinstance(self.secret, Credentials) else None


@dataclass(frozen=True)
class Decision:
    """What to do now, and when to look again at the latest."""

    steps: tuple[Step, ...] = ()
    look_again_at: datetime | None = None


Check = Callable[[Desired, Observed, datetime], Step | None]


def decide(desired: Desired, observed: Observed, now: datetime) -> Decision:
    """The steps that are possible now. None of them waits for another one of the same decision."""
    steps = tuple(step for check in CHECKS if (step := check(desired, observed, now)) is not None)
    return Decision(steps=steps, look_again_at=_look_again_at(desired, observed, now))


def database_vanished(observed: Observed) -> str | None:
    """The id of a database that existed and is now certainly gone, unless a person accepted its loss."""
    if observed.database is not None:
        return None
    # The status is only a cache; the Secret remembers, too.
    lost = observed.known_database_id or (observed.credentials.database_id if observed.credentials else None)
    return None if not lost or lost == observed.accepted_loss else lost


def _database_exists(_: Desired, observed: Observed, __: datetime) -> Step | None:
    if observed.database is not None or database_vanished(observed):
        return None
    return Step(StepKind.CREATE_DATABASE, Reason.CREATING, "The database is being created.")


def _compute_exists(_: Desired, observed: Observed, __: datetime) -> Step | None:
    if observed.compute is not None:
        return None
    return Step(StepKind.CREATE_COMPUTE, Reason.CREATING, "The compute is being created.")


def _database_is_open(desired: Desired, observed: Observed, _: datetime) -> Step | None:
    if desired.closed or not _is_closed(observed):
        return None
    return Step(StepKind.RESUME_DATABASE, Reason.UPDATING, "The database is being opened again.")


def _credentials_are_current(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    credentials = observed.credentials
    if isinstance(observed.secret, Unknown):
        return None  # a new password would lock out the runtime that has the present one
    if (step := _password_is_accepted(desired, observed, now)) is not None:
        return step
    if credentials is None:
        return None
    if credentials.revision < desired.instance.spec.credentials_revision:
        return Step(StepKind.ROTATE_KEY, Reason.UPDATING, "The API key is being rotated.")
    if credentials.previous_expires_at is not None and credentials.previous_expires_at <= now:
        return Step(StepKind.RETIRE_KEY, Reason.UPDATING, "The previous API key has expired.")
    return None


def _password_is_accepted(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    database = observed.database
    if not isinstance(database, ObservedDatabase) or not database.ready or database.suspended:
        return None
    if not _opens(observed.credentials, database):
        return Step(StepKind.ISSUE_CREDENTIALS, Reason.CREATING, "Credentials are being issued.")
    if _is_refused(desired, observed) and observed.history.repairs.due(now, REPAIRS) <= now:
        message = "The database does not accept its password any more; another one is being issued."
        return Step(StepKind.ISSUE_CREDENTIALS, Reason.DRIFTED, message)
    return None


def _database_is_adjusted(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    database = observed.database
    if desired.stopped or not isinstance(database, ObservedDatabase) or not database.ready or database.suspended:
        return None
    if database.is_sized_for(desired.database()):
        return None
    if _password_is_accepted(desired, observed, now):
        return None  # one change of the database at a time, and nobody waits for its size
    return Step(StepKind.ADJUST_DATABASE, Reason.UPDATING, "The database is being resized.")


def _runtime_is_deployed(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    compute, history = observed.compute, observed.history
    if desired.stopped or not isinstance(compute, ObservedCompute) or observed.credentials is None:
        return None
    if _is_closed(observed):
        return None  # it could do nothing without its database
    if isinstance(observed.database, ObservedDatabase) and not _opens(observed.credentials, observed.database):
        return None  # new credentials are being issued; deploying now would mean deploying twice
    if compute.state == ComputeState.EMPTY:
        return Step(StepKind.DEPLOY, Reason.DEPLOYING, "The runtime is being deployed.")
    if compute.state == ComputeState.STOPPED:
        return Step(StepKind.DEPLOY, Reason.DEPLOYING, "The runtime is being started again.")
    wanted = desired.compute(observed.credentials).fingerprint
    failed = compute.state == ComputeState.FAILED
    if compute.fingerprint != wanted and not (failed and compute.fingerprint is None):
        return Step(StepKind.DEPLOY, Reason.UPDATING, "The runtime is being deployed with new settings.")
    if failed and history.failures.due(now, FAILURES) <= now:
        return Step(StepKind.DEPLOY, Reason.DEPLOYING, "The deployment failed and is being tried again.")
    if compute.state == ComputeState.CRASHED and history.restarts.due(now, CRASHES) <= now:
        return Step(StepKind.DEPLOY, Reason.CRASHED, "The runtime stopped by itself and is being started again.")
    if _is_drifted(compute) and history.repairs.due(now, REPAIRS) <= now:
        return Step(StepKind.DEPLOY, Reason.DRIFTED, _put_right(compute))
    return None


def _compute_is_adjusted(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    compute = observed.compute
    if desired.stopped or not isinstance(compute, ObservedCompute) or compute.state in AT_REST:
        return None
    if _runtime_is_deployed(desired, observed, now):
        return None  # a deployment brings the size along
    wanted = desired.compute(observed.credentials)
    if compute.drift is not None and not compute.drift.needs_deployment:
        return Step(StepKind.ADJUST, Reason.DRIFTED, _put_right(compute))
    if compute.size is not None and compute.size != wanted.size:
        return Step(StepKind.ADJUST, Reason.UPDATING, "The compute is being resized.")
    if (compute.domain.name if compute.domain else None) != wanted.domain:
        return Step(StepKind.ADJUST, Reason.UPDATING, "The compute's domain is being changed.")
    return None


def _runtime_is_configured(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    if not isinstance(observed.runtime, RuntimeReport) or observed.credentials is None:
        return None
    if not isinstance(observed.compute, ObservedCompute):
        return None  # nobody knows whether it is still the one that is to be configured
    wanted = desired.configuration(observed.credentials, now).revision
    if observed.runtime.configuration_revision == wanted:
        return None
    return Step(StepKind.CONFIGURE, Reason.CONFIGURING, "The runtime is being configured.")


def _compute_is_stopped(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    compute = observed.compute
    if not desired.stopped or not isinstance(compute, ObservedCompute) or compute.state in AT_REST:
        return None
    if _runtime_is_configured(desired, observed, now):
        return None  # it is told first that it is suspended, and remembers that when it starts again
    return Step(StepKind.SUSPEND_COMPUTE, Reason.STOPPED, "The compute is being stopped.")


def _database_is_closed(desired: Desired, observed: Observed, _: datetime) -> Step | None:
    compute, database = observed.compute, observed.database
    if not desired.closed or not isinstance(database, ObservedDatabase) or not database.ready or database.suspended:
        return None
    if not isinstance(compute, ObservedCompute) or compute.state not in AT_REST:
        return None
    if not _opens(observed.credentials, database):
        return None  # its credentials are issued while it is open
    return Step(StepKind.SUSPEND_DATABASE, Reason.STOPPED, "The database is being closed.")


CHECKS: tuple[Check, ...] = (
    _database_exists,
    _compute_exists,
    _database_is_open,
    _credentials_are_current,  # needs the database; one step at a time, since all of them write one Secret
    _database_is_adjusted,
    _runtime_is_deployed,  # needs the compute, the credentials and an open database
    _compute_is_adjusted,
    _runtime_is_configured,  # needs the runtime's answer
    _compute_is_stopped,  # needs a runtime that knows, where there is one
    _database_is_closed,  # needs a compute that has stopped
)


def _opens(credentials: Credentials | None, database: ObservedDatabase) -> bool:
    return credentials is not None and credentials.database_id == database.id


def _is_closed(observed: Observed) -> bool:
    return isinstance(observed.database, ObservedDatabase) and observed.database.suspended


def _is_refused(desired: Desired, observed: Observed) -> bool:
    """Whether the runtime has the Secret's password, and the database does not accept it."""
    runtime, credentials = observed.runtime, observed.credentials
    if credentials is None or not isinstance(runtime, RuntimeReport) or not runtime.database_refuses:
        return False
    return runtime.fingerprint == desired.compute(credentials).fingerprint


def _is_drifted(compute: ObservedCompute) -> bool:
    return compute.drift is not None and compute.drift.needs_deployment


def _put_right(compute: ObservedCompute) -> str:
    return f"Changed by hand and being put right: {compute.drift.what if compute.drift else 'nothing'}."


def _look_again_at(desired: Desired, observed: Observed, now: datetime) -> datetime | None:
    moments, history = [], observed.history
    if observed.credentials is not None and observed.credentials.previous_expires_at is not None:
        moments.append(observed.credentials.previous_expires_at)
    if isinstance(observed.compute, ObservedCompute) and not desired.stopped:
        if observed.compute.state == ComputeState.CRASHED:
            moments.append(history.restarts.due(now, CRASHES))
        if observed.compute.state == ComputeState.FAILED:
            moments.append(history.failures.due(now, FAILURES))
        if _is_drifted(observed.compute) or _is_refused(desired, observed):
            moments.append(history.repairs.due(now, REPAIRS))
    return min((moment for moment in moments if moment > now), default=None)
