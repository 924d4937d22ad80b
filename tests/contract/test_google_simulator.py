"""The stand-in for Google, judged by the facts of its discovery documents, and by what its guides promise."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its stubs are another package

from claw_dev.simulators.google.simulator import GoogleSimulator
from tests.clock import Clock
from tests.contract.google_driving import MAIL, ask, browsing, registered, with_token
from tests.contract.google_facts import CALENDAR, GMAIL, METHODS, Method, schema

EVENT: dict[str, Any] = {
    "summary": "Dentist",
    "start": {"dateTime": "2026-12-01T10:00:00Z"},
    "end": {"dateTime": "2026-12-01T11:00:00Z"},
    "attendees": [{"email": "bob@example.com"}],
}
CHANNEL = {"id": "channel-1", "type": "web_hook", "address": "https://claw.example/google/calendar", "token": "t"}
SPAN = {"timeMin": "2026-12-01T00:00:00Z", "timeMax": "2026-12-02T00:00:00Z", "items": [{"id": "primary"}, {"id": "x"}]}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def google(clock: Clock) -> AsyncIterator[GoogleSimulator]:
    async with registered(clock) as simulator:
        yield simulator


@pytest.fixture
async def ada(google: GoogleSimulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token for everything."""
    async with browsing(google) as browser:
        yield await with_token(google, browser)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.id)
async def test_every_method_answers_what_the_documents_say(
    google: GoogleSimulator, ada: httpx.AsyncClient, method: Method
) -> None:
    mail = google.mailbox.receive("Bob <bob@example.com>", "Hi", html="<p>Hi</p>", attachments=(("a.pdf", b"%PDF"),))
    draft = google.mailbox.draft(base64.urlsafe_b64decode(MAIL), None)
    event = google.agenda.insert("primary", EVENT)
    google.agenda.delete("primary", google.agenda.insert("primary", EVENT).id)
    resource = google.agenda.watch("primary", CHANNEL | {"id": "open"}).resource_id
    google.sender.subscription.url = ""
    ids = {"calendarId": "primary", "eventId": event.id, "id": draft if "drafts" in method.path else mail.id}
    bodies: dict[str, dict[str, Any]] = {
        "gmail.users.messages.send": {"raw": MAIL},
        "gmail.users.drafts.create": {"message": {"raw": MAIL}},
        "gmail.users.drafts.send": {"id": draft},
        "gmail.users.watch": {"topicName": "projects/p/topics/t", "labelIds": ["INBOX"]},
        "calendar.events.insert": EVENT,
        "calendar.events.patch": {"summary": "Later"},
        "calendar.events.watch": CHANNEL,
        "calendar.channels.stop": {"id": "open", "resourceId": resource},
        "calendar.freebusy.query": SPAN,
    }
    queries = {
        "gmail.users.history.list": {"startHistoryId": "1000"},
        "calendar.events.list": {"syncToken": "CPDAlv0=="},
    }
    answer = await ask(
        ada,
        method.http,
        method.path.format(**ids),
        json=bodies.get(method.id),
        params=queries.get(method.id),
    )
    if not method.answer:
        assert answer is None
        return
    Draft202012Validator(schema(method.answer)).validate(answer)


@pytest.mark.parametrize("form", ["full", "metadata", "minimal", "raw"])
async def test_a_mail_has_four_formats(google: GoogleSimulator, ada: httpx.AsyncClient, form: str) -> None:
    mail = google.mailbox.receive("bob@example.com", "Hi", "Hello", html="<p>Hello</p>")
    shown = await ask(ada, "GET", f"{GMAIL}/messages/{mail.id}", params={"format": form})
    Draft202012Validator(schema("Message")).validate(shown)
    assert ("raw" in shown) == (form == "raw")
    assert ("parts" in shown.get("payload", {})) == (form == "full")
    if form == "full":
        data = shown["payload"]["parts"][0]["body"]["data"]
        assert base64.urlsafe_b64decode(data).decode().strip() == "Hello"


async def test_history_that_is_too_old_is_not_found(google: GoogleSimulator, ada: httpx.AsyncClient) -> None:
    start = str(google.mailbox.history_id)
    google.mailbox.receive("bob@example.com", "Hi")
    found = await ask(ada, "GET", f"{GMAIL}/history", params={"startHistoryId": start, "labelId": "INBOX"})
    assert len(found["history"]) == 1
    assert int(found["historyId"]) > int(start)
    google.mailbox.forget_history()
    assert (await ada.get(f"{GMAIL}/history", params={"startHistoryId": start})).status_code == 404
    assert (await ada.get(f"{GMAIL}/history", params={"startHistoryId": "0"})).status_code == 404


