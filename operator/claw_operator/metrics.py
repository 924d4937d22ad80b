"""What the operator counts, on a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from claw_crds.conditions import find
from claw_crds.v1alpha1 import ClawInstanceStatus, ConditionStatus, ConditionType

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 120, 300, 600)


class Metrics:
    """The metrics of one operator process; their names are published in docs/architecture.md."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.passes = Counter("claw_passes_total", "Passes of the loop, by result.", ["result"], registry=self.registry)
        self.pass_seconds = Histogram(
            "claw_pass_seconds", "Duration of a pass.", buckets=_SECONDS, registry=self.registry
        )
        self.queue_depth = Gauge("claw_queue_depth", "Instances that wait for a pass.", registry=self.registry)
        self.instances = Gauge(
            "claw_instances", "Instances, by the reason of Ready.", ["reason"], registry=self.registry
        )
        self._reasons: dict[str, str] = {}
        self.driver_calls = Counter(
            "claw_driver_calls_total", "Calls of drivers.", ["driver", "call", "outcome"], registry=self.registry
        )
        self.provider_calls = Counter(
            "claw_provider_calls_total", "Requests to providers.", ["provider", "outcome"], registry=self.registry
        )
        self.orphans = Gauge(
            "claw_orphans", "Things that bear our mark and have no instance.", ["driver"], registry=self.registry
        )
        self.orphans_deleted = Counter(
            "claw_orphans_deleted_total", "Orphans that were deleted.", ["driver"], registry=self.registry
        )
        self.archived = Gauge(
            "claw_archived", "Things kept after their instance was deleted.", ["driver"], registry=self.registry
        )
        self.step_seconds = Histogram(
            "claw_provisioning_step_seconds",
            "Duration of one step of provisioning.",
            ["step"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.provisioning_seconds = Histogram(
            "claw_provisioning_seconds",
            "From the wish to the first answer.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.provisioning_failures = Counter(
            "claw_provisioning_failures_total", "Instances that were rolled back.", registry=self.registry
        )

    def saw(self, uid: str, status: ClawInstanceStatus) -> None:
        """Count the instance under the reason that its status now has."""
        ready = find(status.conditions, ConditionType.READY)
        reason = ready.reason.value if ready is not None else ConditionStatus.UNKNOWN.value
        self.forget(uid)
        self._reasons[uid] = reason
        self.instances.labels(reason).inc()

    def forget(self, uid: str) -> None:
        """The instance is gone."""
        before = self._reasons.pop(uid, None)
        if before is not None:
            self.instances.labels(before).dec()

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
