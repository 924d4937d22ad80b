"""When to look at an instance again, and how freshly. Pure.

What is under way is polled: soon at first, then ever more seldom. A provider is asked at a tenth of the time that it
has already taken; a runtime that is starting costs nobody anything to ask, so it is asked more often. What rests is
looked at once a minute, with jitter, so that a restart of the operator does not make the whole fleet due at the same
moment for ever, and from a reading of the whole fleet that is shared. What failed waits for the queue's backoff. What
only a person can mend waits for the person.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from claw_crds.conditions import find
from claw_crds.configuration import RuntimeReport
from claw_crds.v1alpha1 import ClawInstanceStatus, ConditionStatus, ConditionType, Reason
from claw_operator.decide import AT_REST, Observed, Step, StepKind, Unknown, database_vanished
from claw_operator.external import (
    ComputeState,
    ExternalError,
    ObservedCompute,
    ObservedDatabase,
    RateLimited,
    Transient,
)
from claw_operator.findings import Failure
from claw_operator.processes import ANSWERING
from claw_operator.workqueue import Result

_SETTLED = (ComputeState.RUNNING, *AT_REST)
_INSIDE = frozenset({StepKind.ROTATE_KEY, StepKind.RETIRE_KEY, StepKind.CONFIGURE})
"""Steps that do not depend on what a provider was last seen to have."""


@dataclass(frozen=True)
class Ages:
    """How old a reading of each part may be, in seconds."""

    database: float = 0.0
    compute: float = 0.0


FRESH = Ages()


@dataclass(frozen=True)
class UnderWay:
    """What is changing by itself, so that it is worth polling for."""

    database: bool = False
    compute: bool = False
    """It is being stopped, its deployment is not known yet, or something else that only its provider tells."""
    runtime: bool = False

    def __bool__(self) -> bool:
        return self.database or self.compute or self.runtime


@dataclass(frozen=True)
class Pacing:
    """How often."""

    resync_seconds: float
    random: Callable[[], float]
    longest_poll_seconds: float = 10.0
    probe_seconds: float = 0.5
    """How soon a runtime that is starting is asked again, while it has not taken long."""

    def settled(self) -> float:
        """Seconds until an instance that rests is looked at again."""
        return self.resync_seconds * (0.9 + 0.2 * self.random())

    def ages(self, status: ClawInstanceStatus, *, asked: bool) -> Ages:
        """How old a reading may be: a part that rests is seen with the fleet, unless somebody has asked for a look."""
        if asked:
            return FRESH
        compute = _rests(status, ConditionType.COMPUTE_READY) and _rests(status, ConditionType.RUNTIME_READY)
        return Ages(
            database=self.resync_seconds if _rests(status, ConditionType.DATABASE_READY) else 0.0,
            compute=self.resync_seconds if compute else 0.0,
        )

    def polling(self, since: datetime, now: datetime, shortest: float) -> float:
        """Seconds until a provider's thing that is under way is looked at again."""
        return min(max(shortest, (now - since).total_seconds() / 10), self.longest_poll_seconds)

    def probing(self, since: datetime, now: datetime, shortest: float) -> float:
        """Seconds until a runtime that is starting is asked again; never later than its compute."""
        shortest = min(self.probe_seconds, shortest)
        return min(max(shortest, (now - since).total_seconds() / 60), self.longest_poll_seconds)

    def waits(self, going: UnderWay, since: datetime, now: datetime, database: float, compute: float) -> list[float]:
        """Seconds until each part that is under way is looked at again, with the drivers' `poll_seconds`."""
        waits = []
        if going.database:
            waits.append(self.polling(since, now, database))
        if going.compute:
            waits.append(self.polling(since, now, compute))
        if going.runtime:
            waits.append(self.probing(since, now, compute))
        return waits

    def after_failures(self, failures: Sequence[Failure]) -> Result:
        """The next pass after one that could not do all it wanted."""
        results = [retry(failure.error) for failure in failures if isinstance(failure.error, Transient)]
        waits = [result.requeue_after or 0.0 for result in results]
        return Result(requeue_after=max(waits), failed=True) if waits else Result(requeue_after=self.settled())


def retry(error: ExternalError) -> Result:
    """The next try after that error: with the queue's backoff, and never before the provider allows it."""
    return Result(requeue_after=error.retry_after if isinstance(error, RateLimited) else 0.0, failed=True)


def needs_a_fresh_look(ages: Ages, observed: Observed, steps: Sequence[Step]) -> bool:
    """Whether an older reading must be neither acted on nor reported.

    It may be from before our own last write, or from before somebody else's. So it is good for finding that there is
    nothing to do, and for nothing else.
    """
    if ages == FRESH:
        return False
    if ages.database and (database_vanished(observed) is not None or under_way(observed).database):
        return True
    if ages.compute and isinstance(observed.compute, ObservedCompute) and observed.compute.state not in _SETTLED:
        return True
    return any(step.kind not in _INSIDE for step in steps)


def under_way(observed: Observed, pending: Sequence[Step] = ()) -> UnderWay:
    """What changes by itself. `pending` are steps that were possible and are not done: they may need a moment."""
    database, compute, runtime = observed.database, observed.compute, observed.runtime
    silent = isinstance(runtime, Unknown) or (isinstance(runtime, RuntimeReport) and not runtime.ready)
    answering = isinstance(compute, ObservedCompute) and compute.state in ANSWERING
    stopping = any(step.kind == StepKind.SUSPEND_COMPUTE for step in pending)
    # The answer to `deploy` was lost, and the runtime was quicker than the platform to say that it is there.
    unnamed = answering and isinstance(compute, ObservedCompute) and compute.deployment_id is None
    return UnderWay(
        database=isinstance(database, ObservedDatabase) and not database.ready and not database.suspended,
        compute=bool(pending) or unnamed,
        runtime=answering and silent and not stopping,
    )


def _rests(status: ClawInstanceStatus, part: ConditionType) -> bool:
    found = find(status.conditions, part)
    return found is not None and (found.status == ConditionStatus.TRUE or found.reason == Reason.STOPPED)
