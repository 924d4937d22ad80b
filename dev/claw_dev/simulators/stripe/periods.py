"""Billing periods. Pure."""

import calendar
from datetime import UTC, datetime

_MONTHS = {"month": 1, "year": 12}
_SECONDS = {"day": 24 * 3600, "week": 7 * 24 * 3600}


def end_of_period(start: int, interval: str, *, count: int = 1, anchor: int | None = None) -> int:
    """When a period that begins at `start` ends, in seconds since 1970.

    The day of the month is the anchor's (that of `start` without one), as far as the month has it: from January 31 the
    next period ends on February 28, and the one after it on March 31.
    """
    if interval in _SECONDS:
        return start + count * _SECONDS[interval]
    begin, anchored = (datetime.fromtimestamp(moment, UTC) for moment in (start, anchor or start))
    years, month = divmod(begin.month - 1 + _MONTHS[interval] * count, 12)
    year = begin.year + years
    day = min(anchored.day, calendar.monthrange(year, month + 1)[1])
    return int(anchored.replace(year=year, month=month + 1, day=day).timestamp())
