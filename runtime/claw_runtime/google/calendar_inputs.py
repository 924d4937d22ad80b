"""What the calendar's tools take: times that make sense, guests that are addresses. Pure."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from claw_runtime.google.calendar import PRIMARY
from claw_runtime.google.gmail_tools import Address, Addresses, Line
from claw_runtime.text import Text
from claw_runtime.tools import ToolInput

MOST_DAYS: Final = 366
MOST_CALENDARS: Final = 10


def _whole_day(value: object) -> object:
    """A day that is written without a time is meant as a day; pydantic would make it midnight."""
    return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else value


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
When = Annotated[datetime | date, BeforeValidator(_whole_day)]
CalendarId = Annotated[str, StringConstraints(min_length=1, max_length=250, pattern=r"^[^\x00-\x20/?#]+$")]
EventId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_@.-]{1,1024}$")]
Notes = Annotated[Text, StringConstraints(max_length=8000)]

_WHEN = "ISO 8601. Without an offset it is meant in the customer's time zone; a date alone is a whole day."


class _Span(ToolInput):
    since: datetime = Field(description="ISO 8601; without an offset in the customer's time zone.")
    until: datetime

    @model_validator(mode="after")
    def _in_order(self) -> "_Span":
        if (self.since.tzinfo is None) != (self.until.tzinfo is None):
            raise ValueError("give both times with an offset, or both without")
        if not timedelta(0) < self.until - self.since <= timedelta(days=MOST_DAYS):
            raise ValueError(f"until must come after since, by {MOST_DAYS} days at most")
        return self


class CalendarList(_Span):
    """Which events."""

    query: Annotated[Text, StringConstraints(max_length=300)] = ""
    limit: int = Field(default=25, ge=1, le=100)
    calendar_id: CalendarId = PRIMARY


class CalendarCreate(ToolInput):
    """An event."""

    title: Line
    starts_at: When = Field(description=_WHEN)
    ends_at: When = Field(description="Like starts_at; of whole days, the day after the last one.")
    location: Line = ""
    description: Notes = ""
    attendees: Addresses = Field(default=(), description="Each is sent an invitation, once the customer has confirmed.")
    calendar_id: CalendarId = PRIMARY

    @model_validator(mode="after")
    def _in_order(self) -> "CalendarCreate":
        _check_order(self.starts_at, self.ends_at)
        return self


class CalendarUpdate(ToolInput):
    """What changes of an event. What is not given stays."""

    id: EventId = Field(description="As calendar_list gives it.")
    title: Line | None = None
    starts_at: When | None = Field(default=None, description=_WHEN + " Only together with ends_at.")
    ends_at: When | None = None
    location: Line | None = None
    description: Notes | None = None
    add_attendees: Addresses = ()
    remove_attendees: Addresses = ()
    cancel: bool = Field(default=False, description="Take the event out of the calendar.")
    calendar_id: CalendarId = PRIMARY

    @model_validator(mode="after")
    def _whole(self) -> "CalendarUpdate":
        if (self.starts_at is None) != (self.ends_at is None):
            raise ValueError("give starts_at and ends_at together")
        if self.starts_at is not None and self.ends_at is not None:
            _check_order(self.starts_at, self.ends_at)
        return self


class CalendarFreeBusy(_Span):
    """Whose time."""

    calendars: Annotated[tuple[Address, ...], Field(max_length=MOST_CALENDARS)] = Field(
        default=(),
        description="Addresses of people who share their time with the customer. The customer's is included.",
    )


def _check_order(begin: When, end: When) -> None:
    if isinstance(begin, datetime) != isinstance(end, datetime):
        raise ValueError("give two times, or two dates")
    if isinstance(begin, datetime) and isinstance(end, datetime) and (begin.tzinfo is None) != (end.tzinfo is None):
        raise ValueError("give both times with an offset, or both without")
    if begin >= end:
        raise ValueError("ends_at must come after starts_at")
