"""Billing periods. Pure."""

import calendar
from datetime import UTC, datetime

_MONTHS = {"month": 1, "year": 12}


def end_of_period(start: int, interval: str) -> int:
    """When a period of a month or a year ends that begins at `start`, in seconds since 1970.

    The day of the month stays, as far as the month has it: from January 31 the next period ends on February 28.
    """
    begin = datetime.fromtimestamp(start, UTC)
    years, month = divmod(begin.month - 1 + _MONTHS[interval], 12)
    year = begin.year + years
    day = min(begin.day, calendar.monthrange(year, month + 1)[1])
    return int(begin.replace(year=year, month=month + 1, day=day).timestamp())
