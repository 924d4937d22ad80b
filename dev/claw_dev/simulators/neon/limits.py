"""How often an account may ask: so many calls a minute, and bursts per route. Pure but for the clock."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from claw_dev.simulators.neon.problems import too_many_requests


@dataclass(frozen=True)
class RateLimits:
    """Neon's, unless told otherwise."""

    per_minute: float = 700
    """Of all calls of one account."""
    burst_per_second: float = 40
    """Of one route."""
    tell_retry_after: bool = False
    """Whether a refusal says how long to wait. It is not documented that Neon does."""


class _Bucket:
    """Fills with `rate` tokens a second up to `size`."""

    def __init__(self, size: float, rate: float, now: float) -> None:
        self._size = size
        self._rate = rate
        self._level = size
        self._at = now

    def take(self, now: float) -> float:
        """Take one token; returns 0, or the seconds until there is one."""
        self._level = min(self._size, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1:
            return (1 - self._level) / self._rate
        self._level -= 1
        return 0.0


class Throttle:
    """Counts the calls of accounts."""

    def __init__(self, limits: RateLimits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._accounts: defaultdict[str, _Bucket] = defaultdict(
            lambda: _Bucket(limits.per_minute, limits.per_minute / 60, monotonic())
        )
        self._routes: defaultdict[tuple[str, str], _Bucket] = defaultdict(
            lambda: _Bucket(limits.burst_per_second, limits.burst_per_second, monotonic())
        )

    def admit(self, account: str, route: str) -> None:
        """Count a call. Raises NeonProblem 429."""
        now = self._monotonic()
        wait = max(self._accounts[account].take(now), self._routes[account, route].take(now))
        if wait > 0:
            raise too_many_requests(max(1, round(wait + 0.5)) if self._limits.tell_retry_after else None)
