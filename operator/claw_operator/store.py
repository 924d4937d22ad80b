"""The instances and plans as last seen: the operator's view of the API server.

A write returns the object as it now is; the watch delivers the same object some milliseconds later. In between the
watched one is stale, and a decision made on it would be made twice. So whatever has the higher resourceVersion wins,
wherever it came from.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from claw_crds import naming
from claw_crds.v1alpha1 import ClawPlan

Body = dict[str, Any]


class Store:
    """Objects by UID, plans by name."""

    def __init__(self) -> None:
        self._instances: dict[str, Body] = {}
        self._plans: dict[str, ClawPlan] = {}

    def get(self, uid: str) -> Body | None:
        """The instance's newest known body."""
        return self._instances.get(uid)

    def saw(self, body: Body) -> bool:
        """Take in what the watch delivered. True when a person or another program asked for something new.

        Our own status writes come back through the watch, too; they ask for nothing.
        """
        uid = body["metadata"]["uid"]
        known = self._instances.get(uid)
        if known is not None and _version(known) >= _version(body):
            return False
        self._instances[uid] = body
        return known is None or _wish(known) != _wish(body)

    def wrote(self, body: Body) -> None:
        """Take in what a write returned; but what the watch has meanwhile seen deleted stays forgotten."""
        uid = body["metadata"]["uid"]
        known = self._instances.get(uid)
        if known is not None and _version(body) > _version(known):
            self._instances[uid] = body

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._instances.pop(uid, None)

    def plan(self, name: str) -> ClawPlan | None:
        """The plan, if it was seen."""
        return self._plans.get(name)

    def saw_plan(self, body: Body) -> bool:
        """Take in a plan. True when its spec changed. One that does not parse is as good as absent."""
        name = body["metadata"]["name"]
        known = self._plans.get(name)
        try:
            plan = ClawPlan.model_validate(body)
        except ValidationError:
            self._plans.pop(name, None)
            return known is not None
        self._plans[name] = plan
        return known is None or known.spec != plan.spec

    def forget_plan(self, name: str) -> None:
        """The plan was deleted."""
        self._plans.pop(name, None)

    def instances_of_plan(self, name: str) -> Iterator[str]:
        """UIDs of the instances that bought the plan."""
        for uid, body in self._instances.items():
            if body.get("spec", {}).get("planRef", {}).get("name") == name:
                yield uid

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._instances))

    def __len__(self) -> int:
        return len(self._instances)


def _version(body: Body) -> int:
    # Comparable as integers by Kubernetes' own promise since 1.35, and in fact on every etcd-backed server before.
    return int(body["metadata"]["resourceVersion"])


def _wish(body: Body) -> tuple[object, ...]:
    meta = body["metadata"]
    annotations = meta.get("annotations", {})
    return (
        meta.get("generation"),
        meta.get("deletionTimestamp"),
        naming.FINALIZER in meta.get("finalizers", []),
        *(annotations.get(name) for name in naming.STEERING),
    )
