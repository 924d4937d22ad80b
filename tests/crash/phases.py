"""The life of an instance, as five wishes."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from claw_dev.installation import PLANS, documents
from tests.crash.cluster import Cluster, Object

PLAN, OTHER_PLAN = "crash-pro", "crash-team"


@dataclass(frozen=True)
class Phase:
    """One wish, and the reason of Ready once it is fulfilled; None: the instance is gone then."""

    name: str
    wish: Callable[[Cluster, str], Awaitable[None]]
    reason: str | None

    def is_fulfilled(self, instance: Object | None) -> bool:
        """Whether the instance says so of itself."""
        if instance is None or self.reason is None:
            return instance is None and self.reason is None
        status = instance.get("status", {})
        conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
        return bool(
            status.get("observedGeneration") == instance["metadata"]["generation"]
            and conditions.get("Ready", {}).get("reason") == self.reason
            and conditions.get("Synced", {}).get("status") == "True"
        )


PHASES = (
    Phase("create", lambda cluster, name: cluster.create(name, PLAN), "Available"),
    Phase("change plan", lambda cluster, name: cluster.change(name, planRef={"name": OTHER_PLAN}), "Available"),
    Phase("suspend", lambda cluster, name: cluster.change(name, state="Suspended"), "Suspended"),
    Phase("resume", lambda cluster, name: cluster.change(name, state="Running"), "Available"),
    Phase("delete", lambda cluster, name: cluster.delete(name), None),
)
"""In their order: an instance that went through one is ready for the next."""


def plans() -> Iterator[Object]:
    """The default plans under other names, made to stop what is suspended: so there is more to strike at."""
    for plan in documents(PLANS):
        name = f"crash-{plan['metadata']['name']}"
        yield {**plan, "metadata": {"name": name}, "spec": {**plan["spec"], "stopWhenSuspended": True}}
