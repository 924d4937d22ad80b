"""An event loop whose time can be made to pass quickly: an hour of its timers within seconds.

Only what waits is hurried, by asyncio. What a machine has to do takes as long as ever, and a deadline that is far away
for people is near in such a loop.
"""

import asyncio
import selectors
from datetime import UTC, datetime, timedelta


class _Hurried(selectors.DefaultSelector):
    """Waits for a part of the time that it is told to."""

    rate = 1.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / self.rate if timeout else timeout)


class QuickLoop(asyncio.SelectorEventLoop):
    """Starts as any other; `hurry` makes its time pass quickly from then on, `clock` tells it."""

    def __init__(self) -> None:
        self._waiting = _Hurried()
        self._turned = (0.0, 0.0)
        """Real time, and the loop's, when its pace last changed."""
        super().__init__(self._waiting)
        self._begun = datetime.now(UTC) - timedelta(seconds=self.time())

    def time(self) -> float:
        """Seconds, as all of asyncio's timers see them."""
        real, ours = self._turned
        return ours + (super().time() - real) * self._waiting.rate

    def hurry(self, rate: float) -> None:
        """From now on, `rate` seconds pass within each real one."""
        self._turned = (super().time(), self.time())
        self._waiting.rate = rate

    def clock(self) -> datetime:
        """The time of day that goes with it."""
        return self._begun + timedelta(seconds=self.time())
