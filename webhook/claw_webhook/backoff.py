"""How long to wait before the next attempt. Pure."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Pauses that double from `first` to `longest` seconds."""

    first: float
    longest: float

    def delay(self, failures: int, random: Callable[[], float]) -> float:
        """Seconds to wait after that many failures in a row (1 or more).

        Between half and the whole of the pause: what failed together must not come back together.
        """
        pause: float = min(self.longest, self.first * 2 ** min(failures - 1, 32))
        return pause * (0.5 + random() / 2)
