"""The stand-in for Google, judged by the facts of Google's discovery documents, and by what its guides promise."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its stubs are another package

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.google.simulator import GoogleSimulator, simulated_google
from claw_dev.simulators.google.world import Client, Consent
from tests.clock import Clock
from tests.contract.google_facts import CALENDAR, GMAIL, METHODS, Method, schema

BACK = "https://claw.example/google/callback"
VERIFIER = "v" * 64
SCOPES = (
    "openid email https://www.googleapis.com/auth/gmail.readonly https://www.googleapis.com/auth/gmail.compose "
    "https://www.googleapis.com/auth/calendar.readonly https://www.googleapis.com/auth/calendar.events"
)
MAIL = base64.urlsafe_b64encode(b"To: bob@example.com\r\nSubject: Hi\r\n\r\nHello").decode()
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
    client = Client(redirect_uris=frozenset({BACK}))
    async with simulated_google(clock=clock, random=Random(7), client=client) as simulator:
        yield simulator


@pytest.fixture
async def browser(google: GoogleSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=google.url, trust_env=False) as client:
        yield client


@pytest.fixture
async def ada(google: GoogleSimulator, browser: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client with a token for everything."""
    tokens = await exchange(google, browser, await consent(google, browser))
    browser.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return browser


async def consent(google: GoogleSimulator, browser: httpx.AsyncClient, **changes: str) -> str:
    """The code that the person's browser comes back with."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    asked = {
        "client_id": google.world.client.id,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": SCOPES,
        "state": "s",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "access_type": "offline",
    }
    response = await browser.get("/o/oauth2/v2/auth", params=asked | changes)
    assert response.status_code == 302, response.text
    returned = parse_qs(urlsplit(response.headers["location"]).query)
    assert returned["state"] == ["s"]
    return returned.get("code", returned.get("error", [""]))[0]


async def exchange(google: GoogleSimulator, browser: httpx.AsyncClient, code: str, **changes: str) -> dict[str, Any]:
    form = {
        "client_id": google.world.client.id,
        "client_secret": google.world.client.secret,
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": BACK,
    }
    answer: dict[str, Any] = (await browser.post("/token", data=form | changes)).json()
    return answer


async def refresh(google: GoogleSimulator, browser: httpx.AsyncClient, token: str) -> dict[str, Any]:
    return await exchange(google, browser, "", grant_type="refresh_token", refresh_token=token)


async def ask(client: httpx.AsyncClient, method: str, path: str, **request: Any) -> Any:
    response = await client.request(method, path, **request)
    assert response.is_success, response.text
    return response.json() if response.content else None


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


async def test_a_code_is_exchanged_once(google: GoogleSimulator, browser: httpx.AsyncClient) -> None:
    code = await consent(google, browser)
    tokens = await exchange(google, browser, code)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 3599
    assert (await exchange(google, browser, code))["error"] == "invalid_grant"
    assert (await refresh(google, browser, tokens["refresh_token"]))["error"] == "invalid_grant", "it may be stolen"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "https://elsewhere.example"}, "redirect_uri_mismatch"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_an_exchange_that_does_not_fit_is_refused(
    google: GoogleSimulator, browser: httpx.AsyncClient, changes: dict[str, str], error: str
) -> None:
    assert (await exchange(google, browser, await consent(google, browser), **changes))["error"] == error


async def test_a_code_ends_after_ten_minutes(google: GoogleSimulator, browser: httpx.AsyncClient, clock: Clock) -> None:
    code = await consent(google, browser)
    clock.advance(minutes=10)
    assert (await exchange(google, browser, code))["error"] == "invalid_grant"


async def test_a_person_may_say_no_or_allow_less(google: GoogleSimulator, browser: httpx.AsyncClient) -> None:
    google.world.consent = Consent(deny=True)
    assert await consent(google, browser) == "access_denied"
    google.world.consent = Consent(withhold=frozenset({"https://www.googleapis.com/auth/gmail.compose"}))
    tokens = await exchange(google, browser, await consent(google, browser))
    assert "gmail.compose" not in tokens["scope"]
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    refused = await browser.post(f"{GMAIL}/drafts", json={"message": {"raw": MAIL}}, headers=headers)
    assert refused.json()["error"]["errors"][0]["reason"] == "insufficientPermissions"


async def test_a_page_that_is_not_registered_is_never_returned_to(
    google: GoogleSimulator, browser: httpx.AsyncClient
) -> None:
    for changes in ({"redirect_uri": "https://evil.example"}, {"client_id": "other"}):
        asked = {"client_id": google.world.client.id, "redirect_uri": BACK, "response_type": "code", "scope": "email"}
        response = await browser.get("/o/oauth2/v2/auth", params=asked | changes)
        assert response.status_code in {400, 401}
        assert "location" not in response.headers


async def test_an_access_token_lives_for_an_hour(google: GoogleSimulator, ada: httpx.AsyncClient, clock: Clock) -> None:
    clock.advance(seconds=3599)
    assert (await ada.get(f"{GMAIL}/profile")).status_code == 200
    clock.advance(seconds=1)
    response = await ada.get(f"{GMAIL}/profile")
    assert response.status_code == 401
    assert response.json()["error"]["code"] == 401


async def test_revoking_one_token_ends_all(google: GoogleSimulator, ada: httpx.AsyncClient) -> None:
    (token,) = google.world.refresh_tokens
    assert (await ada.post("/revoke", data={"token": token})).status_code == 200
    assert (await ada.get(f"{GMAIL}/profile")).status_code == 401
    assert (await refresh(google, ada, token))["error"] == "invalid_grant"
    assert (await ada.post("/revoke", data={"token": token})).json()["error"] == "invalid_token"


async def test_the_identity_is_signed_with_a_published_key(google: GoogleSimulator, browser: httpx.AsyncClient) -> None:
    tokens = await exchange(google, browser, await consent(google, browser))
    (key,) = jwt.PyJWKSet.from_dict((await browser.get("/oauth2/v3/certs")).json()).keys
    claims = jwt.decode(tokens["id_token"], key, algorithms=["RS256"], audience=google.world.client.id)
    assert (claims["email"], claims["email_verified"]) == ("ada@example.com", True)
    assert claims["iss"] == "https://accounts.google.com"


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


async def test_too_many_requests_are_refused_in_both_of_googles_ways(
    google: GoogleSimulator, ada: httpx.AsyncClient
) -> None:
    google.quota.calls, google.quota.seconds, google.quota.retry_after = 1, 60, 3
    for status in (403, 429):
        google.quota.status = status
        await ada.get(f"{GMAIL}/profile")
        response = await ada.get(f"{GMAIL}/profile")
        assert response.status_code == status
        assert response.headers["Retry-After"] == "3"
        assert response.json()["error"]["errors"][0]["reason"] == "rateLimitExceeded"


async def test_faults_are_worded_as_google_words_them(google: GoogleSimulator, ada: httpx.AsyncClient) -> None:
    google.faults.add(Fault(kind=FaultKind.ERROR, path="/gmail/", status=503))
    response = await ada.get(f"{GMAIL}/profile")
    assert response.json()["error"]["errors"][0]["reason"] == "backendError"


async def test_a_push_is_signed_and_tells_the_mailbox_and_where_it_is(google: GoogleSimulator) -> None:
    google.sender.subscription.url = "https://claw.example/google/gmail"
    (key,) = jwt.PyJWKSet.from_dict(google.world.signer.published()).keys
    claims = jwt.decode(google.sender.token(), key, algorithms=["RS256"], audience="https://claw.example/google/gmail")
    assert claims["email"] == "pusher@claw.iam.gserviceaccount.com"
    message = google.sender.message(1234)["message"]
    assert json.loads(base64.urlsafe_b64decode(message["data"])) == {
        "emailAddress": "ada@example.com",
        "historyId": 1234,
    }


async def test_a_push_that_nobody_takes_comes_again(google: GoogleSimulator) -> None:
    google.sender.subscription.url = "http://127.0.0.1:9/"
    google.sender.subscription.pause = 0
    google.mailbox.begin_watch("projects/p/topics/t", ())
    google.mailbox.receive("bob@example.com", "Hi")
    await google.sender.settled()
    assert len(google.sender.pushes) == 4
    assert len({push.body for push in google.sender.pushes}) == 1
