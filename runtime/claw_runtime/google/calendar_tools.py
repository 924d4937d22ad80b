"""The assistant's tools for the calendar. Invitations leave only when the customer has confirmed them."""

import hashlib
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from claw_runtime.google.calendar import PRIMARY, Calendar, FreeBusy
from claw_runtime.google.calendar_inputs import CalendarCreate, CalendarFreeBusy, CalendarList, CalendarUpdate, When
from claw_runtime.google.events import Event, bound, changed_guests, placed, told, zone_of
from claw_runtime.google.failures import GoogleRefused
from claw_runtime.google.incoming import Incoming
from claw_runtime.google.showing import shown
from claw_runtime.text import headline, visible
from claw_runtime.tools import Proposal, Source, Tool, ToolContext, ToolInput, ToolRefused, ToolResult


def tools(calendar: Calendar, incoming: Incoming) -> tuple[Tool[Any], ...]:
    """The tools for these calendars."""
    agenda = _Agenda(calendar, incoming)
    chat: frozenset[Source] = frozenset({"chat"})  # what changes something is asked for by somebody
    return (
        Tool("calendar_list", "Events in the customer's calendar.", "calendar", CalendarList, agenda.list),
        Tool("calendar_free_busy", "When people are busy.", "calendar", CalendarFreeBusy, agenda.free_busy),
        Tool(
            "calendar_create",
            "Put an event into the customer's calendar. With attendees it is only proposed.",
            "calendar",
            CalendarCreate,
            agenda.create,
            leaves=True,
            asks=True,
            sources=chat,
        ),
        Tool(
            "calendar_update",
            "Change or cancel an event. One with attendees is only proposed, since they are told.",
            "calendar",
            CalendarUpdate,
            agenda.update,
            leaves=True,
            asks=True,
            sources=chat,
        ),
    )


class _Agenda:
    def __init__(self, calendar: Calendar, incoming: Incoming) -> None:
        self._calendar = calendar
        self._incoming = incoming

    async def list(self, context: ToolContext, asked: CalendarList) -> ToolResult:
        zone = _zone(context)
        since, until = bound(asked.since, zone), bound(asked.until, zone)
        events = await self._calendar.events(since, until, asked.query, asked.limit, asked.calendar_id)
        if not events:
            return ToolResult("There is nothing in the calendar then.")
        lines = [told(event, zone) for event in events]
        return ToolResult(f"Times in {zone.key}.\n" + "\n".join(lines), untrusted=True)

    async def free_busy(self, context: ToolContext, asked: CalendarFreeBusy) -> ToolResult:
        zone = _zone(context)
        since, until = bound(asked.since, zone), bound(asked.until, zone)
        found = await self._calendar.free_busy(since, until, [PRIMARY, *asked.calendars])
        lines = [_told_busy(calendar, times, zone) for calendar, times in found.items()]
        return ToolResult(f"Times in {zone.key}.\n" + "\n".join(lines))

    async def create(self, context: ToolContext, asked: CalendarCreate) -> ToolResult:
        zone = _zone(context)
        if asked.attendees and not context.confirmed:
            guests = ", ".join(asked.attendees)
            where = f", at {visible(asked.location)}" if asked.location else ""
            when = _span_told(asked.starts_at, asked.ends_at, zone)
            summary = f"Invite {guests} to “{visible(asked.title)}”, {when}{where}{_described(asked.description)}"
            return _proposed("calendar_create", asked, summary)
        members: dict[str, Any] = {
            "summary": asked.title,
            "start": _given(placed(asked.starts_at, zone)),
            "end": _given(placed(asked.ends_at, zone)),
        }
        members |= {"location": asked.location} if asked.location else {}
        members |= {"description": asked.description} if asked.description else {}
        members |= {"attendees": [{"email": address} for address in asked.attendees]} if asked.attendees else {}
        # The same wish in the same turn has the same id: Google itself refuses to make it twice.
        wish = f"{context.turn}{asked.model_dump_json()}"
        event_id = hashlib.sha256(wish.encode()).hexdigest()[:40]
        event = await self._calendar.create(asked.calendar_id, event_id, members, invite=bool(asked.attendees))
        self._incoming.own_change(event)
        return ToolResult(f"It is in the calendar:\n{told(event, zone)}")

    async def update(self, context: ToolContext, asked: CalendarUpdate) -> ToolResult:
        zone = _zone(context)
        event = await self._calendar.event(asked.calendar_id, asked.id)
        if event.is_cancelled:
            raise ToolRefused("This event was cancelled.")
        members = _changes(event, asked, zone)
        if not members:
            raise ToolRefused("Say what is to change.")
        guests = tuple(dict.fromkeys([*event.guests, *asked.add_attendees]))
        if guests and not context.confirmed:
            what = "Cancel" if asked.cancel else "Change"
            summary = (
                f"{what} “{headline(event.summary, 120)}”, {_difference(asked, zone)} and tell {', '.join(guests)}"
                f"{_described(asked.description)}"
            )
            return _proposed("calendar_update", asked, summary)
        try:
            changed = await self._calendar.change(asked.calendar_id, event, members, invite=bool(guests))
        except GoogleRefused as error:
            if error.status == 412:
                raise ToolRefused("Somebody has just changed this event. Look at it again first.") from None
            raise
        self._incoming.own_change(changed)
        if asked.cancel:
            return ToolResult("The event was cancelled.")
        return ToolResult(f"It is changed:\n{told(changed, zone)}", untrusted=True)


