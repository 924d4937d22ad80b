"""When the next beat is due. Pure.

Beats lie on a grid that follows from the instance's UID and the interval alone: two processes of an instance agree on
every due moment without asking anybody, and ten thousand instances do not all beat on the hour. Outside of the active
hours there is no beat; where the grid would miss them altogether, the moment they begin is due instead.

Active hours are what the customer's clock on the wall shows. So an hour that the clock skips in spring is not there,
and one that it shows twice in autumn is there twice.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

_GRID_BEGINS = datetime(2024, 1, 1, tzinfo=UTC)
_SEARCHED_DAYS = 3
"""On one day of the year the hours may not exist; never on two in a row."""
_REMEMBERED = timedelta(hours=25)
"""Beats that were missed longer ago than this are not even looked for. More than the longest interval."""


@dataclass(frozen=True)
class Hours:
    """Minutes since midnight: from `start`, and up to `end` without it. Over midnight when `end` comes first."""

    start: int
    end: int

    def include(self, minute: int) -> bool:
        """Whether that minute of the day is among them. Equal bounds include nothing."""
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


@dataclass(frozen=True)
class Rhythm:
    """How an instance beats."""

    every: timedelta
    offset: timedelta
    """Of its grid."""
    zone: tzinfo
    hours: Hours | None = None
    """None is always."""

    def is_active(self, moment: datetime) -> bool:
        """Whether the moment is within the active hours."""
        local = moment.astimezone(self.zone)
        return self.hours is None or self.hours.include(local.hour * 60 + local.minute)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name; UTC for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return ZoneInfo("UTC")


def offset_of(uid: str, every: timedelta) -> timedelta:
    """The instance's place in the interval, to the second. The same in every process, and spread evenly."""
    return timedelta(seconds=random.Random(f"heartbeat of {uid}").randrange(int(every.total_seconds())))  # noqa: S311 - it spreads load and guards nothing


def next_due(rhythm: Rhythm, after: datetime) -> datetime | None:
    """The first due moment after another, in UTC; None when there is none."""
    on_grid = _on_grid(rhythm, after)
    if rhythm.is_active(on_grid):
        return on_grid
    opening = _next_opening(rhythm, after)
    if opening is None:
        return None
    within = _on_grid(rhythm, opening - timedelta.resolution)
    return within if rhythm.is_active(within) else opening


def latest_due(rhythm: Rhythm, after: datetime, until: datetime) -> datetime | None:
    """The last due moment after one and up to another; None when there is none.

    However many were missed while a process was away or a clock jumped, this is the one that is made up for.
    """
    due = next_due(rhythm, max(after, until - _REMEMBERED))
    latest = None
    while due is not None and due <= until:
        latest, due = due, next_due(rhythm, due)
    return latest


def _on_grid(rhythm: Rhythm, after: datetime) -> datetime:
    begins = _GRID_BEGINS + rhythm.offset
    return begins + ((after.astimezone(UTC) - begins) // rhythm.every + 1) * rhythm.every


def _next_opening(rhythm: Rhythm, after: datetime) -> datetime | None:
    """The next moment at which the active hours begin."""
    if rhythm.hours is None or rhythm.hours.start == rhythm.hours.end:
        return None
    start = time(*divmod(rhythm.hours.start, 60))
    today = after.astimezone(rhythm.zone).date()
    for days in range(_SEARCHED_DAYS):
        # Before it is compared: two times of one zone compare as the wall shows them, whatever the clock did between.
        opening = datetime.combine(today + timedelta(days=days), start, rhythm.zone).astimezone(UTC)
        if opening > after and rhythm.is_active(opening):
            return opening
    return None
