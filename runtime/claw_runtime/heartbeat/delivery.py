"""Telling what a beat has found: in a conversation, to the customer's webhook, by mail.

At least once: what a crash or an outage keeps from being told is told with the next beats, for a day. A repetition
bears the same id, by which a webhook can drop it and the mail service does.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import random
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, Protocol

import aiohttp

from claw_crds.configuration import RuntimeConfiguration
from claw_runtime.heartbeat.news import Beat, Way
from claw_runtime.heartbeat.records import Stored
from claw_runtime.text import headline
from claw_runtime.web.addresses import Forbidden
from claw_runtime.web.fetching import Unreachable

log = logging.getLogger(__name__)

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 2.0
MAIL_SECONDS = 15.0
MAILS_PATH = "/runtime/mails"
QUESTION = "Heartbeat: is there anything that I should know?"
"""What stands in the conversation where the customer's question would be."""

_SECRET_PREFIX = "whsec_"
_SECRET_BYTES = 24


class Post(Protocol):
    """As `Fetcher.post`."""

    async def __call__(self, url: str, json: Any, headers: Mapping[str, str], *, seconds: float = ...) -> int:
        """The status of the answer. Raises Forbidden, Unreachable."""
        ...


class Note(Protocol):
    """As `Conversations.note`."""

    async def __call__(
        self, agent_id: str, question: str, answer: str, source: Literal["chat", "heartbeat"]
    ) -> uuid.UUID:
        """The id of the conversation. Raises DatabaseAway, Problem."""
        ...


@dataclass(frozen=True)
class Mails:
    """The service that sends mails for the runtime."""

    front_url: str
    token_sha256: str
    """Proves to it who asks."""


@dataclass(frozen=True)
class Told:
    """How far the news got."""

    conversation_id: uuid.UUID | None
    untold: tuple[Way, ...]
    """Where it makes sense to try again later."""
    problem: str | None
    """The first one, for the customer."""


class _Fault(Exception):
    """The news could not be told this way. The text is for the customer."""

    def __init__(self, text: str, *, may_pass: bool) -> None:
        super().__init__(text)
        self.may_pass = may_pass
        """Whether it makes sense to try again at once."""


def new_secret() -> str:
    """A secret for a webhook's signatures, as standard-webhooks writes it."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed(secret: str, message_id: str, now: datetime, body: str) -> dict[str, str]:
    """The headers by which a receiver knows that the body is from here, and fresh: github.com/standard-webhooks."""
    timestamp = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    mac = hmac.new(key, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


class Messenger:
    """Tells news."""

    def __init__(
        self,
        *,
        note: Note,
        post: Post,
        mails: Mails | None,
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._note = note
        self._post = post
        self._mails = mails
        self._clock = clock
        self._jitter = jitter
        self._pause = pause
        self._failing: set[Way] = set()

    @property
    def can_mail(self) -> bool:
        """Whether there is a service that sends mails."""
        return self._mails is not None

    async def tell(self, configuration: RuntimeConfiguration, stored: Stored, beat: Beat, attempts: int) -> Told:
        """Tell the beat's news in each way that is left, all of which are tried. Raises DatabaseAway."""
        conversation_id, untold, problems = beat.conversation_id, [], []
        for way in beat.untold:
            try:
                match way:
                    case "conversation":
                        agent = stored.settings.agent_id
                        conversation_id = await self._note(agent, QUESTION, beat.text or "", "heartbeat")
                    case "webhook":
                        send = partial(self._call, configuration, stored, beat, conversation_id)
                        await self._patiently(attempts, send)
                    case "mail":
                        await self._patiently(attempts, partial(self._mail, configuration, beat))
            except _Fault as fault:
                self._fails(way, fault)
                problems.append(str(fault))
                if fault.may_pass:
                    untold.append(way)
            else:
                self._works(way)
        return Told(conversation_id, tuple(untold), problems[0] if problems else None)

    def _fails(self, way: Way, fault: _Fault) -> None:
        if way not in self._failing:
            log.warning("news cannot be told", extra={"way": way, "reason": str(fault)})
        self._failing.add(way)

    def _works(self, way: Way) -> None:
        if way in self._failing:
            log.info("news can be told again", extra={"way": way})
        self._failing.discard(way)

    async def _patiently(self, attempts: int, send: Callable[[], Awaitable[None]]) -> None:
        for attempt in range(attempts):
            try:
                await send()
            except _Fault as fault:
                if attempt == attempts - 1 or not fault.may_pass:
                    raise
                await self._pause(FIRST_PAUSE_SECONDS * 3**attempt * (0.5 + self._jitter()))
            else:
                return

    async def _call(
        self, configuration: RuntimeConfiguration, stored: Stored, beat: Beat, conversation_id: uuid.UUID | None
    ) -> None:
        webhook = stored.settings.deliver.webhook
        if webhook is None or stored.webhook_secret is None:
            raise _Fault("The webhook was taken away meanwhile.", may_pass=False)
        document = {
            "type": "heartbeat.told",
            "timestamp": f"{beat.due_at:%Y-%m-%dT%H:%M:%SZ}",
            "data": {
                "text": beat.text,
                "agentId": stored.settings.agent_id,
                "conversationId": str(conversation_id) if conversation_id is not None else None,
            },
        }
        # The fetcher writes the document in the same way; a receiver checks the signature of the bytes that it gets.
        headers = signed(stored.webhook_secret, message_id(configuration, beat), self._clock(), json.dumps(document))
        try:
            status = await self._post(webhook.url, document, headers)
        except Forbidden as error:
            raise _Fault(f"The webhook is not called: {error}", may_pass=False) from error
        except Unreachable as error:
            raise _Fault(f"The webhook cannot be reached: {error}", may_pass=True) from error
        if not 200 <= status < 300:
            raise _Fault(f"The webhook answered {status}.", may_pass=_may_pass(status))

    async def _mail(self, configuration: RuntimeConfiguration, beat: Beat) -> None:
        if self._mails is None:
            raise _Fault("Mails cannot be sent from here.", may_pass=False)
        text = beat.text or ""
        headers = {
            "Authorization": f"Bearer {self._mails.token_sha256}",
            "X-Claw-Instance": configuration.instance.uid,
            "Idempotency-Key": message_id(configuration, beat),
        }
        mail = {"subject": headline(f"{configuration.assistant.name}: {headline(text)}", 120), "text": text}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=MAIL_SECONDS)) as session,
                session.post(
                    self._mails.front_url.rstrip("/") + MAILS_PATH, json=mail, headers=headers, allow_redirects=False
                ) as response,
            ):
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _Fault("The mail service does not answer.", may_pass=True) from error
        if status == 403:
            raise _Fault("Mails are sent once you have signed in to your account by a mail to it.", may_pass=False)
        if status == 429:
            raise _Fault("No more than 24 mails are sent in a day.", may_pass=False)
        if not 200 <= status < 300:
            raise _Fault(f"The mail service answered {status}.", may_pass=_may_pass(status))


def message_id(configuration: RuntimeConfiguration, beat: Beat) -> str:
    """The same for every repetition of the same news, and for no other."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"claw:{configuration.instance.uid}:{beat.due_at.isoformat()}"))


def _may_pass(status: int) -> bool:
    return status in {408, 425, 429} or status >= 500
