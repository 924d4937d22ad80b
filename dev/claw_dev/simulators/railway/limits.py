"""How often somebody may ask: Railway's own limits per hour and second, and Cloudflare's in front of them."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from claw_dev.simulators.serving import wall_clock

_HOUR = 3600.0


@dataclass(frozen=True)
class Refused:
    """A call over the limit."""

    retry_after: float
    """Seconds."""


class Limits:
    """The budget of the one account that everybody shares.

    `per_hour` and `per_second` are those of Railway's plan, `anonymous_per_second` is what Cloudflare allows requests
    whose URL has no query string. May be changed while it is served.
    """

    def __init__(
        self,
        *,
        per_hour: int = 10_000,
        per_second: int = 50,
        anonymous_per_second: int = 10,
        clock: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_hour = per_hour
        self.per_second = per_second
        self.anonymous_per_second = anonymous_per_second
        self._clock = clock
        self._monotonic = monotonic
        self._window = monotonic()
        self._used = 0
        self._recent: deque[float] = deque()
        self._anonymous: deque[float] = deque()

    def cloudflare_refuses(self) -> bool:
        """Count a request without a query string; whether it is one too many."""
        return not self._fits(self._anonymous, self.anonymous_per_second)

    def take(self) -> Refused | None:
        """Count a call; how it is refused when it is one too many."""
        now = self._monotonic()
        if now - self._window >= _HOUR:
            self._window, self._used = now, 0
        if self._used >= self.per_hour:
            return Refused(self._window + _HOUR - now)
        if not self._fits(self._recent, self.per_second):
            return Refused(self._recent[0] + 1.0 - now)
        self._used += 1
        return None

    @property
    def remaining(self) -> int:
        """Calls that are left in this hour."""
        return max(self.per_hour - self._used, 0)

    @property
    def resets_at(self) -> float:
        """When the hour ends, in seconds since 1970."""
        return self._clock().timestamp() + self._window + _HOUR - self._monotonic()

    def headers(self, refused: Refused | None = None) -> Mapping[str, str]:
        """What every answer tells of the limits."""
        told = {
            "X-RateLimit-Limit": str(self.per_hour),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(ceil(self.resets_at)),
            "RateLimit-Policy": f'"hour";q={self.per_hour};w=3600, "second";q={self.per_second};w=1',
        }
        return told if refused is None else told | {"Retry-After": str(max(1, ceil(refused.retry_after)))}

    def _fits(self, recent: deque[float], limit: int) -> bool:
        now = self._monotonic()
        while recent and now - recent[0] >= 1.0:
            recent.popleft()
        if len(recent) >= limit:
            return False
        recent.append(now)
        return True
