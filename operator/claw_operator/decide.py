"""What to do next for one instance: (desired, observed, now) -> steps. Pure.

An ordered chain of small checks. Each looks at what was observed and answers with the one step that it misses, or
with nothing. Steps that come out of the same round touch different things, so they run side by side: the database
and the empty compute are made together, the deployment follows once the database's URL is known, and the runtime is
configured once it answers. Every step says why, in words that may go into a condition.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from claw_crds.configuration import RuntimeReport
from claw_crds.v1alpha1 import Reason
from claw_operator.credentials import Credentials
from claw_operator.desired import Desired
from claw_operator.external import ComputeState, ExternalError, ObservedCompute, ObservedDatabase

RESTART_BACKOFF = timedelta(seconds=1)
RESTART_BACKOFF_LIMIT = timedelta(seconds=60)
LASTING = timedelta(minutes=5)
"""A compute that ran this long before it crashed is restarted at once: its earlier crashes do not count."""


class StepKind(StrEnum):
    """Everything that the operator ever does for an instance that is to live."""

    CREATE_DATABASE = "CreateDatabase"
    CREATE_COMPUTE = "CreateCompute"
    ISSUE_CREDENTIALS = "IssueCredentials"
    ROTATE_KEY = "RotateKey"
    RETIRE_KEY = "RetireKey"
    DEPLOY = "Deploy"
    RESIZE = "Resize"
    CONFIGURE = "Configure"


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
class Restarts:
    """How often the compute was deployed again because it had crashed, and when last."""

    count: int = 0
    last_at: datetime | None = None

    def next(self, now: datetime) -> "Restarts":
        """After one more restart. Earlier ones do not count when the compute has lasted since."""
        lasted = self.last_at is None or now - self.last_at > LASTING
        return Restarts(count=1 if lasted else self.count + 1, last_at=now)


@dataclass(frozen=True)
class Observed:
    """Everything that is known of the outside at one moment. None means: certainly not there."""

    database: ObservedDatabase | Unknown | None
    compute: ObservedCompute | Unknown | None
    runtime: RuntimeReport | Unknown | None
    secret: Credentials | Unknown | None
    restarts: Restarts = Restarts()
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
    return Decision(steps=steps, look_again_at=_look_again_at(observed, now))


def database_vanished(observed: Observed) -> str | None:
    """The id of a database that existed and is now certainly gone, unless a person accepted its loss."""
    if observed.database is not None:
        return None
    # The status is only a cache; the Secret remembers, too.
    lost = observed.known_database_id or (observed.credentials.database_id if observed.credentials else None)
    return None if not lost or lost == observed.accepted_loss else lost


def restart_due(restarts: Restarts, now: datetime) -> datetime:
    """When a crashed compute may be deployed again: at once the first time, then with growing gaps."""
    if restarts.last_at is None or now - restarts.last_at > LASTING:
        return now
    gap: timedelta = RESTART_BACKOFF * 2.0 ** min(restarts.count - 1, 10)
    return restarts.last_at + min(gap, RESTART_BACKOFF_LIMIT)


def _database_exists(_: Desired, observed: Observed, __: datetime) -> Step | None:
    if observed.database is not None or database_vanished(observed):
        return None
    return Step(StepKind.CREATE_DATABASE, Reason.CREATING, "The database is being created.")


def _compute_exists(_: Desired, observed: Observed, __: datetime) -> Step | None:
    if observed.compute is not None:
        return None
    return Step(StepKind.CREATE_COMPUTE, Reason.CREATING, "The compute is being created.")


def _credentials_are_current(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    credentials, database = observed.credentials, observed.database
    if isinstance(observed.secret, Unknown):
        return None  # a new password would lock out the runtime that has the present one
    if isinstance(database, ObservedDatabase) and database.ready and not _opens(credentials, database):
        return Step(StepKind.ISSUE_CREDENTIALS, Reason.CREATING, "Credentials are being issued.")
    if credentials is None:
        return None
    if credentials.revision < desired.instance.spec.credentials_revision:
        return Step(StepKind.ROTATE_KEY, Reason.UPDATING, "The API key is being rotated.")
    if credentials.previous_expires_at is not None and credentials.previous_expires_at <= now:
        return Step(StepKind.RETIRE_KEY, Reason.UPDATING, "The previous API key has expired.")
    return None


def _runtime_is_deployed(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    compute = observed.compute
    if not isinstance(compute, ObservedCompute) or observed.credentials is None:
        return None
    if isinstance(observed.database, ObservedDatabase) and not _opens(observed.credentials, observed.database):
        return None  # new credentials are being issued; deploying now would mean deploying twice
    wanted = desired.compute(observed.credentials).fingerprint
    if compute.state == ComputeState.EMPTY:
        return Step(StepKind.DEPLOY, Reason.DEPLOYING, "The runtime is being deployed.")
    if compute.fingerprint != wanted:
        return Step(StepKind.DEPLOY, Reason.UPDATING, "The runtime is being deployed with new settings.")
    if compute.state == ComputeState.CRASHED and restart_due(observed.restarts, now) <= now:
        return Step(StepKind.DEPLOY, Reason.CRASHED, "The runtime stopped by itself and is being started again.")
    return None


def _compute_has_its_size(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    compute = observed.compute
    if not isinstance(compute, ObservedCompute) or compute.size is None or compute.state == ComputeState.EMPTY:
        return None
    if compute.size == desired.compute(observed.credentials).size or _runtime_is_deployed(desired, observed, now):
        return None  # a deployment brings the size along
    return Step(StepKind.RESIZE, Reason.UPDATING, "The compute is being resized.")


def _runtime_is_configured(desired: Desired, observed: Observed, now: datetime) -> Step | None:
    if not isinstance(observed.runtime, RuntimeReport) or observed.credentials is None:
        return None
    wanted = desired.configuration(observed.credentials, now).revision
    if observed.runtime.configuration_revision == wanted:
        return None
    return Step(StepKind.CONFIGURE, Reason.CONFIGURING, "The runtime is being configured.")


CHECKS: tuple[Check, ...] = (
    _database_exists,
    _compute_exists,
    _credentials_are_current,  # needs the database; one step at a time, since all of them write one Secret
    _runtime_is_deployed,  # needs the compute and the credentials
    _compute_has_its_size,
    _runtime_is_configured,  # needs the runtime's answer
)


def _opens(credentials: Credentials | None, database: ObservedDatabase) -> bool:
    return credentials is not None and credentials.database_id == database.id


def _look_again_at(observed: Observed, now: datetime) -> datetime | None:
    moments = []
    if observed.credentials is not None and observed.credentials.previous_expires_at is not None:
        moments.append(observed.credentials.previous_expires_at)
    if isinstance(observed.compute, ObservedCompute) and observed.compute.state == ComputeState.CRASHED:
        moments.append(restart_due(observed.restarts, now))
    return min((moment for moment in moments if moment > now), default=None)
