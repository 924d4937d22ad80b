"""What Google sends by itself: Pub/Sub's pushes for Gmail, signed, and Calendar's notifications, with a token.

Both arrive at least once, in any order. Pub/Sub delivers again whatever was not answered with a 2xx.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

import httpx

from claw_dev.simulators.google.agenda import Channel
from claw_dev.simulators.google.mailbox import base64url_with_padding
from claw_dev.simulators.google.signing import Signer

_SECONDS = 10.0
_REDELIVERIES = 3


@dataclass(frozen=True)
class Push:
    """One delivery, and what was answered."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int | None
    """None: nobody answered."""


@dataclass
class Subscription:
    """Pub/Sub's push subscription of the topic that Gmail publishes to."""

    url: str = ""
    """Where it pushes to; empty: nowhere."""
    audience: str = ""
    """Empty: the URL."""
    account: str = "pusher@claw.iam.gserviceaccount.com"
    redelivers: bool = True
    pause: float = 0.05
    """Seconds before it is delivered again."""


@dataclass
class Sender:
    """Sends, as a client. An async context manager."""

    signer: Signer
    address: str
    random: Random
    subscription: Subscription = field(default_factory=Subscription)
    pushes: list[Push] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def __aenter__(self) -> "Sender":
        """Open connections."""
        self._client = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop sending."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def mail_changed(self, history_id: int) -> None:
        """Gmail publishes, Pub/Sub pushes."""
        if self.subscription.url:
            self._begin(self._deliver(self.message(history_id)))

    def calendar_changed(self, channel: Channel) -> None:
        """Calendar notifies; the first time only that there is a channel."""
        self._begin(self.notify(channel))

    def message(self, history_id: int, address: str | None = None) -> dict[str, Any]:
        """The body of a push."""
        data = json.dumps({"emailAddress": address or self.address, "historyId": history_id}).encode()
        message_id = str(self.random.getrandbits(53))
        return {
            "message": {
                "data": base64url_with_padding(data),
                "messageId": message_id,
                "message_id": message_id,
                "publishTime": "2026-11-23T10:00:00.123Z",
            },
            "subscription": "projects/claw/subscriptions/gmail-push",
        }

    def token(self, **claims: Any) -> str:
        """The token of a push. `claims` replace what is usual; `seconds` is how long it is valid."""
        seconds = claims.pop("seconds", 3600)
        header = claims.pop("header", None)
        usual = {
            "aud": self.subscription.audience or self.subscription.url,
            "azp": "113774264463038321964",
            "sub": "113774264463038321964",
            "email": self.subscription.account,
            "email_verified": True,
        }
        return self.signer.sign(usual | claims, seconds=seconds, header=header)

    async def push(self, message: Mapping[str, Any], token: str | None = None) -> int | None:
        """Push once. Returns the status that was answered."""
        headers = {"Authorization": f"Bearer {token or self.token()}", "Content-Type": "application/json"}
        return await self._post(self.subscription.url, headers, json.dumps(message).encode())

    async def notify(self, channel: Channel, **headers: str) -> int | None:
        """Notify once. `headers` replace what is usual: `X_Goog_Message_Number="1"`."""
        number = self._numbers.get(channel.id, 0) + 1
        self._numbers[channel.id] = number
        usual = {
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Message-Number": str(number),
            "X-Goog-Resource-ID": channel.resource_id,
            "X-Goog-Resource-State": "sync" if number == 1 else "exists",
            "X-Goog-Resource-URI": f"https://www.googleapis.com/calendar/v3/calendars/{channel.calendar_id}/events",
            "X-Goog-Channel-Expiration": _http_date(channel.expires_at),
            "Content-Length": "0",
        }
        if channel.token:
            usual["X-Goog-Channel-Token"] = channel.token
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._post(channel.address, usual | given, b"")

    async def settled(self) -> None:
        """Until everything that was begun is delivered, or given up."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, delivery: Any) -> None:
        task = asyncio.get_running_loop().create_task(delivery)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, message: Mapping[str, Any]) -> None:
        for _ in range(_REDELIVERIES + 1):
            status = await self.push(message)
            if (status is not None and 200 <= status < 300) or not self.subscription.redelivers:
                return
            await asyncio.sleep(self.subscription.pause)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> int | None:
        status: int | None = None
        with suppress(httpx.HTTPError):
            status = (await self._client.post(url, headers=dict(headers), content=body)).status_code
        self.pushes.append(Push(url, headers, body, status))
        return status


def _http_date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
