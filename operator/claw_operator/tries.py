"""When a compute that went wrong is deployed once more. Pure.

What goes wrong once is put right at once, or soon; what goes wrong again and again is tried at growing gaps, so that
nobody's build minutes burn and no provider is called in circles. After a quiet while, earlier troubles do not count.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from claw_operator.external import ComputeState, ObservedCompute


@dataclass(frozen=True)
class Gaps:
    """How long to wait between two tries: `first`, then twice as long each time, up to `limit`."""

    first: timedelta
    limit: timedelta
    forgiven: timedelta
    """A trouble that comes this long after the one before is the first one again."""


CRASHES = Gaps(timedelta(seconds=1), timedelta(seconds=60), forgiven=timedelta(minutes=5))
FAILURES = Gaps(timedelta(minutes=1), timedelta(minutes=30), forgiven=timedelta(hours=2))
REPAIRS = Gaps(timedelta(minutes=1), timedelta(minutes=30), forgiven=timedelta(hours=2))


@dataclass(frozen=True)
class Tries:
    """How often, and when last."""

    count: int = 0
    last_at: datetime | None = None

    def next(self, now: datetime, gaps: Gaps) -> "Tries":
        """After one more."""
        lasted = self.last_at is None or now - self.last_at > gaps.forgiven
        return Tries(count=1 if lasted else self.count + 1, last_at=now)

    def due(self, now: datetime, gaps: Gaps) -> datetime:
        """When the next one may come: at once where there is none to wait for."""
        if self.last_at is None or now - self.last_at > gaps.forgiven:
            return now
        gap: timedelta = gaps.first * 2.0 ** min(self.count - 1, 20)
        return self.last_at + min(gap, gaps.limit)


@dataclass(frozen=True)
class History:
    """What went wrong with one instance's compute, as far as this process saw it."""

    restarts: Tries = Tries()
    """Deployments because the runtime had crashed."""
    failures: Tries = Tries()
    """Deployments that were seen to have failed."""
    repairs: Tries = Tries()
    """Deployments and passwords because of what somebody had changed by hand."""
    failed: bool = False
    """The last deployment is one of the failures."""

    def saw(self, compute: object, now: datetime) -> "History":
        """After a look at the compute."""
        if not isinstance(compute, ObservedCompute) or compute.state != ComputeState.FAILED:
            return self
        return self if self.failed else replace(self, failures=self.failures.next(now, FAILURES), failed=True)

    def deployed(self, before: ObservedCompute, fingerprint: str, now: datetime) -> "History":
        """After a deployment with that fingerprint of a compute that was so before."""
        if before.fingerprint != fingerprint:
            return History(repairs=self.repairs)  # something else now: what it replaces does not count
        if before.state == ComputeState.CRASHED:
            return replace(self, restarts=self.restarts.next(now, CRASHES), failed=False)
        if before.drift is not None and before.drift.needs_deployment:
            return replace(self, repairs=self.repairs.next(now, REPAIRS), failed=False)
        return replace(self, failed=False)

    def repaired(self, now: datetime) -> "History":
        """After the database's password was replaced because the database did not accept it."""
        return replace(self, repairs=self.repairs.next(now, REPAIRS))
