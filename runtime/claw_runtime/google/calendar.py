"""Calendar's API, as far as the assistant uses it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from pydantic import Field

from claw_runtime.google.api import Api, Nothing
from claw_runtime.google.events import Busy, Event
from claw_runtime.google.failures import GoogleRefused
from claw_runtime.google.http import Request
from claw_runtime.google.mails import GoogleModel

PRIMARY: Final = "primary"
SYNC_PAGES: Final = 20


class _Events(GoogleModel):
    items: tuple[Event, ...] = ()
    next_page_token: str | None = None
    next_sync_token: str | None = None


class _Errors(GoogleModel):
    reason: str = ""


class FreeBusy(GoogleModel):
    """When one calendar's owner is busy; `errors` when Google does not tell."""

    busy: tuple[Busy, ...] = ()
    errors: tuple[_Errors, ...] = ()


class _FreeBusyAnswer(GoogleModel):
    calendars: dict[str, FreeBusy] = Field(default_factory=dict)


class _Channel(GoogleModel):
    resource_id: str
    expiration: int


class KnownCalendar(GoogleModel):
    """A calendar that the customer sees."""

    id: str
    summary: str = ""
    primary: bool = False


class _CalendarList(GoogleModel):
    items: tuple[KnownCalendar, ...] = ()


@dataclass(frozen=True)
class Changes:
    """What changed in a calendar, and from where to go on."""

    events: tuple[Event, ...]
    sync_token: str | None


class Calendar:
    """The customer's calendars. Methods raise GoogleRefused, GoogleAway, Problem when not connected, DatabaseAway."""

    def __init__(self, api: Api, url: str) -> None:
        self._api = api
        self._url = url

    async def calendars(self) -> tuple[KnownCalendar, ...]:
        """Those that the customer sees."""
        request = Request("GET", f"{self._url}/users/me/calendarList", {"maxResults": "50"})
        return (await self._api.ask("calendar", request, _CalendarList)).items

    async def events(self, since: str, until: str, words: str, limit: int, calendar_id: str) -> tuple[Event, ...]:
        """Events between these times, in their order; each time of a repeated one by itself."""
        query: dict[str, str | list[str]] = {
            "timeMin": since,
            "timeMax": until,
            "singleEvents": "true",
            "orderBy": "startTime",
            "maxResults": str(limit),
        }
        if words:
            query["q"] = words
        return (await self._api.ask("calendar", Request("GET", self._events(calendar_id), query), _Events)).items

    async def event(self, calendar_id: str, event_id: str) -> Event:
        """One event."""
        return await self._api.ask("calendar", Request("GET", self._event(calendar_id, event_id)), Event)

    async def create(self, calendar_id: str, event_id: str, members: Mapping[str, Any], *, invite: bool) -> Event:
        """A new event under our own id, so that asking twice makes one. `invite` sends mails to the guests."""
        request = Request(
            "POST", self._events(calendar_id), _told_guests(invite), json={"id": event_id} | dict(members)
        )
        try:
            return await self._api.ask("calendar", request, Event)
        except GoogleRefused as error:
            if error.status != 409:
                raise
        return await self.event(calendar_id, event_id)

    async def change(self, calendar_id: str, event: Event, members: Mapping[str, Any], *, invite: bool) -> Event:
        """Change an event as it was seen. Raises GoogleRefused 412 when somebody changed it meanwhile."""
        request = Request(
            "PATCH",
            self._event(calendar_id, event.id),
            _told_guests(invite),
            json=members,
            headers={"If-Match": event.etag},
            repeatable=False,  # done once, the etag is another one, and the second try would tell of a conflict
        )
        return await self._api.ask("calendar", request, Event)

    async def free_busy(self, since: str, until: str, calendars: Sequence[str]) -> dict[str, FreeBusy]:
        """When these people are busy, as far as Google tells."""
        wanted = {"timeMin": since, "timeMax": until, "items": [{"id": calendar} for calendar in calendars]}
        request = Request("POST", f"{self._url}/freeBusy", json=wanted)
        return (await self._api.ask("calendar", request, _FreeBusyAnswer)).calendars

    async def changes(self, sync_token: str | None, now: datetime) -> Changes:
        """What changed since the token; without one, what is to come, and from where to go on.

        Raises GoogleRefused 410 when Google has forgotten that point.
        """
        start = now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
        query: dict[str, str | list[str]] = {"singleEvents": "true", "maxResults": "250"}
        query |= {"syncToken": sync_token} if sync_token is not None else {"timeMin": start}
        events: list[Event] = []
        for _ in range(SYNC_PAGES):
            page = await self._api.ask("calendar", Request("GET", self._events(PRIMARY), query), _Events)
            events += page.items
            if page.next_page_token is None:
                return Changes(tuple(events), page.next_sync_token)
            query["pageToken"] = page.next_page_token
        return Changes(tuple(events), None)  # more than anybody plans: begin afresh next time

    async def open_channel(self, channel_id: uuid.UUID, address: str, token: str) -> tuple[str, datetime]:
        """Be told of changes at this address. Returns the id that Google gives, and until when."""
        wanted = {"id": str(channel_id), "type": "web_hook", "address": address, "token": token}
        request = Request("POST", f"{self._events(PRIMARY)}/watch", json=wanted, repeatable=False)
        channel = await self._api.ask("calendar", request, _Channel)
        return channel.resource_id, datetime.fromtimestamp(channel.expiration / 1000, UTC)

    async def close_channel(self, channel_id: uuid.UUID, resource_id: str) -> None:
        """Be told no more. One that is gone already is fine."""
        request = Request("POST", f"{self._url}/channels/stop", json={"id": str(channel_id), "resourceId": resource_id})
        try:
            await self._api.ask("calendar", request, Nothing)
        except GoogleRefused as error:
            if error.status != 404:
                raise

    def _events(self, calendar_id: str) -> str:
        return f"{self._url}/calendars/{quote(calendar_id, safe='')}/events"

    def _event(self, calendar_id: str, event_id: str) -> str:
        return f"{self._events(calendar_id)}/{quote(event_id, safe='')}"


def _told_guests(invite: bool) -> dict[str, str | list[str]]:
    return {"sendUpdates": "all" if invite else "none"}
