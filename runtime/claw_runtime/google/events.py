"""Events as Calendar tells them, and as people read them. Pure."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from claw_runtime.google.mails import GoogleModel

MAX_SHOWN_GUESTS: Final = 20


class Moment(GoogleModel):
    """A time, or a whole day."""

    date_time: str | None = None
    date: str | None = None
    time_zone: str | None = None

    def told(self, zone: tzinfo) -> str:
        """For a person in this zone."""
        if self.date_time is None:
            return f"{self.date or '?'} (all day)"
        try:
            return datetime.fromisoformat(self.date_time).astimezone(zone).strftime("%a %Y-%m-%d %H:%M")
        except ValueError:
            return self.date_time[:40]


class Guest(GoogleModel):
    """Somebody who is invited."""

    email: str = ""
    response_status: str = ""
    self: bool = False


class Event(GoogleModel):
    """One event; of a deleted one there is hardly more than its id."""

    id: str
    etag: str = ""
    status: str = ""
    summary: str = ""
    description: str = ""
    location: str = ""
    html_link: str = ""
    updated: str = ""
    start: Moment = Moment()
    end: Moment = Moment()
    attendees: tuple[Guest, ...] = ()

    @property
    def guests(self) -> tuple[str, ...]:
        """The addresses of others."""
        return tuple(guest.email for guest in self.attendees if not guest.self)

    @property
    def is_cancelled(self) -> bool:
        """Whether it was deleted."""
        return self.status == "cancelled"


class Busy(GoogleModel):
    """A time in which somebody is not free."""

    start: datetime
    end: datetime


def told(event: Event, zone: tzinfo) -> str:
    """An event in some lines."""
    lines = [f"{event.start.told(zone)} to {event.end.told(zone)}: {event.summary or '(no title)'}  [id {event.id}]"]
    if event.location:
        lines.append(f"  at {event.location[:200]}")
    if event.guests:
        guests = ", ".join(f"{guest.email} ({guest.response_status or 'invited'})" for guest in event.attendees)
        lines.append(f"  guests: {guests[:1500]}")
    if event.description:
        lines.append(f"  {' '.join(event.description.split())[:500]}")
    return "\n".join(lines)


def zone_of(name: str | None) -> ZoneInfo:
    """The customer's time zone; UTC when it is unknown here."""
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, KeyError, OSError):
        return ZoneInfo("UTC")


def placed(moment: datetime | date, zone: ZoneInfo) -> dict[str, Any]:
    """A time as Calendar takes it. One without an offset is meant in the customer's zone."""
    if not isinstance(moment, datetime):
        return {"date": moment.isoformat(), "dateTime": None, "timeZone": None}
    local = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return {"dateTime": local.isoformat(timespec="seconds"), "timeZone": zone.key, "date": None}


def bound(moment: datetime, zone: ZoneInfo) -> str:
    """A limit of a search, in UTC."""
    local = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return local.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def changed_guests(event: Event, added: Sequence[str], removed: Sequence[str]) -> list[dict[str, Any]]:
    """The guests as they are to be. Those who stay keep what they answered."""
    leaving = {address.lower() for address in removed}
    staying = [
        guest.model_dump(by_alias=True, exclude_defaults=True)
        for guest in event.attendees
        if guest.email.lower() not in leaving
    ]
    present = {guest.email.lower() for guest in event.attendees}
    return [*staying, *({"email": address} for address in added if address.lower() not in present)]
