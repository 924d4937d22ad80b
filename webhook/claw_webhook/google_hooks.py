"""`POST /google/gmail` and `/google/calendar`: what Google tells of a customer's account, handed on to their runtime.

Google knows one address for all customers. Nothing is verified here: the runtime does that, with what only it knows.
Here it is only found out whose it is, and bounded how much of it there may be. Google repeats what is not answered with
2xx, so whatever nobody wants any more is answered so.
"""

import asyncio
import base64
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial

import psycopg
from aiohttp import web
from pydantic import BaseModel, ValidationError

from claw_webhook.front.visitors import Throttle
from claw_webhook.problems import problem
from claw_webhook.runtimes import Runtime, RuntimeApi, RuntimeAway, Runtimes, mailbox_key

GMAIL_PATH, CALENDAR_PATH = "/google/gmail", "/google/calendar"
_RUNTIME_PATHS = {GMAIL_PATH: "/webhooks/gmail", CALENDAR_PATH: "/webhooks/calendar"}

LARGEST_BODY = 64 * 1024
"""Bytes. Google's notifications are a few hundred."""
_AT_THE_SAME_TIME = 64
_LONGEST_ADDRESS = 254
_LONGEST_HEADER = 4096
_CHANNEL_TOKEN = re.compile(r"(?P<uid>[0-9a-f-]{36})\.[\x21-\x7e]{1,256}")
_NOT_WANTED = frozenset({402, 404, 410})
"""What a runtime answers that is suspended, or no longer connected."""

logger = logging.getLogger(__name__)


class _Message(BaseModel):
    data: str = ""


class _Push(BaseModel):
    """What Pub/Sub sends, as far as it matters here."""

    message: _Message


class _Notice(BaseModel):
    """What Gmail says in it."""

    emailAddress: str = ""


class GoogleHooks:
    """The two handlers."""

    def __init__(self, runtimes: Runtimes, api: RuntimeApi) -> None:
        self._runtimes = runtimes
        self._api = api
        self._throttle = Throttle(burst=30, per_second=0.5)
        self._places = asyncio.Semaphore(_AT_THE_SAME_TIME)
        self._trouble = False

    async def gmail(self, request: web.Request) -> web.Response:
        """A push of Pub/Sub: something in a mailbox has changed."""
        body = await _body(request)
        if body is None:
            return _too_large()
        try:
            push = _Push.model_validate_json(body)
        except ValidationError:
            return problem(400, "Not a push", "The body is not a push message of Pub/Sub.")
        address = _address(push)
        if address is None:  # of this topic, but not Gmail's: repeated for a week unless it is taken
            return web.Response(status=204)
        headers = _kept(request, "Authorization", "Content-Type")
        return await self._hand_on(request, mailbox_key(address), partial(self._runtimes.of_mailbox, address), headers)

    async def calendar(self, request: web.Request) -> web.Response:
        """A notification of a channel: something in a calendar has changed."""
        body = await _body(request)
        if body is None:
            return _too_large()
        token = _CHANNEL_TOKEN.fullmatch(request.headers.get("X-Goog-Channel-Token", ""))
        if token is None:
            return problem(400, "Not a notification", "The channel's token is not one of ours.")
        headers = _kept(request, *(name for name in request.headers if name.lower().startswith("x-goog-")))
        return await self._hand_on(request, token["uid"], partial(self._runtimes.with_uid, token["uid"]), headers)

    async def _hand_on(
        self,
        request: web.Request,
        whose: str,
        find: Callable[[], Awaitable[Runtime | None]],
        headers: dict[str, str],
    ) -> web.Response:
        if not self._throttle.allows(whose):
            return problem(429, "Too many", "Notifications of one account come too fast.", self._throttle.retry_after)
        if self._places.locked():
            return _come_again("Too many notifications at once.")
        async with self._places:
            try:
                runtime = await find()
                if runtime is None:
                    return web.Response(status=204)
                status = await self._api.forward(runtime, _RUNTIME_PATHS[request.path], headers, await request.read())
            except (psycopg.OperationalError, RuntimeAway) as error:
                self._say_once(str(error) if isinstance(error, RuntimeAway) else type(error).__name__)
                return _come_again("The notification could not be handed on.")
        self._say_once(None)
        if 200 <= status < 300 or status in _NOT_WANTED:
            return web.Response(status=204)
        if status < 500:
            return problem(status, "Refused", "The assistant does not take this notification.")
        return _come_again("The assistant could not take the notification.")

    def _say_once(self, trouble: str | None) -> None:
        """To the log, when notifications cannot be handed on, and when they can again."""
        if trouble and not self._trouble:
            logger.warning("a notification of Google could not be handed on: %s", trouble)
        elif self._trouble and not trouble:
            logger.info("notifications of Google are handed on again")
        self._trouble = trouble is not None


async def _body(request: web.Request) -> bytes | None:
    """The body; None when it is too large."""
    if (request.content_length or 0) > LARGEST_BODY:
        return None
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None
    return body if len(body) <= LARGEST_BODY else None


def _address(push: _Push) -> str | None:
    """Whose mailbox it is about; None when it is about none."""
    try:
        notice = _Notice.model_validate_json(base64.b64decode(push.message.data, altchars=b"-_"))
    except ValueError:  # not base64, not JSON, not a notice
        return None
    address = notice.emailAddress.strip()
    return address if "@" in address and len(address) <= _LONGEST_ADDRESS else None


def _kept(request: web.Request, *names: str) -> dict[str, str]:
    found = {name: request.headers.get(name, "") for name in names}
    return {name: value for name, value in found.items() if value and len(value) <= _LONGEST_HEADER}


def _too_large() -> web.Response:
    return problem(413, "Payload too large", f"A notification has at most {LARGEST_BODY} bytes.")


def _come_again(detail: str) -> web.Response:
    return problem(503, "Not right now", detail, {"Retry-After": "30"})
