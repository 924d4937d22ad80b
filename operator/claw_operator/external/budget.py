"""How many calls one account of a provider may still make, and who makes the next one.

A provider counts per account, whoever of us calls: so everything that uses one token shares one Budget. It is a bucket
of tokens that never gives out more than `burst + per_second * t` in any `t` seconds, held back further by what the
provider says of itself: a Retry-After, or that a window's calls are used up. What is said can only slow us down. The
configured pace stays the limit, because the person who set it may have left the rest to somebody else.

Whoever waits, waits in the order of the lanes. Nobody waits in vain: how long it will take is known, and a caller whose
turn would come too late is told so at once, instead of holding a worker that another instance could use.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from claw_operator.external import RateLimited

_ROUNDING = 1e-6  # tokens or seconds; a timer may fire a moment early, and would then be set again and again
_LONGEST_WINDOW = 86_400.0  # seconds; a window that ends later was misread, and would hold us back for ever


class Lane(IntEnum):
    """Which goes first."""

    URGENT = 0
    """Deletes, new customers, whatever is under way."""
    ROUTINE = 1
    """Sweeps and drift checks."""


@dataclass(eq=False)
class _Waiter:
    turn: asyncio.Future[None]
    deadline: float


class Budget:
    """One account's calls. Rates are in calls per second, times in seconds."""

    def __init__(
        self,
        account: str,
        *,
        per_second: float,
        burst: int,
        reserve: float = 0.2,
        patience: float = 30.0,
        spacing: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`burst` calls at once at most, then `per_second`; ROUTINE leaves the share `reserve` of the burst to URGENT.

        `spacing`: seconds between any two calls, where the provider limits single seconds, too.
        """
        if per_second <= 0 or burst < 1:
            raise ValueError(f"{account}: a budget needs at least one call, and more of them later")
        self._account = account
        self._configured = self._per_second = per_second
        self._burst = float(burst)
        # With a burst of one there is nothing to reserve, or ROUTINE would wait for ever.
        self._reserved = min(reserve * burst, burst - 1.0)
        self._patience = patience
        self._spacing = spacing
        self._monotonic = monotonic
        self._tokens = self._burst
        self._filled_at = monotonic()
        self._paused_until = self._next_at = self._filled_at
        self._window: _Window | None = None
        self._waiting: dict[Lane, deque[_Waiter]] = {lane: deque() for lane in Lane}
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def within(
        cls,
        account: str,
        *,
        calls: int,
        seconds: float,
        burst: int,
        patience: float = 30.0,
        spacing: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> "Budget":
        """A budget that makes at most `calls` calls in any `seconds` seconds, its burst included; two at least."""
        burst = max(min(burst, calls // 2), 1)
        return cls(
            account,
            per_second=(calls - burst) / seconds,
            burst=burst,
            patience=patience,
            spacing=spacing,
            monotonic=monotonic,
        )

    async def take(self, lane: Lane) -> None:
        """Wait for the right to make one call.

        Raises RateLimited as soon as it is clear that the wait would be longer than `patience`.
        """
        now = self._refill()
        waiter = _Waiter(asyncio.get_running_loop().create_future(), now + self._patience)
        self._waiting[lane].append(waiter)
        self._serve()
        if waiter.turn.done():
            return waiter.turn.result()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            self._give_back(lane, waiter)
            raise

    def told(self, *, limit_per_hour: float | None, remaining: float | None, reset_seconds: float | None) -> None:
        """Take in what an answer's headers say: the sustained limit, and the calls left until the window's end."""
        now = self._refill()
        if limit_per_hour is not None and limit_per_hour > 0:
            self._per_second = min(self._configured, limit_per_hour / 3600)
        if remaining is not None and reset_seconds is not None and 0 < reset_seconds <= _LONGEST_WINDOW:
            self._window = _Window.merged(self._window, _Window(max(remaining, 0.0), now + reset_seconds))
        self._serve()

    def pause(self, seconds: float) -> None:
        """Nobody calls for that long. A pause that ends earlier than the present one changes nothing."""
        self._paused_until = max(self._paused_until, self._refill() + seconds)
        self._serve()

    def _refill(self) -> float:
        now = self._monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._window is not None and now >= self._window.ends_at:
            self._window = None
        return now

    def _serve(self) -> None:
        """Let go whoever may, turn away whoever would wait too long, and come back for the next one."""
        now = self._refill()
        for lane in Lane:
            # One that was cancelled just now takes itself out a moment later.
            waiting = self._waiting[lane] = deque(w for w in self._waiting[lane] if not w.turn.done())
            while waiting and self._seconds_until(lane, 0, now) <= 0:
                self._spend(1.0)
                self._next_at = now + self._spacing
                waiting.popleft().turn.set_result(None)
        self._turn_away(now)
        self._set_timer(now)

    def _turn_away(self, now: float) -> None:
        for lane in Lane:
            kept: deque[_Waiter] = deque()
            for waiter in self._waiting[lane]:
                seconds = self._seconds_until(lane, len(kept), now)
                if now + seconds <= waiter.deadline:
                    kept.append(waiter)
                    continue
                message = f"The calls that {self._account} allows are used up for the moment; it goes on by itself."
                waiter.turn.set_exception(RateLimited(message, seconds))
            self._waiting[lane] = kept

    def _seconds_until(self, lane: Lane, ahead: int, now: float) -> float:
        """How long a caller waits who has so many others before it in its lane, unless more urgent ones come."""
        if lane is Lane.ROUTINE:
            ahead += len(self._waiting[Lane.URGENT])
        calls = ahead + 1.0 + (self._reserved if lane is Lane.ROUTINE else 0.0)
        held = max(self._paused_until - now, 0.0)
        if self._window is not None and self._window.calls < calls - _ROUNDING:
            held = max(held, self._window.ends_at - now)
        # More than a burst does not gather, however long it is held back.
        missing = calls - min(self._tokens + held * self._per_second, self._burst)
        filled = held + (missing / self._per_second if missing > _ROUNDING else 0.0)
        seconds = max(filled, max(self._next_at - now, held) + ahead * self._spacing)
        return seconds if seconds > _ROUNDING else 0.0

    def _set_timer(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for lane in Lane:
            if self._waiting[lane]:
                delay = self._seconds_until(lane, 0, now)
                self._timer = asyncio.get_running_loop().call_later(delay, self._serve)
                return

    def _spend(self, calls: float) -> None:
        self._tokens = min(self._burst, self._tokens - calls)
        if self._window is not None:
            self._window.calls -= calls

    def _give_back(self, lane: Lane, waiter: _Waiter) -> None:
        if waiter in self._waiting[lane]:
            self._waiting[lane].remove(waiter)
        elif not waiter.turn.cancelled() and waiter.turn.exception() is None:
            self._spend(-1.0)  # its turn had come, and nobody will use it
        self._serve()


@dataclass
class _Window:
    """What the provider still allows until a moment."""

    calls: float
    ends_at: float

    @classmethod
    def merged(cls, known: "_Window | None", told: "_Window") -> "_Window":
        """Answers overtake each other, and none counts the calls that are under way: of one window, the lower holds."""
        if known is None or told.ends_at > known.ends_at + 1.0:
            return told
        return cls(min(known.calls, told.calls), max(known.ends_at, told.ends_at))
