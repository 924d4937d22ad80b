"""Operations: what Neon does after it has answered, one after the other, one chain per project at a time."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from claw_dev.simulators.neon.pace import Pace
from claw_dev.simulators.neon.problems import locked
from claw_dev.simulators.neon.records import Operation, Status
from claw_dev.simulators.neon.world import World

NOVEL_ACTION = "not_in_the_description"
"""An operation of a Neon that is newer than its description: always skipped, at the end of a chain."""

logger = logging.getLogger(__name__)


async def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Step:
    """An operation to come. `effect` happens at its end."""

    action: str
    branch_id: str | None
    endpoint_id: str | None = None
    effect: Callable[[], Awaitable[None]] = _nothing


class Chains:
    """Runs chains of operations. Leave no chain running: `aclose`."""

    def __init__(self, world: World, pace: Pace, random: Random, *, novelties: bool) -> None:
        self._world = world
        self._pace = pace
        self._random = random
        self._novelties = novelties
        self._running: dict[str, asyncio.Task[None]] = {}
        self._to_fail: Counter[str] = Counter()

    def refuse_if_busy(self, project_id: str) -> None:
        """Raise NeonProblem 423 while an operation of the project is under way."""
        if project_id in self._running:
            raise locked()

    def start(self, project_id: str, steps: Sequence[Step]) -> list[Operation]:
        """Begin a chain and return its operations as they are now. The project must not be busy."""
        if self._novelties and steps:
            steps = [*steps, Step(NOVEL_ACTION, steps[0].branch_id)]
        operations = [self._scheduled(project_id, step) for step in steps]
        if operations:
            work = self._run(project_id, list(zip(operations, steps, strict=True)))
            self._running[project_id] = asyncio.create_task(work, name=f"operations of {project_id}")
        return operations

    def fail(self, action: str, times: int = 1) -> None:
        """Let the next operations of an action end as failed, without any effect."""
        self._to_fail[action] += times

    async def settled(self) -> None:
        """Return when no operation is under way."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def aclose(self) -> None:
        """Drop what is under way."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _scheduled(self, project_id: str, step: Step) -> Operation:
        now = self._world.clock()
        operation = Operation(
            self._world.ids.uuid(), project_id, step.action, step.branch_id, step.endpoint_id, now, now
        )
        self._world.operations[operation.id] = operation
        return operation

    async def _run(self, project_id: str, chain: list[tuple[Operation, Step]]) -> None:
        try:
            failed = False
            for operation, step in chain:
                if failed:
                    self._change(operation, status=Status.CANCELLED)
                    continue
                failed = not await self._one(operation, step)
        finally:
            del self._running[project_id]

    async def _one(self, operation: Operation, step: Step) -> bool:
        if step.action == NOVEL_ACTION:
            self._change(operation, status=Status.SKIPPED)
            return True
        self._change(operation, status=Status.RUNNING)
        seconds = self._pace.of_operation(step.action, self._random)
        await asyncio.sleep(seconds)
        duration = round(seconds * 1000)
        if self._to_fail[step.action] > 0:
            self._to_fail[step.action] -= 1
            return self._fail(operation, duration)
        try:
            await step.effect()
        except Exception:
            # Whatever goes wrong behind the API is told as Neon tells it: by a failed operation.
            logger.exception("The operation %s failed", step.action)
            return self._fail(operation, duration)
        self._change(operation, status=Status.FINISHED, duration=duration)
        return True

    def _fail(self, operation: Operation, duration: int) -> bool:
        self._change(operation, status=Status.FAILED, error="internal error", failures=1, duration=duration)
        return False

    def _change(
        self, operation: Operation, *, status: Status, error: str | None = None, failures: int = 0, duration: int = 0
    ) -> None:
        self._world.operations[operation.id] = replace(
            operation,
            status=status,
            error=error,
            failures_count=failures,
            total_duration_ms=duration,
            updated_at=self._world.clock(),
        )
