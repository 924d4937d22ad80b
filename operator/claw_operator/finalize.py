"""Deletion as one more wished state: take everything down, see it gone, then let the object go.

Works without a status, without a plan and without a valid spec: whoever wrote the object may have been wrong about
everything, and it must still be possible to be rid of it.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from claw_crds import naming
from claw_crds.conditions import find
from claw_crds.v1alpha1 import ConditionType, DeletionPolicy, ObjectMeta, Reason
from claw_operator import findings
from claw_operator.desired import Defaults
from claw_operator.drivers import Drivers, UnknownDriver, pick
from claw_operator.external import ExternalError, Owner, Rejected
from claw_operator.kube import Kube, NotFound, Refused
from claw_operator.memory import Memories
from claw_operator.metrics import Metrics
from claw_operator.pace import retry
from claw_operator.report import Reporter
from claw_operator.status import earlier
from claw_operator.store import Store
from claw_operator.teardown import teardown
from claw_operator.workqueue import Result

log = logging.getLogger(__name__)

Body = dict[str, Any]

_RETENTION_DAYS = 30
"""Of an instance whose plan is gone: what a plan has that does not say."""
_GOING = "Everything that was made is being removed."


class Finalizer:
    """Lets instances go once nothing of theirs is left."""

    def __init__(
        self,
        *,
        kube: Kube,
        store: Store,
        drivers: Drivers,
        defaults: Defaults,
        metrics: Metrics,
        reporter: Reporter,
        memories: Memories,
    ) -> None:
        self._kube = kube
        self._store = store
        self._drivers = drivers
        self._defaults = defaults
        self._metrics = metrics
        self._reporter = reporter
        self._memories = memories

    async def finalize(self, body: Body, meta: ObjectMeta) -> Result:
        """One pass for an object that is being deleted."""
        if naming.FINALIZER not in meta.finalizers:
            return Result()  # somebody else's finalizer holds it
        if not _is_told(body):
            body = await self._say(body, findings.deleting(_GOING))
        memory = self._memories.of(meta.uid)
        try:
            remains = await teardown(
                Owner(meta.namespace, meta.name, meta.uid, self._defaults.fleet),
                _policy(body),
                pick(self._drivers, *self._driver_names(body)),
                self._kube,
                self._metrics,
                archive_until=await self._archive_until(body, meta),
            )
        except UnknownDriver as error:
            return await self._wait(body, meta, Rejected(str(error)))
        except ExternalError as error:
            return await self._wait(body, meta, error)
        memory.trouble("")
        if remains.what:
            await self._say(body, findings.deleting(_GOING))
            return Result(requeue_after=remains.poll_seconds)
        released = await self._kube.remove_finalizer(body)
        log.info("everything is gone")
        if released["metadata"].get("finalizers"):
            self._store.wrote(released)
            return Result()  # somebody else's finalizer holds it
        # Not left to the watch, which does not tell of a deletion that happened while it was disconnected.
        self._store.forget(meta.uid)
        return Result(requeue_after=0.0)

    async def _say(self, body: Body, found: findings.Findings) -> Body:
        try:
            return await self._reporter.say(body, found)
        except Refused as error:
            log.warning("the status cannot be written, and the deletion goes on: %s", error)
            return body

    async def _wait(self, body: Body, meta: ObjectMeta, error: ExternalError) -> Result:
        self._memories.of(meta.uid).trouble(f"deletion: {error}")
        await self._say(body, findings.deleting(f"Waiting: {error}", error))
        return retry(error)

    async def _archive_until(self, body: Body, meta: ObjectMeta) -> datetime | None:
        """Until when an archive is kept; None for other policies."""
        if _policy(body) != DeletionPolicy.ARCHIVE or meta.deletion_timestamp is None:
            return None
        name = ((body.get("spec") or {}).get("planRef") or {}).get("name", "")
        try:
            # The watch of the plans may be behind that of the instances.
            plan = self._store.plan(name) or await self._kube.get_plan(name)
            days = plan.spec.retention_days
        except (NotFound, ValidationError):
            days = _RETENTION_DAYS
        # From the request for deletion on, so that every pass says the same.
        return meta.deletion_timestamp + timedelta(days=days)

    def _driver_names(self, body: Body) -> tuple[str, str]:
        spec = body.get("spec") or {}
        return (
            (spec.get("compute") or {}).get("driver", self._defaults.compute_driver),
            (spec.get("database") or {}).get("driver", self._defaults.database_driver),
        )


def _is_told(body: Body) -> bool:
    # Told once: to say it at the start of each pass would take back the obstacle that the last pass named.
    ready = find(earlier(body).conditions, ConditionType.READY)
    return ready is not None and ready.reason == Reason.DELETING


def _policy(body: Body) -> DeletionPolicy:
    try:
        return DeletionPolicy((body.get("spec") or {}).get("deletionPolicy", DeletionPolicy.DELETE))
    except ValueError:
        return DeletionPolicy.RETAIN  # a policy of a newer operator: whatever it means, data is not deleted by guess
