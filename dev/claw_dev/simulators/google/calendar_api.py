"""Calendar's routes."""

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from claw_dev.simulators.google.agenda import Agenda, Channel, Event
from claw_dev.simulators.google.problems import malformed
from claw_dev.simulators.google.protocol import scoped

_AUTH = "https://www.googleapis.com/auth/calendar"
_ALL = frozenset({_AUTH})
READING = _ALL | {_AUTH + ".readonly", _AUTH + ".events", _AUTH + ".events.readonly"}
LISTING = _ALL | {_AUTH + ".readonly", _AUTH + ".calendarlist", _AUTH + ".calendarlist.readonly"}
WRITING = _ALL | {_AUTH + ".events"}
FREE_BUSY = _ALL | {_AUTH + ".readonly", _AUTH + ".freebusy", _AUTH + ".events.freebusy"}
_PREFIX = "/calendar/v3"
_EVENTS = _PREFIX + "/calendars/{calendarId}/events"
_NOT_WITH_SYNC_TOKEN = ("orderBy", "q", "timeMin", "timeMax", "updatedMin", "iCalUID")


class CalendarApi:
    """Answers for the person's calendars."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    def routes(self) -> list[web.RouteDef]:
        """As on www.googleapis.com."""
        return [
            web.get(_PREFIX + "/users/me/calendarList", scoped(LISTING, self._calendars)),
            web.post(_PREFIX + "/freeBusy", scoped(FREE_BUSY, self._free_busy)),
            web.post(_PREFIX + "/channels/stop", scoped(READING, self._stop)),
            web.get(_EVENTS, scoped(READING, self._events)),
            web.post(_EVENTS, scoped(WRITING, self._insert)),
            web.post(_EVENTS + "/watch", scoped(READING, self._watch)),
            web.get(_EVENTS + "/{eventId}", scoped(READING, self._event)),
            web.patch(_EVENTS + "/{eventId}", scoped(WRITING, self._patch)),
        ]

    async def _calendars(self, _: web.Request) -> Any:
        items = [
            {
                "kind": "calendar#calendarListEntry",
                "etag": f'"{number}"',
                "id": calendar_id,
                "summary": calendar_id,
                "timeZone": self._agenda.timezone,
                "accessRole": "owner",
                "defaultReminders": [],
                "selected": True,
            }
            | ({"primary": True} if calendar_id == self._agenda.address else {})
            for number, calendar_id in enumerate(self._agenda.events, 1)
        ]
        return {"kind": "calendar#calendarList", "etag": f'"p{len(items)}"', "nextSyncToken": "CI==", "items": items}

    async def _events(self, request: web.Request) -> Any:
        asked, agenda = request.query, self._agenda
        calendar_id = request.match_info["calendarId"]
        if token := asked.get("syncToken"):
            if any(name in asked for name in _NOT_WITH_SYNC_TOKEN):
                raise malformed("Sync token cannot be used with other query restrictions.", "badRequest")
            found = agenda.changed_since(calendar_id, _version(token))
        else:
            if asked.get("orderBy") == "startTime" and asked.get("singleEvents") != "true":
                raise malformed("The requested ordering is not available for the particular query.", "badRequest")
            found = agenda.between(calendar_id, _time(asked.get("timeMin")), _time(asked.get("timeMax")))
            words = asked.get("q", "").lower().split()
            found = [event for event in found if all(word in str(event.members).lower() for word in words)]
        return self._listed(request, found)

    def _listed(self, request: web.Request, found: list[Event]) -> dict[str, Any]:
        size = min(int(request.query.get("maxResults", "250")), 2500)
        begin = int(request.query.get("pageToken") or 0)
        page = {
            "kind": "calendar#events",
            "etag": f'"p{self._agenda.version}"',
            "summary": self._agenda.known(request.match_info["calendarId"]),
            "description": "",
            "updated": _rfc3339(self._agenda.clock()),
            "timeZone": self._agenda.timezone,
            "accessRole": "owner",
            "defaultReminders": [{"method": "popup", "minutes": 10}],
            "items": [self._shown(event) for event in found[begin : begin + size]],
        }
        if begin + size < len(found):
            return page | {"nextPageToken": str(begin + size)}
        # Only the last page has it, and never one of a list in an order of its own.
        return page if "orderBy" in request.query else page | {"nextSyncToken": f"CPDAlv{self._agenda.version}=="}

    async def _event(self, request: web.Request) -> Any:
        return self._shown(self._agenda.event(request.match_info["calendarId"], request.match_info["eventId"]))

    async def _insert(self, request: web.Request) -> Any:
        tell = request.query.get("sendUpdates") in {"all", "externalOnly"}
        return self._shown(self._agenda.insert(request.match_info["calendarId"], await _json(request), tell=tell))

    async def _patch(self, request: web.Request) -> Any:
        event = self._agenda.patch(
            request.match_info["calendarId"],
            request.match_info["eventId"],
            await _json(request),
            if_match=request.headers.get("If-Match"),
            tell=request.query.get("sendUpdates") in {"all", "externalOnly"},
        )
        return self._shown(event)

    async def _free_busy(self, request: web.Request) -> Any:
        sent = await _json(request)
        begin, end = _time(sent.get("timeMin")), _time(sent.get("timeMax"))
        if begin is None or end is None:
            raise malformed("Missing timeMin parameter.", "required")
        return {
            "kind": "calendar#freeBusy",
            "timeMin": _rfc3339(begin),
            "timeMax": _rfc3339(end),
            "calendars": {str(item["id"]): self._busy(str(item["id"]), begin, end) for item in sent.get("items", [])},
        }

    def _busy(self, calendar_id: str, begin: datetime, end: datetime) -> dict[str, Any]:
        if self._agenda.known(calendar_id) not in self._agenda.events:
            return {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
        spans = [
            self._agenda.span(event.members)
            for event in self._agenda.between(calendar_id, begin, end)
            if event.members.get("transparency") != "transparent"
        ]
        return {"busy": [{"start": _rfc3339(max(a, begin)), "end": _rfc3339(min(b, end))} for a, b in spans]}

    async def _watch(self, request: web.Request) -> Any:
        channel = self._agenda.watch(request.match_info["calendarId"], await _json(request))
        self._agenda.on_change(channel)
        return self._shown_channel(channel)

    async def _stop(self, request: web.Request) -> Any:
        sent = await _json(request)
        self._agenda.stop(str(sent.get("id")), str(sent.get("resourceId")))

    def _shown_channel(self, channel: Channel) -> dict[str, Any]:
        shown = {
            "kind": "api#channel",
            "id": channel.id,
            "resourceId": channel.resource_id,
            "resourceUri": f"https://www.googleapis.com/calendar/v3/calendars/{channel.calendar_id}/events?alt=json",
            "expiration": str(int(channel.expires_at.timestamp() * 1000)),
        }
        return shown | ({"token": channel.token} if channel.token else {})

    def _shown(self, event: Event) -> dict[str, Any]:
        person = {"email": self._agenda.address, "self": True}
        if event.is_cancelled:
            return {"kind": "calendar#event", "etag": event.etag, "id": event.id, "status": "cancelled"}
        return event.members | {
            "kind": "calendar#event",
            "etag": event.etag,
            "id": event.id,
            "htmlLink": f"https://www.google.com/calendar/event?eid={event.id}",
            "created": _rfc3339(event.created_at),
            "updated": _rfc3339(event.updated_at, "milliseconds"),
            "creator": person,
            "organizer": person,
            "iCalUID": f"{event.id}@google.com",
            "sequence": event.sequence,
            "reminders": {"useDefault": True},
            "eventType": "default",
        }


def _version(token: str) -> int:
    try:
        return int(token.removeprefix("CPDAlv").rstrip("="))
    except ValueError:
        return -1  # as old as can be


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise malformed("Bad Request", "badRequest") from None
    if moment.tzinfo is None:
        raise malformed("Bad Request", "badRequest")
    return moment.astimezone(UTC)


def _rfc3339(moment: datetime, precision: str = "seconds") -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        raise malformed("Parse Error", "parseError") from None
    return body if isinstance(body, dict) else {}
