"""The sweep: compares everything outside that bears our mark with the instances that exist.

It is the net below the loop. The loop makes an instance's things and takes them down again; the sweep finds what was
left behind when that went wrong: a finalizer removed by hand, an API server restored from a backup, a bug. It also
repairs the operator's view of the API server, should a watch ever have lost something.

Nothing is concluded from half an answer: without the list of instances no thing is judged, and without a driver's
inventory none of that driver's.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from claw_crds.v1alpha1 import ObjectMeta
from claw_operator.drivers import Drivers, counted
from claw_operator.events import News
from claw_operator.external import ComputeDriver, DatabaseDriver, ExternalError, Marked
from claw_operator.kube import Kube, KubeError, NotFound
from claw_operator.logs import about
from claw_operator.metrics import Metrics
from claw_operator.orphans import Judgement, Place, Policy, Suspect, Suspects, judge
from claw_operator.store import Store
from claw_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)

_ACTION = "Sweep"


@dataclass(frozen=True)
class Schedule:
    """When the sweep runs, in seconds."""

    every: float = 600.0
    first: float = 60.0
    """After the start; the loop has its hands full until then."""
    between_deletions: float = 30.0
    deadline: float = 300.0
    """Of one driver's inventory, and of one deletion."""


class Sweeper:
    """Sweeps again and again. What it remembers is lost with the process, and then an orphan only lives longer."""

    def __init__(
        self,
        *,
        kube: Kube,
        drivers: Drivers,
        store: Store,
        queue: WorkQueue,
        metrics: Metrics,
        policy: Policy,
        clock: Callable[[], datetime],
        schedule: Schedule | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._store = store
        self._queue = queue
        self._metrics = metrics
        self._policy = policy
        self._clock = clock
        self._schedule = schedule or Schedule()
        self._monotonic = monotonic
        self._sleep = sleep
        computes = {Place("compute", name): driver for name, driver in drivers.compute.items()}
        databases = {Place("database", name): driver for name, driver in drivers.database.items()}
        self._places: Mapping[Place, ComputeDriver | DatabaseDriver] = {**computes, **databases}
        self._suspects: Suspects = {}
        self._asked: set[tuple[Place, str]] = set()
        """Whose deletion was accepted and not seen done yet."""
        self._deleted_at: float | None = None
        self._troubles: dict[str, str] = {}

    async def run(self) -> None:
        """Sweep on schedule until cancelled."""
        await self._sleep(self._schedule.first)
        while True:
            began = self._monotonic()
            try:
                due = await self.sweep()
                await self.delete(due, until=began + self._schedule.every)
            except Exception:
                # A bug must end neither the sweep for ever nor the operator.
                log.exception("the sweep has broken off; it is begun anew next time")
            await self._sleep(max(began + self._schedule.every - self._monotonic(), 0.0))

    async def sweep(self) -> Sequence[Suspect]:
        """Look at everything once, report what changed, and return what may be deleted now."""
        # The instances are listed after the things were: a thing's instance was there before the thing. And what was
        # there at the beginning is no orphan this time, should it have been deleted while we looked.
        alive = set(self._store)
        seen = dict(zip(self._places, await asyncio.gather(*map(self._inventory, self._places)), strict=True))
        listed = await self._list_instances()
        if listed is None:
            return ()
        now, at = self._clock(), self._monotonic()
        judgement = judge(seen, alive | listed, self._suspects, self._policy, now=now, at=at)
        self._suspects = judgement.suspects
        await self._report(judgement)
        self._measure(judgement)
        return judgement.due

    async def delete(self, due: Sequence[Suspect], *, until: float) -> None:
        """Delete one after the other, slowly, as far as one gets until that moment."""
        for suspect in due:
            if self._deleted_at is not None:
                await self._sleep(max(self._deleted_at + self._schedule.between_deletions - self._monotonic(), 0.0))
            if self._monotonic() >= until:
                return
            self._deleted_at = self._monotonic()
            try:
                gone = await self._delete(suspect)
            except (ExternalError, KubeError, TimeoutError) as error:
                self._trouble(_deletion(suspect), str(error) or "it takes too long")
                continue
            if gone:
                self._suspects = {key: other for key, other in self._suspects.items() if key != suspect.key}
                await self._report_gone(suspect)

    async def _delete(self, suspect: Suspect) -> bool:
        """Whether it is gone now. Not touched when its instance exists after all."""
        owner, driver = suspect.owner, self._places[suspect.place]
        try:
            body = await self._kube.get_instance(owner.namespace, owner.name)
        except NotFound:
            pass
        else:
            # Another instance of that name may have been made since; this one's UID never comes back but by a
            # restored API server.
            if body["metadata"]["uid"] == owner.uid:
                return False
        async with asyncio.timeout(self._schedule.deadline):
            await counted(self._metrics, driver.name, "delete", driver.delete(owner))
            self._asked.add(suspect.key)
            return await counted(self._metrics, driver.name, "observe", driver.observe(owner)) is None

    async def _inventory(self, place: Place) -> Sequence[Marked] | None:
        """Everything marked; None when that cannot be known."""
        driver, what = self._places[place], f"inventory of the {place}"
        try:
            async with asyncio.timeout(self._schedule.deadline):
                things = await counted(self._metrics, driver.name, "inventory", driver.inventory())
        except (ExternalError, TimeoutError) as error:
            self._trouble(what, str(error) or "it takes too long")
            return None
        self._trouble(what, "")
        return things

    async def _list_instances(self) -> set[str] | None:
        """UIDs of all instances, being deleted or not; None when that cannot be known. Repairs the Store by them."""
        known = set(self._store)  # before the list is asked for: what the watch brings meanwhile need not be in it
        try:
            bodies = await self._kube.list_instances(self._policy.namespace)
        except KubeError as error:
            self._trouble("list of the instances", str(error))
            return None
        self._trouble("list of the instances", "")
        listed = {body["metadata"]["uid"]: body for body in bodies}
        for uid, body in listed.items():
            if self._store.saw(body):
                self._queue.add(uid)
        for uid in known - listed.keys():
            self._store.forget(uid)
            self._queue.add(uid)
        return set(listed)

    async def _report(self, judgement: Judgement) -> None:
        for suspect in judgement.appeared:
            if suspect.expired:
                continue  # its time is over, as was said when it was archived
            message = f"The {_name(suspect)} was left behind by this instance, which does not exist any more. "
            await self._tell(suspect, "Warning", "Orphaned", message + self._prospect())
        for suspect in judgement.gone:
            await self._report_gone(suspect)
        flood = "more things look like orphans than can be true; none is deleted until a person has looked"
        self._trouble("deletion of orphans", flood if judgement.too_many else "")

    async def _report_gone(self, suspect: Suspect) -> None:
        self._trouble(_deletion(suspect), "")
        was_asked = suspect.key in self._asked
        self._asked.discard(suspect.key)
        if not was_asked:
            message = f"The {_name(suspect)} is gone, or its instance is there again."
            await self._tell(suspect, "Normal", "OrphanGone", message)
        elif suspect.expired:
            await self._tell(suspect, "Normal", "ArchiveDeleted", f"The {_name(suspect)} had been kept long enough.")
        else:
            self._metrics.orphans_deleted.labels(suspect.place.driver).inc()
            await self._tell(suspect, "Normal", "OrphanDeleted", f"The {_name(suspect)} was deleted.")

    def _prospect(self) -> str:
        if not self._policy.deletion:
            return "It costs money until somebody deletes it: the deletion of orphans is switched off."
        return f"It is deleted when that is still so in {self._policy.grace / 60:.0f} minutes."

    def _measure(self, judgement: Judgement) -> None:
        orphans = Counter({place.driver: 0 for place in self._places})
        for suspect in judgement.suspects.values():
            orphans[suspect.place.driver] += 0 if suspect.expired else len(suspect.ids)
        for driver, number in orphans.items():
            self._metrics.orphans.labels(driver).set(number)
        archived: Counter[str] = Counter()
        for place, number in judgement.archived.items():
            archived[place.driver] += number
        for driver, number in archived.items():
            self._metrics.archived.labels(driver).set(number)

    async def _tell(self, suspect: Suspect, kind: str, reason: str, message: str) -> None:
        """In the log, and as an Event of the instance that the mark names."""
        owner = suspect.owner
        with about(instance=f"{owner.namespace}/{owner.name}", uid=owner.uid):
            log.log(logging.WARNING if kind == "Warning" else logging.INFO, message)
            meta = ObjectMeta(name=owner.name, namespace=owner.namespace, uid=owner.uid)
            await self._kube.emit_event(meta, News(kind, reason, message, _ACTION), self._clock())

    def _trouble(self, what: str, message: str) -> None:
        """Log a failure when it begins, when it changes, and when it ends; not each time."""
        if message == self._troubles.get(what, ""):
            return
        if message:
            self._troubles[what] = message
            log.error("sweep: %s: %s", what, message)
        else:
            log.info("sweep: %s: recovered from: %s", what, self._troubles.pop(what))


def _deletion(suspect: Suspect) -> str:
    return f"deletion of the {suspect.place} of {suspect.owner.namespace}/{suspect.owner.name}"


def _name(suspect: Suspect) -> str:
    return f"{suspect.place} ({', '.join(suspect.ids)})"
