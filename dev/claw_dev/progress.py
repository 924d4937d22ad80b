"""How far each part of a stack has come: told by the stack, shown by `picture`."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from claw_dev.parts import Part


class State(StrEnum):
    """What a part is doing."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class PartProgress:
    """One part at one moment."""

    part: Part
    state: State = State.WAITING
    note: str = ""
    """What it is busy with, its address once it is ready, or why it failed."""
    began: float | None = None
    seconds: float | None = None
    """How long the start took; None as long as it goes on."""


class Progress:
    """All parts. `listener` is called after each change with the part that changed."""

    def __init__(
        self,
        parts: Iterable[Part],
        listener: Callable[[PartProgress], None] = lambda changed: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        wanted = frozenset(parts)
        self._parts = {part: PartProgress(part) for part in Part if part in wanted}
        self._listener = listener
        self._clock = clock

    def __getitem__(self, part: Part) -> PartProgress:
        return self._parts[part]

    def all(self) -> tuple[PartProgress, ...]:
        """Every part, in the order in which they are shown."""
        return tuple(self._parts.values())

    def elapsed(self, progress: PartProgress) -> float | None:
        """Seconds that the start has taken so far, or took; None before it began."""
        if progress.seconds is not None or progress.began is None:
            return progress.seconds
        return self._clock() - progress.began

    def starting(self, part: Part, note: str) -> None:
        """The part is busy with something; the first call begins its time."""
        now = self._parts[part]
        again = now.state is not State.STARTING
        began = self._clock() if again or now.began is None else now.began
        self._change(replace(now, state=State.STARTING, note=note, began=began, seconds=None))

    def ready(self, part: Part, note: str) -> None:
        """The part is ready, usually at an address."""
        now = self._parts[part]
        self._change(replace(now, state=State.READY, note=note, seconds=self.elapsed(now)))

    def failed(self, part: Part, note: str) -> None:
        """The part did not start, or has ended by itself."""
        now = self._parts[part]
        self._change(replace(now, state=State.FAILED, note=note, seconds=self.elapsed(now)))

    def stopped(self, part: Part) -> None:
        """The part was ended. Why one failed stays to be seen."""
        now = self._parts[part]
        if now.state is not State.FAILED:
            self._change(replace(now, state=State.STOPPED, note=""))

    def _change(self, progress: PartProgress) -> None:
        if progress != self._parts[progress.part]:
            self._parts[progress.part] = progress
            self._listener(progress)
