"""When to look at an instance again. Pure.

What is under way is polled: soon at first, then ever more seldom, at a tenth of the time that it has already taken.
What rests is looked at once a minute, with jitter, so that a restart of the operator does not make the whole fleet
due at the same moment for ever. What failed waits for the queue's backoff. What only a person can mend waits for the
person.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from claw_crds.configuration import RuntimeReport
from claw_operator.decide import Observed, Unknown
from claw_operator.external import (
    ComputeState,
    ExternalError,
    ObservedCompute,
    ObservedDatabase,
    RateLimited,
    Transient,
)
from claw_operator.findings import Failure
from claw_operator.workqueue import Result


@dataclass(frozen=True)
class Pacing:
    """How often."""

    resync_seconds: float
    random: Callable[[], float]
    longest_poll_seconds: float = 10.0

    def settled(self) -> float:
        """Seconds until an instance that rests is looked at again."""
        return self.resync_seconds * (0.9 + 0.2 * self.random())

    def polling(self, since: datetime, now: datetime, shortest: float) -> float:
        """Seconds until something that is under way is looked at again."""
        return min(max(shortest, (now - since).total_seconds() / 10), self.longest_poll_seconds)

    def after_failures(self, failures: Sequence[Failure]) -> Result:
        """The next pass after one that could not do all it wanted."""
        results = [retry(failure.error) for failure in failures if isinstance(failure.error, Transient)]
        waits = [result.requeue_after or 0.0 for result in results]
        return Result(requeue_after=max(waits), failed=True) if waits else Result(requeue_after=self.settled())


def retry(error: ExternalError) -> Result:
    """The next try after that error: with the queue's backoff, and never before the provider allows it."""
    return Result(requeue_after=error.retry_after if isinstance(error, RateLimited) else 0.0, failed=True)


def under_way(observed: Observed) -> bool:
    """Whether something is changing by itself, so that it is worth polling for."""
    if isinstance(observed.database, ObservedDatabase) and not observed.database.ready:
        return True
    if not isinstance(observed.compute, ObservedCompute):
        return False
    if observed.compute.state == ComputeState.DEPLOYING:
        return True
    if observed.compute.state != ComputeState.RUNNING:
        return False
    return isinstance(observed.runtime, Unknown) or (
        isinstance(observed.runtime, RuntimeReport) and not observed.runtime.ready
    )
