"""Facts of Google's discovery documents (gmail v1, calendar v3), as a table: methods, and what they answer.

A member is written as the documents have it: `int64` and `uint64` are strings of digits in JSON, `int32` and `uint32`
are numbers, `byte` is base64url. `[X]` is a list of X, `{X}` a map from names to X, a capital letter another record.
"""

import re
from dataclasses import dataclass
from typing import Any

GMAIL, CALENDAR = "/gmail/v1/users/me", "/calendar/v3"


@dataclass(frozen=True)
class Method:
    """One method of the documents: `POST gmail/v1/users/{userId}/drafts`."""

    id: str
    http: str
    path: str
    answer: str
    """The record; empty for none."""


METHODS = (
    Method("gmail.users.getProfile", "GET", GMAIL + "/profile", "Profile"),
    Method("gmail.users.messages.list", "GET", GMAIL + "/messages", "ListMessagesResponse"),
    Method("gmail.users.messages.get", "GET", GMAIL + "/messages/{id}", "Message"),
    Method("gmail.users.messages.send", "POST", GMAIL + "/messages/send", "Message"),
    Method("gmail.users.threads.list", "GET", GMAIL + "/threads", "ListThreadsResponse"),
    Method("gmail.users.threads.get", "GET", GMAIL + "/threads/{id}", "Thread"),
    Method("gmail.users.drafts.list", "GET", GMAIL + "/drafts", "ListDraftsResponse"),
    Method("gmail.users.drafts.get", "GET", GMAIL + "/drafts/{id}", "Draft"),
    Method("gmail.users.drafts.create", "POST", GMAIL + "/drafts", "Draft"),
    Method("gmail.users.drafts.send", "POST", GMAIL + "/drafts/send", "Message"),
    Method("gmail.users.history.list", "GET", GMAIL + "/history", "ListHistoryResponse"),
    Method("gmail.users.watch", "POST", GMAIL + "/watch", "WatchResponse"),
    Method("gmail.users.stop", "POST", GMAIL + "/stop", ""),
    Method("calendar.calendarList.list", "GET", CALENDAR + "/users/me/calendarList", "CalendarList"),
    Method("calendar.events.list", "GET", CALENDAR + "/calendars/{calendarId}/events", "Events"),
    Method("calendar.events.get", "GET", CALENDAR + "/calendars/{calendarId}/events/{eventId}", "Event"),
    Method("calendar.events.insert", "POST", CALENDAR + "/calendars/{calendarId}/events", "Event"),
    Method("calendar.events.patch", "PATCH", CALENDAR + "/calendars/{calendarId}/events/{eventId}", "Event"),
    Method("calendar.events.watch", "POST", CALENDAR + "/calendars/{calendarId}/events/watch", "Channel"),
    Method("calendar.channels.stop", "POST", CALENDAR + "/channels/stop", ""),
    Method("calendar.freebusy.query", "POST", CALENDAR + "/freeBusy", "FreeBusyResponse"),
)

