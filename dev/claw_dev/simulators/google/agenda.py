"""The person's calendars: events with etags, what changed since when, channels. Knows nothing of HTTP."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from claw_dev.simulators.google.problems import GoogleProblem, changed, malformed, missing, sync_token_too_old

CHANNEL_LIFE = timedelta(days=7)
_OWN_ID = re.compile(r"[a-v0-9]{5,1024}")
_WRITABLE = frozenset({"summary", "description", "location", "start", "end", "attendees", "status", "transparency"})


@dataclass
class Event:
    """One event. `version` is the calendar's when it was last changed."""

    id: str
    members: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    version: int
    sequence: int = 0

    @property
    def etag(self) -> str:
        """Changes with each change."""
        return f'"{3_000_000_000_000_000 + self.version * 1000}"'

    @property
    def is_cancelled(self) -> bool:
        """Whether it was deleted: its id stays taken, and lists of changes tell of it."""
        return self.members.get("status") == "cancelled"


@dataclass(frozen=True)
class Channel:
    """Who is told about changes of a calendar."""

    id: str
    resource_id: str
    calendar_id: str
    address: str
    token: str | None
    expires_at: datetime


@dataclass(frozen=True)
class Invitation:
    """A mail to a guest, which Google sends for the person."""

    attendee: str
    event_id: str


