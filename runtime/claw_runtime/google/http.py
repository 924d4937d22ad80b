"""One request to Google: bounded in time and size, repeated where that cannot do anything twice.

Through aiohttp's client, which the server has loaded anyway. Nothing of a request is logged: addresses hold ids of
mails, and headers hold tokens.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from claw_runtime.google.failures import GoogleAway, GoogleRefused

if TYPE_CHECKING:
    from aiohttp import ClientSession

log = logging.getLogger(__name__)

ATTEMPTS: Final = 3
ALL_SECONDS: Final = 22.0
"""For all attempts: less than a tool has."""
ATTEMPT_SECONDS: Final = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.4, 5.0
"""A longer Retry-After is not waited for here: whoever asked is told."""
MAX_ANSWER: Final = 8 * 2**20

_LIMITS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})
_MAY_PASS = frozenset({500, 502, 503, 504})


@dataclass(frozen=True)
class Request:
    """One request. `repeatable`: doing it twice is the same as once."""

    method: str
    url: str
    query: Mapping[str, str | list[str]] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True


@dataclass(frozen=True)
class Reply:
    """What was answered, whatever it was."""

    status: int
    content: bytes
    headers: Mapping[str, str]

    @property
    def reason(self) -> str:
        """Google's word for what is wrong, of either envelope; empty when there is none."""
        try:
            error = _Envelope.model_validate_json(self.content).error
        except ValidationError:
            return ""
        if isinstance(error, str):
            return error
        return next((entry.reason for entry in error.errors if entry.reason), error.status)


class _Entry(BaseModel):
    reason: str = ""


class _Error(BaseModel):
    status: str = ""
    errors: tuple[_Entry, ...] = ()


class _Envelope(BaseModel):
    """The APIs have objects as errors, OAuth has words."""

    error: _Error | str


class Http:
    """Connections to Google, opened with the first request."""

    def __init__(
        self,
        *,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._jitter = jitter
        self._sleep = sleep
        self._attempt_seconds = attempt_seconds
        self._session: ClientSession | None = None
        self._failing = False

    async def ask(self, request: Request, bearer: str | None = None) -> Reply:
        """The reply, a refusal too. Raises GoogleAway when there is none, or only that Google is busy or broken."""
        try:
            async with asyncio.timeout(ALL_SECONDS):
                reply = await self._asked(request, bearer)
        except TimeoutError:
            self._tell("time")
            raise _silent(request) from None
        except GoogleAway:
            self._tell("busy or away")
            raise
        if self._failing:
            self._failing = False
            log.info("Google answers again")
        return reply

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _asked(self, request: Request, bearer: str | None) -> Reply:
        from aiohttp import ClientError

        attempt = 0
        while True:
            attempt += 1
            pause = FIRST_PAUSE * 2 ** (attempt - 1) * (0.5 + self._jitter() / 2)
            try:
                reply = await self._once(request, bearer)
            except (ClientError, TimeoutError, OSError):
                # It may have been done. Only what may be done twice is asked for again.
                if attempt == ATTEMPTS or not request.repeatable:
                    raise _silent(request) from None
                await self._sleep(pause)
                continue
            limited = reply.status == 429 or (reply.status == 403 and reply.reason in _LIMITS)
            if not limited and reply.status not in _MAY_PASS:
                return reply
            told = _seconds(reply.headers.get("Retry-After"))
            patient = told is None or told <= LONGEST_PAUSE
            if attempt == ATTEMPTS or not patient or not (limited or request.repeatable):
                raise _busy(told, unknown=not limited)
            await self._sleep(max(pause, told or 0))

    async def _once(self, request: Request, bearer: str | None) -> Reply:
        headers = dict(request.headers) | ({"Authorization": f"Bearer {bearer}"} if bearer is not None else {})
        query = [
            (name, value)
            for name, values in request.query.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        async with self._connected().request(
            request.method,
            request.url,
            params=query,
            json=request.json,
            data=request.form,
            headers=headers,
            allow_redirects=False,
        ) as response:
            content = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                content += chunk
                if len(content) > MAX_ANSWER:
                    raise GoogleAway("Google's answer is too long.", unknown=True)
            return Reply(response.status, bytes(content), response.headers)

    def _connected(self) -> "ClientSession":
        if self._session is None:
            from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

            self._session = ClientSession(
                connector=TCPConnector(limit=8, keepalive_timeout=15),
                timeout=ClientTimeout(total=self._attempt_seconds, connect=5),
                cookie_jar=DummyCookieJar(),
            )
        return self._session

    def _tell(self, cause: str) -> None:
        if not self._failing:
            self._failing = True
            log.warning("Google does not answer as it should", extra={"cause": cause})


def refusal(reply: Reply) -> GoogleRefused:
    """A reply that is no success."""
    return GoogleRefused(reply.status, reply.reason if reply.reason.isidentifier() else "")


def _silent(request: Request) -> GoogleAway:
    what = "" if request.repeatable else " It may or may not be done: look before you do it again."
    return GoogleAway(f"Google did not answer.{what}", unknown=True, retry_after=30)


def _busy(seconds: float | None, *, unknown: bool) -> GoogleAway:
    wait = round(min(max(seconds or 30, 1), 3600))
    return GoogleAway(f"Google has too much to do. Try again in {wait} seconds.", unknown=unknown, retry_after=wait)


def _seconds(header: str | None) -> float | None:
    try:
        return float(header) if header is not None else None
    except ValueError:
        return None
