"""The steps of one pass, side by side, each begun as soon as it is possible.

A slow provider delays what needs it and nothing else: the database's password is issued while the compute is still
being made, and a database that is becoming ready is looked at again while other steps go on.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from claw_operator.act import Actor, Change
from claw_operator.decide import Observed, Step, StepKind
from claw_operator.desired import Desired
from claw_operator.drivers import InstanceDrivers, counted
from claw_operator.external import ExternalError, ObservedDatabase
from claw_operator.findings import Failure
from claw_operator.logs import about
from claw_operator.memory import Memory
from claw_operator.metrics import Metrics

log = logging.getLogger(__name__)

_ORDER = [kind.value for kind in StepKind]


class Acting:
    """One pass at work. As a context, it ends when every step has come to its end, however the block ends.

    A create that is cancelled in the middle may have been carried out, and nobody would know its id. So only a pass
    that is itself cancelled, at its deadline or at the end of the process, cancels its steps.
    """

    def __init__(
        self, actor: Actor, drivers: InstanceDrivers, memory: Memory, metrics: Metrics, clock: Callable[[], datetime]
    ) -> None:
        self._actor = actor
        self._drivers = drivers
        self._memory = memory
        self._metrics = metrics
        self._clock = clock
        self._begun: dict[StepKind, Step] = {}
        self._running: dict[asyncio.Task[Change | Failure], StepKind | None] = {}
        """None stands for a look at the database, which changes nothing."""
        self._failures: list[Failure] = []
        self._broken: BaseException | None = None

    async def __aenter__(self) -> "Acting":
        return self

    async def __aexit__(self, error: type[BaseException] | None, *_: object) -> None:
        cancelled = error is not None and issubclass(error, asyncio.CancelledError)
        for task, kind in self._running.items():
            if cancelled or kind is None:
                task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    @property
    def busy(self) -> bool:
        """Whether a step is under way."""
        return any(kind is not None for kind in self._running.values())

    @property
    def failures(self) -> list[Failure]:
        """The steps that failed, in the order of steps and not of their ends: the status must not depend on that."""
        return sorted(self._failures, key=lambda failure: _ORDER.index(failure.what))

    @property
    def done(self) -> list[Step]:
        """The steps that succeeded."""
        failed, running = {failure.what for failure in self._failures}, set(self._running.values())
        return [step for kind, step in self._begun.items() if kind.value not in failed and kind not in running]

    def begin(self, steps: Iterable[Step], desired: Desired, observed: Observed) -> None:
        """Begin those that touch nothing that is being changed. No step is begun twice in one pass."""
        if self._broken is not None:
            return
        for step in steps:
            if step.kind in self._begun or step.kind.touches & self._changing():
                continue
            self._begun[step.kind] = step
            self._running[asyncio.create_task(self._carry_out(step, desired, observed))] = step.kind
        if self.busy and None not in self._running.values() and _is_becoming_ready(observed):
            self._running[asyncio.create_task(self._look_again(desired))] = None

    async def next(self, observed: Observed) -> Observed:
        """Wait until something has changed, and take it in.

        What went wrong with the Kubernetes API, or is a bug, is raised once every step has come to its end.
        """
        ended, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in self._running if task in ended]:
            del self._running[task]
            if (error := task.exception()) is not None:
                self._broken = self._broken or error
                continue
            result = task.result()
            if isinstance(result, Failure):
                self._failures.append(result)
                continue
            observed = result(observed)
            self._memory.history = observed.history
        if self._broken is not None and not self.busy:
            raise self._broken
        return observed

    def _changing(self) -> frozenset[str]:
        kinds = (kind for kind in self._running.values() if kind is not None)
        return frozenset[str]().union(*(kind.touches for kind in kinds))

    async def _carry_out(self, step: Step, desired: Desired, observed: Observed) -> Change | Failure:
        with about(step=step.kind.value), self._memory.timed(step.kind.value, self._metrics):
            try:
                change = await self._actor.act(step, desired, observed, self._drivers, self._clock())
            except ExternalError as error:
                return Failure(step.kind.value, error)
            log.info(step.message)
        if step.kind == StepKind.DEPLOY:
            self._memory.deployed()
        return change

    async def _look_again(self, desired: Desired) -> Change | Failure:
        driver = self._drivers.database
        await asyncio.sleep(driver.poll_seconds)
        try:
            found = await counted(self._metrics, driver.name, "observe", driver.observe(desired.owner))
        except ExternalError:
            found = None
        # A look that found out nothing changes nothing: the next pass finds out what that means.
        return lambda observed: observed if found is None else replace(observed, database=found)


def _is_becoming_ready(observed: Observed) -> bool:
    database = observed.database
    return isinstance(database, ObservedDatabase) and not database.ready and not database.suspended
