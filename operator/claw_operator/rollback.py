"""The end of a provisioning that missed its deadline: everything made is removed, and the instance rests.

It rests as Failed until its spec changes or somebody asks for another try. provisioning.py says when it comes to this.
"""

from typing import Any

from claw_crds.v1alpha1 import ClawInstance, DeletionPolicy
from claw_operator import provisioning
from claw_operator.drivers import InstanceDrivers
from claw_operator.external import ExternalError, Owner
from claw_operator.kube import Kube
from claw_operator.memory import Memories
from claw_operator.metrics import Metrics
from claw_operator.pace import retry
from claw_operator.report import Reporter
from claw_operator.status import earlier
from claw_operator.teardown import teardown
from claw_operator.workqueue import Result

Body = dict[str, Any]


class Rollback:
    """Removes what was made for instances that never became available."""

    def __init__(self, *, kube: Kube, metrics: Metrics, reporter: Reporter, memories: Memories) -> None:
        self._kube = kube
        self._metrics = metrics
        self._reporter = reporter
        self._memories = memories

    async def roll_back(self, body: Body, owner: Owner, drivers: InstanceDrivers) -> Result:
        """One pass. The status says already that it failed; it forgets compute and database once they are gone."""
        memory = self._memories.of(owner.uid)
        try:
            remains = await teardown(owner, DeletionPolicy.DELETE, drivers, self._kube, self._metrics)
        except ExternalError as error:
            memory.trouble(f"rollback: {error}")
            return retry(error)
        memory.trouble("")
        if remains.what:
            return Result(requeue_after=remains.poll_seconds)
        nothing = earlier(body).model_copy(update={"compute": None, "database": None})
        body = await self._reporter.write(body, nothing)
        self._memories.forget(owner.uid)
        return Result(requeue_after=0.0) if provisioning.asked_again(ClawInstance.parse(body)) else Result()
