"""What an answer's headers say of rate limits. Pure, and tolerant: what cannot be read was not said.

Known shapes: `Retry-After` in seconds or as a date; `X-RateLimit-Limit/-Remaining/-Reset`, the last one in seconds, as
seconds or milliseconds since the epoch, or as a date; the same without `X-`; `RateLimit: limit=10, remaining=5,
reset=3` and `RateLimit: "default";r=5;t=3`; `RateLimit-Policy: 1000;w=3600` and `"default";q=1000;w=3600`.
"""

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_EPOCH_SECONDS = 1e9  # more than thirty years: no duration
_EPOCH_MILLISECONDS = 1e12
_POLICY = re.compile(r"(?:^|[;\s])(?:q=)?(\d+)\s*(?:;[^,]*?)?;\s*w=(\d+)")


@dataclass(frozen=True)
class Limits:
    """None is what was not said."""

    per_hour: float | None
    """Sustained calls; the strictest where there are several limits."""
    remaining: float | None
    """Calls left in the present window."""
    reset_seconds: float | None
    """Seconds until the window ends."""


def limits(headers: Mapping[str, str], now: datetime, limit_window: float | None = None) -> Limits:
    """What the headers say; `limit_window` is what a bare limit counts over, in seconds."""
    limit = _number(_first(headers, "limit"))
    per_hour = _policy(headers.get("ratelimit-policy", ""))
    if per_hour is None and limit is not None and limit_window is not None:
        per_hour = limit * 3600 / limit_window
    return Limits(per_hour, _number(_first(headers, "remaining")), _seconds(_first(headers, "reset"), headers, now))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait; None when nothing usable was said. No waiting at all is not usable: it would never end."""
    seconds = _seconds(headers.get("retry-after"), headers, now)
    return seconds if seconds is not None and seconds > 0 else None


def _first(headers: Mapping[str, str], what: str) -> str | None:
    for name in (f"x-ratelimit-{what}", f"ratelimit-{what}"):
        if name in headers:
            return headers[name]
    letter = {"remaining": "r", "reset": "t"}.get(what, what)
    found = re.search(rf"(?:^|[;,\s])(?:{what}|{letter})=(\d+)", headers.get("ratelimit", ""))
    return found[1] if found else None


def _policy(text: str) -> float | None:
    rates = [int(found[1]) * 3600 / int(found[2]) for found in _POLICY.finditer(text) if int(found[2])]
    return min(rates, default=None)


def _seconds(text: str | None, headers: Mapping[str, str], now: datetime) -> float | None:
    number = _number(text)
    if number is None:
        moment = _date(text)
    elif number < _EPOCH_SECONDS:
        return number
    else:
        moment = _since_epoch(number)
    if moment is None:
        return None
    # By the clock that wrote it: with ours a few minutes fast, a wait would be cut short by them.
    return (moment - (_date(headers.get("date")) or now)).total_seconds()


def _number(text: str | None) -> float | None:
    with contextlib.suppress(ValueError, TypeError):
        number = float(text or "")
        return number if math.isfinite(number) else None
    return None


def _since_epoch(number: float) -> datetime | None:
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(number / 1000 if number >= _EPOCH_MILLISECONDS else number, UTC)
    return None


def _date(text: str | None) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        with contextlib.suppress(ValueError, TypeError):
            moment = read(text or "")
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