async def test_nothing_new_is_not_even_an_empty_list(google: GoogleSimulator, ada: httpx.AsyncClient) -> None:
    start = {"startHistoryId": str(google.mailbox.history_id)}
    assert "history" not in await ask(ada, "GET", f"{GMAIL}/history", params=start)
    assert await ask(ada, "GET", f"{GMAIL}/messages") == {"resultSizeEstimate": 0}


async def test_a_watch_ends_after_seven_days(google: GoogleSimulator, ada: httpx.AsyncClient, clock: Clock) -> None:
    told: list[int] = []
    google.mailbox.on_change = told.append
    watch = await ask(ada, "POST", f"{GMAIL}/watch", json={"topicName": "projects/p/topics/t"})
    assert int(watch["expiration"]) == int((clock().timestamp() + 7 * 86400) * 1000)
    google.mailbox.receive("bob@example.com", "One")
    clock.advance(days=7)
    google.mailbox.receive("bob@example.com", "Two")
    assert len(told) == 1


async def test_an_event_is_changed_only_as_it_was_seen(google: GoogleSimulator, ada: httpx.AsyncClient) -> None:
    event = await ask(ada, "POST", f"{CALENDAR}/calendars/primary/events", json=EVENT)
    path = f"{CALENDAR}/calendars/primary/events/{event['id']}"
    first = await ada.patch(path, json={"summary": "A"}, headers={"If-Match": event["etag"]})
    second = await ada.patch(path, json={"summary": "B"}, headers={"If-Match": event["etag"]})
    assert (first.status_code, second.status_code) == (200, 412)
    assert (await ask(ada, "GET", path))["summary"] == "A"


async def test_an_own_id_is_taken_once_and_for_ever(google: GoogleSimulator, ada: httpx.AsyncClient) -> None:
    event = EVENT | {"id": "abcdef0123"}
    await ask(ada, "POST", f"{CALENDAR}/calendars/primary/events", json=event)
    google.agenda.delete("primary", "abcdef0123")
    assert (await ada.post(f"{CALENDAR}/calendars/primary/events", json=event)).status_code == 409
    bad = await ada.post(f"{CALENDAR}/calendars/primary/events", json=EVENT | {"id": "XYZ"})
    assert bad.status_code == 400


async def test_changes_are_listed_since_a_token_and_old_tokens_are_gone(
    google: GoogleSimulator, ada: httpx.AsyncClient
) -> None:
    path = f"{CALENDAR}/calendars/primary/events"
    token = (await ask(ada, "GET", path))["nextSyncToken"]
    event = google.agenda.insert("primary", EVENT)
    changed = await ask(ada, "GET", path, params={"syncToken": token})
    assert [item["id"] for item in changed["items"]] == [event.id]
    google.agenda.delete("primary", event.id)
    (deleted,) = (await ask(ada, "GET", path, params={"syncToken": changed["nextSyncToken"]}))["items"]
    assert deleted["status"] == "cancelled"
    assert (await ada.get(path, params={"syncToken": token, "timeMin": "2026-01-01T00:00:00Z"})).status_code == 400
    google.agenda.forget_changes()
    gone = await ada.get(path, params={"syncToken": token})
    assert (gone.status_code, gone.json()["error"]["errors"][0]["reason"]) == (410, "fullSyncRequired")


async def test_only_the_last_page_has_a_sync_token(google: GoogleSimulator, ada: httpx.AsyncClient) -> None:
    for _ in range(3):
        google.agenda.insert("primary", EVENT)
    first = await ask(ada, "GET", f"{CALENDAR}/calendars/primary/events", params={"maxResults": "2"})
    assert "nextSyncToken" not in first
    query = {"maxResults": "2", "pageToken": first["nextPageToken"]}
    assert "nextSyncToken" in await ask(ada, "GET", f"{CALENDAR}/calendars/primary/events", params=query)


async def test_a_channel_must_be_https_and_have_an_id_of_its_own(
    google: GoogleSimulator, ada: httpx.AsyncClient
) -> None:
    path = f"{CALENDAR}/calendars/primary/events/watch"
    plain = await ada.post(path, json=CHANNEL | {"address": "http://claw.example/x"})
    assert plain.json()["error"]["errors"][0]["reason"] == "push.webhookUrlNotHttps"
    assert (await ada.post(path, json=CHANNEL)).status_code == 200
    assert (await ada.post(path, json=CHANNEL)).status_code == 400