@dataclass
class Agenda:
    """Calendars by id; `primary` is the person's own. `on_change` is called with each channel of a changed calendar."""

    address: str
    timezone: str
    clock: Callable[[], datetime]
    random: Random
    events: dict[str, dict[str, Event]] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    invitations: list[Invitation] = field(default_factory=list)
    version: int = 1
    oldest_sync: int = 0
    """Sync tokens of an earlier version are too old."""
    on_change: Callable[[Channel], None] = lambda _: None

    def __post_init__(self) -> None:
        """There is always the person's own calendar."""
        self.events.setdefault(self.address, {})

    def calendar(self, calendar_id: str) -> dict[str, Event]:
        """Its events. Raises GoogleProblem 404."""
        found = self.events.get(self.known(calendar_id))
        if found is None:
            raise missing("Not Found")
        return found

    def known(self, calendar_id: str) -> str:
        """The id by which it is really kept."""
        return self.address if calendar_id == "primary" else calendar_id

    def event(self, calendar_id: str, event_id: str) -> Event:
        """The event, even a deleted one. Raises GoogleProblem 404."""
        found = self.calendar(calendar_id).get(event_id)
        if found is None:
            raise missing("Not Found")
        return found

    def insert(self, calendar_id: str, members: dict[str, Any], *, tell: bool = False) -> Event:
        """A new event. Raises GoogleProblem 400, and 409 when its own id was ever used."""
        events = self.calendar(calendar_id)
        event_id = members.get("id") or f"{self.random.getrandbits(128):026x}"
        if not _OWN_ID.fullmatch(event_id):
            raise malformed("Invalid resource id value.", "invalid")
        if event_id in events:
            raise GoogleProblem(409, "The requested identifier already exists.", "duplicate")
        written = self._written(members)
        begin, end = self.span(written)
        if begin >= end:
            raise malformed("The specified time range is empty.", "timeRangeEmpty")
        self.version += 1
        event = Event(event_id, written | {"status": "confirmed"}, self.clock(), self.clock(), self.version)
        events[event_id] = event
        self._tell(calendar_id, event, tell)
        return event

    def patch(
        self, calendar_id: str, event_id: str, members: dict[str, Any], *, if_match: str | None, tell: bool = False
    ) -> Event:
        """Change an event. Raises GoogleProblem 404, 400, and 412 when it is not what the client saw."""
        event = self.event(calendar_id, event_id)
        if if_match not in (None, "*", event.etag):
            raise changed()
        proposed = event.members | self._written(members)
        begin, end = self.span(proposed)
        if begin >= end:
            raise malformed("The specified time range is empty.", "timeRangeEmpty")
        self.version += 1
        event.members = {name: member for name, member in proposed.items() if member is not None}
        event.updated_at, event.version, event.sequence = self.clock(), self.version, event.sequence + 1
        self._tell(calendar_id, event, tell)
        return event

    def delete(self, calendar_id: str, event_id: str) -> None:
        """The person deletes an event."""
        self.patch(calendar_id, event_id, {"status": "cancelled"}, if_match=None)

    def changed_since(self, calendar_id: str, version: int) -> list[Event]:
        """Deleted ones too. Raises GoogleProblem 410."""
        if version < self.oldest_sync or version > self.version:
            raise sync_token_too_old()
        return [event for event in self.calendar(calendar_id).values() if event.version > version]

    def forget_changes(self) -> None:
        """All sync tokens become too old."""
        self.version += 1
        self.oldest_sync = self.version

    def between(self, calendar_id: str, begin: datetime | None, end: datetime | None) -> list[Event]:
        """Events that overlap this time, in their order."""
        found = [
            event
            for event in self.calendar(calendar_id).values()
            if not event.is_cancelled
            and (begin is None or self.span(event.members)[1] > begin)
            and (end is None or self.span(event.members)[0] < end)
        ]
        return sorted(found, key=lambda event: self.span(event.members)[0])

    def watch(self, calendar_id: str, sent: dict[str, Any]) -> Channel:
        """Open a channel. Raises GoogleProblem 400."""
        self.calendar(calendar_id)
        channel_id, address = str(sent.get("id", "")), str(sent.get("address", ""))
        if sent.get("type") not in {"web_hook", "webhook"} or not re.fullmatch(r"[A-Za-z0-9\-_+/=]{1,64}", channel_id):
            raise malformed("Invalid channel", "invalid")
        if not address.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise malformed("WebHook callback must be HTTPS", "push.webhookUrlNotHttps")
        if channel_id in self.channels:
            raise malformed(f"Channel id {channel_id} not unique", "channelIdNotUnique")
        resource_id = f"o3hgv{hashlib.sha256(self.known(calendar_id).encode()).hexdigest()[:20]}"
        token = sent.get("token")
        channel = Channel(channel_id, resource_id, calendar_id, address, token, self.clock() + CHANNEL_LIFE)
        self.channels[channel_id] = channel
        return channel

    def stop(self, channel_id: str, resource_id: str) -> None:
        """Close a channel. Raises GoogleProblem 404."""
        channel = self.channels.get(channel_id)
        if channel is None or channel.resource_id != resource_id:
            raise missing(f"Channel '{channel_id}' not found for project '1234'")
        del self.channels[channel_id]

    def span(self, members: dict[str, Any]) -> tuple[datetime, datetime]:
        """When it begins and ends, in UTC. Raises GoogleProblem 400."""
        return self._moment(members.get("start")), self._moment(members.get("end"))

    def _moment(self, told: Any) -> datetime:
        if not isinstance(told, dict) or not (told.get("dateTime") or told.get("date")):
            raise malformed("Missing end time.", "required")
        try:
            moment = datetime.fromisoformat(told.get("dateTime") or told["date"])
            zone = ZoneInfo(told.get("timeZone") or self.timezone)
        except (ValueError, KeyError, OSError):
            raise malformed("Bad Request", "badRequest") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)

    def _written(self, members: dict[str, Any]) -> dict[str, Any]:
        return {name: member for name, member in members.items() if name in _WRITABLE}

    def _tell(self, calendar_id: str, event: Event, guests: bool) -> None:
        if guests:
            told = [str(guest.get("email")) for guest in event.members.get("attendees") or ()]
            self.invitations += [Invitation(guest, event.id) for guest in told]
        for channel in list(self.channels.values()):
            if self.known(channel.calendar_id) == self.known(calendar_id) and channel.expires_at > self.clock():
                self.on_change(channel)
