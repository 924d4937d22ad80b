"""One pass for one instance: observe -> decide -> act -> status. The file to read first.

A pass does not know why it runs: a new object, a changed one, a restart of the operator, a minute that went by. It
looks at everything there is, decides what is missing, does that, and reports. Called again, it finds nothing to do.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import ValidationError

from claw_crds import naming
from claw_crds.conditions import find
from claw_crds.configuration import RuntimeReport
from claw_crds.v1alpha1 import (
    ClawInstance,
    ClawInstanceStatus,
    ConditionType,
    ObjectMeta,
    ProvisioningStatus,
    Reason,
)
from claw_operator import findings, provisioning
from claw_operator.act import Actor
from claw_operator.acting import Acting
from claw_operator.decide import Observed, Step, Unknown, database_vanished, decide
from claw_operator.desired import Defaults, Desired
from claw_operator.drivers import Drivers, InstanceDrivers, UnknownDriver, pick
from claw_operator.external import Transient
from claw_operator.finalize import Finalizer
from claw_operator.findings import Failure, Outcome
from claw_operator.kube import Conflict, Kube, KubeError, NotFound
from claw_operator.logs import about
from claw_operator.memory import Memories
from claw_operator.metrics import Metrics
from claw_operator.observe import observe
from claw_operator.pace import FRESH, Pacing, needs_a_fresh_look, under_way
from claw_operator.report import Reporter
from claw_operator.rollback import Rollback
from claw_operator.status import compute_status, earlier
from claw_operator.store import Store
from claw_operator.workqueue import Result

log = logging.getLogger(__name__)

Body = dict[str, Any]


class Reconciler:
    """Makes the world match one instance at a time. Everything that it needs is given to it."""

    def __init__(
        self,
        *,
        kube: Kube,
        store: Store,
        drivers: Drivers,
        defaults: Defaults,
        actor: Actor,
        finalizer: Finalizer,
        rollback: Rollback,
        reporter: Reporter,
        memories: Memories,
        metrics: Metrics,
        pacing: Pacing,
        clock: Callable[[], datetime],
    ) -> None:
        self._kube = kube
        self._store = store
        self._drivers = drivers
        self._defaults = defaults
        self._actor = actor
        self._finalizer = finalizer
        self._rollback = rollback
        self._reporter = reporter
        self._memories = memories
        self._metrics = metrics
        self._pacing = pacing
        self._clock = clock

    async def reconcile(self, uid: str) -> Result:
        """One pass. Never raises for what can be expected to go wrong."""
        body = self._store.get(uid)
        if body is None:
            self._memories.forget(uid)
            self._metrics.forget(uid)
            return Result(done=True)
        meta = ObjectMeta.model_validate(body["metadata"])
        with (
            about(instance=f"{meta.namespace}/{meta.name}", uid=uid, generation=meta.generation),
            self._metrics.pass_seconds.time(),
        ):
            try:
                result = await self._pass(body, meta)
            except (Conflict, NotFound) as error:
                result = await self._read_again(meta, error)
            except KubeError as error:
                result = self._trouble(uid, error)
            except BaseException:
                # A bug, or a pass that took too long: the queue logs and repeats it, and an alert can be set on it.
                self._metrics.passes.labels("broken").inc()
                raise
        self._metrics.passes.labels("failed" if result.failed else "ok").inc()
        return result

    async def _pass(self, body: Body, meta: ObjectMeta) -> Result:
        if meta.deletion_timestamp is not None:
            return await self._finalizer.finalize(body, meta)
        try:
            instance = ClawInstance.parse(body)
        except ValidationError as error:
            return await self._cannot(body, Reason.INVALID_SPEC, _first_problem(error))
        if meta.annotations.get(naming.PAUSED) == "true":
            return await self._wait_for_a_person(body, findings.paused())
        name = instance.spec.plan_ref.name
        try:
            # The watch of the plans may be behind that of the instances.
            plan = self._store.plan(name) or await self._kube.get_plan(name)
        except NotFound:
            return await self._cannot(body, Reason.PLAN_NOT_FOUND, f"There is no ClawPlan {name}.")
        except ValidationError as error:
            message = f"ClawPlan {name} cannot be used: {_first_problem(error)}"
            return await self._cannot(body, Reason.PLAN_NOT_FOUND, message)
        desired = Desired(instance, plan, self._defaults)
        try:
            drivers = pick(self._drivers, desired.compute_driver, desired.database_driver)
        except UnknownDriver as error:
            return await self._cannot(body, Reason.INVALID_SPEC, str(error))
        if naming.FINALIZER not in meta.finalizers:
            # Nothing external is created before the API server has answered that the finalizer is on the object. And
            # one that cannot be made has none: it would have to wait for a driver or a plan to be deleted.
            body = await self._kube.add_finalizer(body)
            self._store.wrote(body)
            desired = desired.of(ClawInstance.parse(body))
        if provisioning.has_failed(desired.instance):
            return await self._rollback.roll_back(body, desired.owner, drivers)
        return await self._converge(body, desired, drivers)

    async def _converge(self, body: Body, desired: Desired, drivers: InstanceDrivers) -> Result:
        instance, memory = desired.instance, self._memories.of(desired.owner.uid)
        observed = await self._observe(desired, drivers)
        record = provisioning.begun(instance, observed, memory.first_seen, self._clock())
        due = provisioning.deadline(instance, record, memory.first_seen)
        if due is not None and self._clock() >= due:
            body = await self._reporter.write(body, provisioning.failed_status(instance, record, self._clock()))
            self._metrics.provisioning_failures.inc()
            return await self._rollback.roll_back(body, desired.owner, drivers)

        if isinstance(observed.runtime, RuntimeReport):
            memory.answered()
        unknown = _not_observed(observed)
        async with Acting(self._actor, drivers, memory, self._metrics, self._clock) as acting:
            while True:
                if _names_new_things(instance.status, observed):
                    # Known ids are written at once: should this process die now, people still see what was made. And
                    # before anything else is done: credentials without a status would look like a status that was lost.
                    body = await self._report(body, desired, observed, [*unknown, *acting.failures], record)
                    instance = ClawInstance.parse(body)
                    desired = desired.of(instance)
                acting.begin(decide(desired, observed, self._clock()).steps, desired, observed)
                if not acting.busy:
                    break
                observed = await acting.next(observed)
        failures = [*unknown, *acting.failures]
        await self._report(body, desired, observed, failures, record, acting.done)
        memory.heard(observed.runtime, self._clock())
        memory.trouble("; ".join(str(failure) for failure in failures))
        return self._next(desired, observed, failures, record, drivers)

    async def _observe(self, desired: Desired, drivers: InstanceDrivers) -> Observed:
        """What is: from the fleet's readings where that is good enough, else as it is this moment."""
        meta, status = desired.instance.metadata, desired.instance.status
        memory, now = self._memories.of(meta.uid), self._clock()
        asked = memory.asked(meta.annotations.get(naming.RECONCILE_REQUESTED_AT))
        ages = self._pacing.ages(status, asked=asked)
        answer = memory.answer if desired.plan.spec.sleep_when_idle and not asked else None
        look = partial(
            observe, desired, drivers, self._kube, self._metrics, history=memory.history, answer=answer, now=now
        )
        observed = await look(ages=ages)
        if needs_a_fresh_look(ages, observed, decide(desired, observed, now).steps):
            observed = await look(ages=FRESH)
        memory.history = observed.history
        if database_vanished(observed) and provisioning.may_not_show_yet(desired.instance, memory.first_seen, now):
            unseen = Transient("The database is not to be seen yet; it is looked for again.")
            return replace(observed, database=Unknown(unseen))
        return observed

    async def _report(
        self,
        body: Body,
        desired: Desired,
        observed: Observed,
        failures: Sequence[Failure],
        record: ProvisioningStatus,
        done: Sequence[Step] = (),
    ) -> Body:
        now = self._clock()
        outcome = Outcome(pending=decide(desired, observed, now).steps, failures=failures)
        found = compute_status(desired, observed, outcome, record, now)
        if record.ready_at is None and not record.recovered and provisioning.is_complete(found):
            completed = self._memories.of(desired.owner.uid).completed(record, now)
            found = found.model_copy(update={"provisioning": completed})
            self._metrics.provisioning_seconds.observe(completed.seconds or 0.0)
        return await self._reporter.write(body, found, done)

    def _next(
        self,
        desired: Desired,
        observed: Observed,
        failures: Sequence[Failure],
        record: ProvisioningStatus,
        drivers: InstanceDrivers,
    ) -> Result:
        """When to look again."""
        now, memory = self._clock(), self._memories.of(desired.owner.uid)
        if failures:
            return self._pacing.after_failures(failures)
        decision, waits = decide(desired, observed, now), [self._pacing.settled()]
        going = under_way(observed, decision.steps)
        memory.waiting(bool(going), now)
        if memory.waiting_since is not None:
            polls = (drivers.database.poll_seconds, drivers.compute.poll_seconds)
            waits += self._pacing.waits(going, memory.waiting_since, now, *polls)
        due = provisioning.deadline(desired.instance, record, memory.first_seen)
        moments = (decision.look_again_at, due)
        waits += [max((moment - now).total_seconds(), 0.0) for moment in moments if moment is not None]
        return Result(requeue_after=min(waits))

    async def _cannot(self, body: Body, reason: Reason, message: str) -> Result:
        """Say what is wrong and wait: only another spec or plan can mend it."""
        has_ready = find(earlier(body).conditions, ConditionType.READY) is not None
        return await self._wait_for_a_person(body, findings.invalid(reason, message, has_ready=has_ready))

    async def _wait_for_a_person(self, body: Body, found: findings.Findings) -> Result:
        await self._reporter.say(body, found)
        # The time until then is not the instance's own: once it goes on, it is seen anew and not at its deadline.
        self._memories.forget(body["metadata"]["uid"])
        return Result()

    async def _read_again(self, meta: ObjectMeta, cause: KubeError) -> Result:
        """Go on with the object as it is now: it was changed meanwhile, or it is gone."""
        try:
            fresh = await self._kube.get_instance(meta.namespace, meta.name)
        except NotFound:
            self._store.forget(meta.uid)
            return Result(requeue_after=0.0)
        except KubeError as error:
            return self._trouble(meta.uid, error)
        if fresh["metadata"]["uid"] != meta.uid:
            self._store.forget(meta.uid)
            return Result(requeue_after=0.0)
        if fresh["metadata"]["resourceVersion"] == meta.resource_version:
            return self._trouble(meta.uid, cause)  # neither: trying at once would meet the same
        self._store.wrote(fresh)
        return Result(requeue_after=0.0)

    def _trouble(self, uid: str, error: KubeError) -> Result:
        self._memories.of(uid).trouble(str(error))
        return Result(failed=True)


def _not_observed(observed: Observed) -> list[Failure]:
    parts = {"database": observed.database, "compute": observed.compute, "credentials": observed.secret}
    return [Failure(what, part.error) for what, part in parts.items() if isinstance(part, Unknown)]


def _names_new_things(status: ClawInstanceStatus, observed: Observed) -> bool:
    known = (status.database.id if status.database else None, status.compute.id if status.compute else None)
    seen = (getattr(observed.database, "id", None), getattr(observed.compute, "id", None))
    return any(new is not None and new != old for new, old in zip(seen, known, strict=True))


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