def _proposed(tool: str, asked: ToolInput, summary: str) -> ToolResult:
    proposal = Proposal(tool, asked.model_dump(mode="json"), summary)
    return ToolResult(
        "Nothing was done yet: others would be told, so the customer has to confirm it.", proposal=proposal
    )


def _changes(event: Event, asked: CalendarUpdate, zone: ZoneInfo) -> dict[str, Any]:
    if asked.cancel:
        return {"status": "cancelled"}
    members: dict[str, Any] = {
        name: value
        for name, value in (
            ("summary", asked.title),
            ("location", asked.location),
            ("description", asked.description),
        )
        if value is not None
    }
    if asked.starts_at is not None and asked.ends_at is not None:
        members |= {"start": placed(asked.starts_at, zone), "end": placed(asked.ends_at, zone)}
    if asked.add_attendees or asked.remove_attendees:
        members["attendees"] = changed_guests(event, asked.add_attendees, asked.remove_attendees)
    return members


def _difference(asked: CalendarUpdate, zone: ZoneInfo) -> str:
    said = [f"now “{visible(asked.title)}”"] if asked.title is not None else []
    if asked.starts_at is not None and asked.ends_at is not None:
        said.append(f"now {_span_told(asked.starts_at, asked.ends_at, zone)}")
    said += [f"at {visible(asked.location) or 'no place'}"] if asked.location is not None else []
    if asked.description is not None:
        said.append("with another description" if asked.description else "without a description")
    said += [f"without {', '.join(asked.remove_attendees)}"] if asked.remove_attendees else []
    return ", ".join(said)


def _described(description: str | None) -> str:
    return f":\n\n{shown(description, 'Make the description shorter.')}" if description else ""


def _span_told(begin: When, end: When, zone: ZoneInfo) -> str:
    if not isinstance(begin, datetime) or not isinstance(end, datetime):
        return f"{begin} to {end}"
    local = [moment.astimezone(zone) if moment.tzinfo else moment for moment in (begin, end)]
    return f"{local[0]:%a %Y-%m-%d %H:%M} to {local[1]:%H:%M}"


def _told_busy(calendar: str, found: FreeBusy, zone: ZoneInfo) -> str:
    name = "The customer" if calendar == PRIMARY else calendar
    if found.errors:
        return f"{name}: Google does not tell"
    busy = [
        f"{time.start.astimezone(zone):%a %Y-%m-%d %H:%M} to {time.end.astimezone(zone):%H:%M}" for time in found.busy
    ]
    return f"{name}: {'; '.join(busy[:100]) or 'free all the time'}"


def _given(moment: dict[str, Any]) -> dict[str, Any]:
    """Without the members that only a change needs, to clear what was there."""
    return {name: value for name, value in moment.items() if value is not None}


def _zone(context: ToolContext) -> ZoneInfo:
    return zone_of(context.configuration.customer.timezone)
