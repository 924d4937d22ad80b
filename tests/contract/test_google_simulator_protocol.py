"""The stand-in for Google: consent and tokens, limits and faults, and what it sends by itself."""

import base64
import json
from collections.abc import AsyncIterator

import httpx
import jwt
import pytest

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.google.simulator import GoogleSimulator
from claw_dev.simulators.google.world import Consent
from tests.clock import Clock
from tests.contract.google_driving import BACK, MAIL, browsing, consent, exchange, refresh, registered, with_token
from tests.contract.google_facts import GMAIL


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def google(clock: Clock) -> AsyncIterator[GoogleSimulator]:
    async with registered(clock) as simulator:
        yield simulator


@pytest.fixture
async def browser(google: GoogleSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(google) as client:
        yield client


@pytest.fixture
async def ada(google: GoogleSimulator, browser: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client with a token for everything."""
    return await with_token(google, browser)


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
