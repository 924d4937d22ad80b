"""HTTP calls to a provider, under its account's budget: what was answered, or that there was no usable answer.

The difference that matters is between "refused" and "no answer". After a refusal nothing was done. After no answer a
write may have been carried out, and only a look at the world can tell: so writes are never repeated here, while reads
are, twice.
"""

import asyncio
import json as json_format
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from types import MappingProxyType
from typing import Any

import httpx

from claw_operator.external import RateLimited, Transient
from claw_operator.external.budget import Budget, Lane
from claw_operator.external.rate_headers import limits, retry_after
from claw_operator.external.redaction import shown

log = logging.getLogger(__name__)

_REPETITIONS = 2
_REPEAT_AFTER = 0.5  # seconds, doubled each time; full jitter
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class NoAnswer(Transient):
    """No usable answer (timeout, lost connection, 5xx, HTML): the request may have been carried out."""


@dataclass(frozen=True)
class Answer:
    """What was answered. The body shows in no repr, since it may hold a password."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Found whatever their case."""
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body's document. Raises NoAnswer when it is none, which happens when some proxy answered."""
        try:
            return json_format.loads(self.body)
        except ValueError as error:
            raise NoAnswer(f"The answer ({self.status}) is no JSON: {self.shown or 'it is empty'}") from error

    @property
    def shown(self) -> str:
        """The body fit for a message: one line, at most 200 characters, redacted."""
        return shown(self.body)


class Api:
    """One provider's API under one account. Safe to use from many tasks."""

    def __init__(
        self,
        session: httpx.AsyncClient,
        budget: Budget,
        *,
        provider: str,
        random: Callable[[], float],
        timeout: float = 60.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        limit_window: float | None = None,
        on_call: Callable[[str, str], None] = lambda _provider, _outcome: None,
        on_wait: Callable[[str, float], None] = lambda _provider, _seconds: None,
    ) -> None:
        """Calls through `session`; `timeout` seconds are for one try from connecting to the body's last byte.

        `limit_window`: the seconds that this provider's X-RateLimit-Limit counts over, where only its documentation
        says so; unknown, that header is not used. `on_call` is told the provider and one of "ok", "refused" (4xx),
        "rate_limited", "no_answer" for every call made, and "held_back" for every one that the budget did not let
        through. `on_wait` is told the seconds that a call waited for the budget.
        """
        self._session = session
        self._budget = budget
        self._provider = provider
        self._name = provider.capitalize()
        self._random = random
        self._timeout = timeout
        self._sleep = sleep
        self._clock = clock
        self._limit_window = limit_window
        self._on_call = on_call
        self._on_wait = on_wait
        self._storm = 0
        """Counts the times that the provider asked for patience; calls that were under way together make one."""
        self._growth = 0
        """How many of them in a row did not say for how long."""
        self._throttled = False

    async def send(
        self,
        method: str,
        url: str,
        *,
        lane: Lane,
        repeatable: bool,
        headers: Mapping[str, str] = _NO_HEADERS,
        params: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Answer:
        """Make one call and return whatever was answered below 500, 429 apart.

        `repeatable` is for reads only: they are repeated after NoAnswer. Raises NoAnswer, and RateLimited when the
        provider or the budget asks for patience.
        """
        request = self._session.build_request(
            method, url, headers=dict(headers), params=params, json=json, timeout=httpx.Timeout(None)
        )
        for repetition in range(_REPETITIONS if repeatable else 0):
            try:
                return await self._once(request, lane)
            except NoAnswer:
                await self._sleep(_REPEAT_AFTER * 2**repetition * self._random())
        return await self._once(request, lane)

    async def _once(self, request: httpx.Request, lane: Lane) -> Answer:
        await self._take(lane)
        storm = self._storm
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._session.send(request)
        except (httpx.HTTPError, TimeoutError) as error:
            self._on_call(self._provider, "no_answer")
            raise NoAnswer(f"{self._name} does not answer.") from error
        answer = Answer(response.status_code, response.headers, response.content)
        now = self._clock()
        told = limits(answer.headers, now, self._limit_window)
        self._budget.told(limit_per_hour=told.per_hour, remaining=told.remaining, reset_seconds=told.reset_seconds)
        if answer.status == 429:
            raise self._rate_limited(answer, now, storm)
        if answer.status >= 500:
            raise self._no_answer(answer, now)
        self._answered(storm)
        self._on_call(self._provider, "refused" if answer.status >= 400 else "ok")
        return answer

    async def _take(self, lane: Lane) -> None:
        since = monotonic()
        try:
            await self._budget.take(lane)
        except RateLimited:
            self._on_call(self._provider, "held_back")
            raise
        finally:
            self._on_wait(self._provider, monotonic() - since)

    def _rate_limited(self, answer: Answer, now: datetime, storm: int) -> RateLimited:
        """Hold the whole account back. Cloudflare's 1015 and some others do not say for how long."""
        self._on_call(self._provider, "rate_limited")
        if not self._throttled:
            self._throttled = True
            log.warning("%s asks us to wait: %s", self._name, answer.shown)
        seconds = retry_after(answer.headers, now)
        if storm == self._storm:
            self._storm += 1
            self._growth += seconds is None
        if seconds is None:
            limit = min(_SHORTEST_PAUSE * 2 ** min(self._growth, 10), _LONGEST_PAUSE)
            seconds = _SHORTEST_PAUSE + (limit - _SHORTEST_PAUSE) * self._random()
        self._budget.pause(seconds)
        return RateLimited(f"{self._name} asks us to wait; it goes on by itself.", seconds)

    def _no_answer(self, answer: Answer, now: datetime) -> NoAnswer:
        self._on_call(self._provider, "no_answer")
        seconds = retry_after(answer.headers, now)
        if seconds is not None:
            self._budget.pause(seconds)
        return NoAnswer(f"{self._name} answered {answer.status}: {answer.shown or 'nothing more'}")

    def _answered(self, storm: int) -> None:
        """It lets us call again, unless this call was under way before it asked us to wait."""
        if storm != self._storm:
            return
        self._growth = 0
        if self._throttled:
            self._throttled = False
            log.info("%s lets us call again", self._name)
