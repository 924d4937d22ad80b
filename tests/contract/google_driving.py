"""Drives the stand-in for Google as a browser and as an application's server do."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from claw_dev.simulators.google.simulator import GoogleSimulator, simulated_google
from claw_dev.simulators.google.world import Client
from tests.clock import Clock

BACK = "https://claw.example/google/callback"
VERIFIER = "v" * 64
SCOPES = (
    "openid email https://www.googleapis.com/auth/gmail.readonly https://www.googleapis.com/auth/gmail.compose "
    "https://www.googleapis.com/auth/calendar.readonly https://www.googleapis.com/auth/calendar.events"
)
MAIL = base64.urlsafe_b64encode(b"To: bob@example.com\r\nSubject: Hi\r\n\r\nHello").decode()


@asynccontextmanager
async def registered(clock: Clock) -> AsyncIterator[GoogleSimulator]:
    """A stand-in that returns people to one page only."""
    client = Client(redirect_uris=frozenset({BACK}))
    async with simulated_google(clock=clock, random=Random(7), client=client) as simulator:
        yield simulator


@asynccontextmanager
async def browsing(google: GoogleSimulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with httpx.AsyncClient(base_url=google.url, trust_env=False) as client:
        yield client


async def with_token(google: GoogleSimulator, browser: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same client with a token for everything."""
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
