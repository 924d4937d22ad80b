"""What one process remembers of an instance between two passes: things worth knowing and never needed.

After a restart of the operator it is all gone, and nothing is wrong: only a duration is less exact, and a crash loop
is tried once more without delay.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from claw_crds.configuration import RuntimeReport
from claw_crds.v1alpha1 import ProvisioningStatus, StepTiming
from claw_operator.metrics import Metrics
from claw_operator.processes import Answer
from claw_operator.tries import History

log = logging.getLogger(__name__)

START_RUNTIME = "StartRuntime"
"""The name of the wait among the steps of provisioning."""


class Memory:
    """One instance's."""

    def __init__(self, now: datetime) -> None:
        self.first_seen = now
        self.history = History()
        self.answer: Answer | None = None
        """The runtime's last one, if it answered when it was last asked."""
        self.waiting_since: datetime | None = None
        """Since when something has been under way that is worth polling for."""
        self._requests: list[str | None] = []
        self._deployed: float | None = None
        self._seconds: dict[str, float] = {}
        self._trouble = ""

    @contextmanager
    def timed(self, step: str, metrics: Metrics) -> Iterator[None]:
        """Add the time spent inside to the step's."""
        started = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            self._seconds[step] = self._seconds.get(step, 0.0) + seconds
            metrics.step_seconds.labels(step).observe(seconds)

    def waiting(self, under_way: bool, now: datetime) -> None:
        """Note since when something has been under way."""
        if not under_way:
            self.waiting_since = None
        elif self.waiting_since is None:
            self.waiting_since = now

    def heard(self, runtime: object, now: datetime) -> None:
        """Note what the runtime said, if that is news."""
        if not isinstance(runtime, RuntimeReport):
            self.answer = None
        elif self.answer is None or self.answer.report is not runtime:
            self.answer = Answer(runtime, now)

    def asked(self, request: str | None) -> bool:
        """Whether somebody has asked for a look since the last pass, by the annotation with this value."""
        before, self._requests = self._requests, [request]
        return bool(before) and before != self._requests

    def deployed(self) -> None:
        """A runtime is starting: a new wait begins."""
        self._deployed = time.monotonic()
        self.waiting_since = None

    def answered(self) -> None:
        """It answers: what was in between is its own start, and not a step of ours."""
        if self._deployed is not None:
            self._seconds[START_RUNTIME] = time.monotonic() - self._deployed
            self._deployed = None

    def completed(self, record: ProvisioningStatus, now: datetime) -> ProvisioningStatus:
        """The record of an instance that is available for the first time."""
        # Kubernetes keeps whole seconds only; this process saw the request at a finer moment.
        seen_at_once = timedelta(0) <= self.first_seen - record.requested_at < timedelta(seconds=2)
        since = self.first_seen if seen_at_once else record.requested_at
        seconds = round(max((now - since).total_seconds(), 0.0), 3)
        steps = tuple(StepTiming(name=name, seconds=round(spent, 3)) for name, spent in self._seconds.items())
        return record.model_copy(update={"ready_at": now, "seconds": seconds, "steps": steps})

    def trouble(self, message: str) -> None:
        """Log a failure when it begins, when it changes, and when it ends; not each time."""
        if message == self._trouble:
            return
        if message:
            log.error(message)
        else:
            log.info("recovered from: %s", self._trouble)
        self._trouble = message


class Memories:
    """By UID."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._memories: dict[str, Memory] = {}

    def of(self, uid: str) -> Memory:
        """The instance's memory, a new one the first time."""
        if uid not in self._memories:
            self._memories[uid] = Memory(self._clock())
        return self._memories[uid]

    def forget(self, uid: str) -> None:
        """The instance is gone, or starts anew."""
        self._memories.pop(uid, None)