RECORDS: dict[str, dict[str, str]] = {
    "Profile": {
        "emailAddress": "string",
        "historyId": "uint64",
        "messagesTotal": "int32",
        "threadsTotal": "int32",
    },
    "Message": {
        "id": "string",
        "threadId": "string",
        "labelIds": "[string]",
        "snippet": "string",
        "historyId": "uint64",
        "internalDate": "int64",
        "sizeEstimate": "int32",
        "raw": "byte",
        "payload": "MessagePart",
    },
    "MessagePart": {
        "partId": "string",
        "mimeType": "string",
        "filename": "string",
        "headers": "[MessagePartHeader]",
        "body": "MessagePartBody",
        "parts": "[MessagePart]",
    },
    "MessagePartHeader": {"name": "string", "value": "string"},
    "MessagePartBody": {"attachmentId": "string", "data": "byte", "size": "int32"},
    "ListMessagesResponse": {"messages": "[Message]", "nextPageToken": "string", "resultSizeEstimate": "uint32"},
    "ListThreadsResponse": {"threads": "[Thread]", "nextPageToken": "string", "resultSizeEstimate": "uint32"},
    "Thread": {"id": "string", "snippet": "string", "historyId": "uint64", "messages": "[Message]"},
    "ListDraftsResponse": {"drafts": "[Draft]", "nextPageToken": "string", "resultSizeEstimate": "uint32"},
    "Draft": {"id": "string", "message": "Message"},
    "ListHistoryResponse": {"history": "[History]", "historyId": "uint64", "nextPageToken": "string"},
    "History": {"id": "uint64", "messages": "[Message]", "messagesAdded": "[HistoryMessageAdded]"},
    "HistoryMessageAdded": {"message": "Message"},
    "WatchResponse": {"expiration": "int64", "historyId": "uint64"},
    "CalendarList": {
        "kind": "string",
        "etag": "string",
        "items": "[CalendarListEntry]",
        "nextPageToken": "string",
        "nextSyncToken": "string",
    },
    "CalendarListEntry": {
        "kind": "string",
        "etag": "string",
        "id": "string",
        "summary": "string",
        "timeZone": "string",
        "accessRole": "string",
        "defaultReminders": "[EventReminder]",
        "primary": "boolean",
        "selected": "boolean",
    },
    "EventReminder": {"method": "string", "minutes": "int32"},
    "Events": {
        "kind": "string",
        "etag": "string",
        "summary": "string",
        "description": "string",
        "updated": "date-time",
        "timeZone": "string",
        "accessRole": "string",
        "defaultReminders": "[EventReminder]",
        "items": "[Event]",
        "nextPageToken": "string",
        "nextSyncToken": "string",
    },
    "Event": {
        "kind": "string",
        "etag": "string",
        "id": "string",
        "status": "string",
        "htmlLink": "string",
        "created": "date-time",
        "updated": "date-time",
        "summary": "string",
        "description": "string",
        "location": "string",
        "creator": "Person",
        "organizer": "Person",
        "start": "EventDateTime",
        "end": "EventDateTime",
        "iCalUID": "string",
        "sequence": "int32",
        "attendees": "[EventAttendee]",
        "reminders": "Reminders",
        "transparency": "string",
        "eventType": "string",
    },
    "Person": {"id": "string", "email": "string", "displayName": "string", "self": "boolean"},
    "EventDateTime": {"date": "date", "dateTime": "date-time", "timeZone": "string"},
    "EventAttendee": {"email": "string", "responseStatus": "string", "self": "boolean", "organizer": "boolean"},
    "Reminders": {"useDefault": "boolean", "overrides": "[EventReminder]"},
    "Channel": {
        "kind": "string",
        "id": "string",
        "resourceId": "string",
        "resourceUri": "string",
        "token": "string",
        "expiration": "int64",
        "type": "string",
        "address": "string",
        "payload": "boolean",
    },
    "FreeBusyResponse": {
        "kind": "string",
        "timeMin": "date-time",
        "timeMax": "date-time",
        "calendars": "{FreeBusyCalendar}",
    },
    "FreeBusyCalendar": {"busy": "[TimePeriod]", "errors": "[Error]"},
    "TimePeriod": {"start": "date-time", "end": "date-time"},
    "Error": {"domain": "string", "reason": "string"},
}

_PLAIN: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "int32": {"type": "integer"},
    "uint32": {"type": "integer", "minimum": 0},
    "int64": {"type": "string", "pattern": r"^-?\d{1,19}$"},
    "uint64": {"type": "string", "pattern": r"^\d{1,20}$"},
    "byte": {"type": "string", "pattern": r"^[A-Za-z0-9_-]*={0,2}$"},
    "date": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
    "date-time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$"},
}


def schema(record: str) -> dict[str, Any]:
    """JSON Schema of a record. A member that the documents do not know fits nothing."""
    return {"$ref": f"#/$defs/{record}", "$defs": {name: _of(members) for name, members in RECORDS.items()}}


def _of(members: dict[str, str]) -> dict[str, Any]:
    properties = {name: _member(told) for name, told in members.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _member(told: str) -> dict[str, Any]:
    if found := re.fullmatch(r"\[(.+)\]", told):
        return {"type": "array", "items": _member(found[1])}
    if found := re.fullmatch(r"\{(.+)\}", told):
        return {"type": "object", "additionalProperties": _member(found[1])}
    return _PLAIN.get(told) or {"$ref": f"#/$defs/{told}"}
