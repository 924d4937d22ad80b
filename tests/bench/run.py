"""What every benchmark is told about the run: how large it shall be, and whom to tell how far it has come."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.bench.figures import Row


@dataclass(frozen=True)
class Run:
    """One run of the suite. `tell` shows what goes on right now."""

    tell: Callable[[str], None]
    scale: float = 1.0
    """1 is what is published; less is for trying things out."""

    def count(self, number: int, *, least: int = 1) -> int:
        """So many at full scale, and fewer at a smaller one."""
        return max(least, round(number * self.scale))

    def seconds(self, seconds: float) -> float:
        """So long at full scale, and at least a second."""
        return max(1.0, seconds * self.scale)


Benchmark = Callable[[Run], Awaitable[list[Row]]]
