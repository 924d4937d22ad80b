"""Webhooks: brings events to the endpoint with a real signature, again and again until it is answered with 2xx.

No order is promised and none is kept: each event has its own task. Every attempt is signed anew at its own time. An
endpoint can ask for more trouble: a share of its events comes twice, a share comes late.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from io import BytesIO
from random import Random
from typing import Any, Self

import aiohttp

from claw_dev.simulators.stripe.signature import HEADERS, sign

logger = logging.getLogger(__name__)

RETRY_DELAYS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts. Stripe tries for three days; a local stack has less time."""
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_AT_ONCE = 8
_REMEMBERED = 1000
_ANSWER_KEPT = 500
EVERYTHING = "*"
TAKEN = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.refunded",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.created",
    "customer.deleted",
    "customer.updated",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "invoice.finalization_failed",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.voided",
    "price.created",
    "price.updated",
    "product.created",
    "product.updated",
)
"""What an endpoint is told of that does not say which. Stripe has no default and makes everybody choose."""


@dataclass(frozen=True)
class Endpoint:
    """Where events go, and which. Without a URL nothing is delivered."""

    url: str | None = None
    secrets: tuple[str, ...] = ()
    enabled_events: tuple[str, ...] = TAKEN
    """Types, or EVERYTHING."""
    duplicates: float = 0
    """The share of events that come once more."""
    disorder: float = 0
    """The share of deliveries that are held back, by up to `disorder_seconds`."""
    disorder_seconds: float = 1

    def wants(self, kind: str) -> bool:
        """Whether events of this type are for it."""
        return self.url is not None and (EVERYTHING in self.enabled_events or kind in self.enabled_events)


class Signing(StrEnum):
    """How a delivery is signed."""

    VALID = "valid"
    FORGED = "forged"
    """Well-formed, with a secret that is not the endpoint's."""
    MALFORMED = "malformed"
    MISSING = "missing"


@dataclass(frozen=True)
class Message:
    """What is delivered."""

    body: bytes
    event: str | None = None
    type: str | None = None
    signing: Signing = Signing.VALID
    age: int = 0
    """How many seconds ago it claims to have been signed."""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """An event's JSON, indented as Stripe sends it: whoever parses and dumps it again breaks the signature."""
        return cls(body=json.dumps(event, indent=2).encode(), event=event["id"], type=event["type"])


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt."""

    event: str | None
    type: str | None
    number: int
    at: datetime
    signing: Signing
    size: int
    status: int | None = None
    answer: str = ""
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether Stripe would be content."""
        return self.status is not None and 200 <= self.status < 300


class Deliverer:
    """Delivers messages to the endpoint and remembers what was answered. Made by `delivering`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: Endpoint,
        *,
        clock: Callable[[], datetime],
        random: Random,
        retry_delays: Sequence[float],
    ) -> None:
        self.endpoint = endpoint
        self._session = session
        self._clock = clock
        self._random = random
        self._retry_delays = tuple(retry_delays)
        self._attempts: deque[Attempt] = deque(maxlen=_REMEMBERED)
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def attempts(self) -> tuple[Attempt, ...]:
        """The last attempts, the oldest first."""
        return tuple(self._attempts)

    def schedule(self, message: Message, *, delivered: Callable[[], None]) -> None:
        """Deliver it soon, and again after failures. `delivered` is called at most once, after a 2xx."""
        if self.endpoint.url is None:
            return
        self._begin(self._deliver(message, delivered, held=self._held_back()))
        if self._random.random() < self.endpoint.duplicates:
            self._begin(self._deliver(message, lambda: None, held=self._held_back()))

    def _begin(self, delivery: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(delivery)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _held_back(self) -> float:
        if self._random.random() >= self.endpoint.disorder:
            return 0
        return self._random.uniform(0, self.endpoint.disorder_seconds)

    async def _deliver(self, message: Message, delivered: Callable[[], None], *, held: float) -> None:
        await asyncio.sleep(held)
        for number, delay in enumerate([*self._retry_delays, None], start=1):
            async with self._slots:
                attempt = await self.send(message, number=number)
            if attempt.succeeded:
                delivered()
                return
            if delay is None:
                logger.warning("gave up delivering %s after %d attempts", message.event, number)
                return
            await asyncio.sleep(delay * self._random.uniform(0.75, 1.25))

    async def send(self, message: Message, *, number: int = 1) -> Attempt:
        """One attempt, now."""
        attempt = Attempt(
            event=message.event,
            type=message.type,
            number=number,
            at=self._clock(),
            signing=message.signing,
            size=len(message.body),
        )
        attempt = await self._post(message, attempt)
        self._attempts.append(attempt)
        return attempt

    async def _post(self, message: Message, attempt: Attempt) -> Attempt:
        if self.endpoint.url is None:
            return replace(attempt, error="there is no endpoint to deliver to")
        try:
            async with self._session.post(
                self.endpoint.url, data=BytesIO(message.body), headers=self._signature(message), allow_redirects=False
            ) as response:
                answer = (await response.content.read(_ANSWER_KEPT)).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            return replace(attempt, error=f"{type(error).__name__}: {error}")
        return replace(attempt, status=response.status, answer=answer)

    def _signature(self, message: Message) -> dict[str, str]:
        moment = int(self._clock().timestamp()) - message.age
        match message.signing:
            case Signing.VALID:
                return {"Stripe-Signature": sign(message.body, self.endpoint.secrets, moment)}
            case Signing.FORGED:
                return {"Stripe-Signature": sign(message.body, ["whsec_of_somebody_else"], moment)}
            case Signing.MALFORMED:
                return {"Stripe-Signature": "t=yesterday,v1=certainly"}
            case Signing.MISSING:
                return {}


@asynccontextmanager
async def delivering(
    endpoint: Endpoint,
    *,
    clock: Callable[[], datetime],
    random: Random,
    retry_delays: Sequence[float] = RETRY_DELAYS,
) -> AsyncIterator[Deliverer]:
    """A deliverer with connections of its own. What is not delivered in the end stays undelivered."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=HEADERS) as session:
        deliverer = Deliverer(session, endpoint, clock=clock, random=random, retry_delays=retry_delays)
        try:
            yield deliverer
        finally:
            await deliverer.stop()
