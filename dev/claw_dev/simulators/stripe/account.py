"""The account: all objects by kind and id, the time, and who asked for what is happening now. No I/O, no HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any, TypeVar, cast

from claw_dev.simulators.stripe import versions
from claw_dev.simulators.stripe.errors import missing
from claw_dev.simulators.stripe.ids import new_id
from claw_dev.simulators.stripe.records import Event, Record

R = TypeVar("R", bound=Record)

_DAY = 24 * 3600


@dataclass(frozen=True)
class Cause:
    """The API request that makes something happen. What customers and time do has neither."""

    request_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Rules:
    """What a business chooses in Stripe's dashboard."""

    retry_days: tuple[int, ...] = (3, 5, 7)
    """How many days after each failed payment the next is tried."""
    after_retries: str = "canceled"
    """What the subscription becomes when the last has failed: canceled, unpaid or past_due."""
    draft_seconds: int = 3600
    """How long a renewal's invoice stays a draft before anybody is asked to pay it."""


class Account:
    """One Stripe account in test mode.

    `on_event` is called with every new event, at once and in order; it must not block.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        random: Random,
        api_version: str = versions.CURRENT,
        events_kept_days: int = 30,
    ) -> None:
        self._clock = clock
        self._ahead = 0
        self._moment: int | None = None
        self._records: dict[type[Record], dict[str, Record]] = {}
        self._events_kept = events_kept_days * _DAY
        self.random = random
        self.api_version = api_version
        """The version that events are told in: that of the account, or of its webhook endpoint."""
        self.base_url = "https://checkout.stripe.com"
        """Where the payment page and the customers' portal are."""
        self.reached = self.own_time()
        """Up to when everything has happened that time brings by itself."""
        self.rules = Rules()
        self.cause = Cause()
        self.on_event: Callable[[Event], None] = lambda event: None

    def now(self) -> int:
        """Seconds since 1970: for what happens by a test clock, by that clock."""
        return self.own_time() if self._moment is None else self._moment

    def own_time(self) -> int:
        """The time of everything that is on no test clock."""
        return int(self._clock().timestamp()) + self._ahead

    def forward_to(self, moment: int) -> None:
        """Let the account's time jump ahead, unless it is later already."""
        self._ahead += max(0, moment - self.own_time())

    @contextmanager
    def at(self, moment: int | None) -> Iterator[None]:
        """What happens inside happens at that moment. Nothing inside may await."""
        before, self._moment = self._moment, moment
        try:
            yield
        finally:
            self._moment = before

    def new(self, kind: type[R], *, id: str | None = None, **facts: Any) -> R:  # noqa: A002 - the field's name
        """Make an object now, under a new id if none is given, and keep it."""
        return self.put(kind(id=id or self.new_id(kind.PREFIX), created=self.now(), **facts))

    def new_id(self, prefix: str) -> str:
        """A new id with the prefix."""
        return new_id(self.random, prefix)

    def put(self, record: R) -> R:
        """Keep the object, in place of its earlier self."""
        self._records.setdefault(type(record), {})[record.id] = record
        return record

    def change(self, record: R, **facts: Any) -> R:
        """Keep the object with these facts in place of the earlier ones."""
        return self.put(replace(record, **facts))

    def get(self, kind: type[R], identifier: str, param: str = "id") -> R:
        """The object. Raises StripeProblem, naming the request's parameter, when there is none."""
        found = self._records.get(kind, {}).get(identifier)
        if found is None:
            raise missing(kind.OBJECT, identifier, param)
        return cast(R, found)

    def all(self, kind: type[R]) -> list[R]:
        """All objects of a kind, the newest first as in Stripe's lists."""
        return [cast(R, record) for record in reversed(self._records.get(kind, {}).values())]

    def find(self, identifier: str) -> Record:
        """The object of any kind with this id. Raises KeyError."""
        for records in self._records.values():
            if identifier in records:
                return records[identifier]
        raise KeyError(identifier)

    def forget_old_events(self) -> None:
        """Stripe tells of the last 30 days only, and two simulated years would not fit into memory either."""
        events = self._records.get(Event, {})
        oldest_kept = self.own_time() - self._events_kept
        while events and (first := next(iter(events.values()))).created < oldest_kept:
            del events[first.id]

    @contextmanager
    def caused_by(self, cause: Cause) -> Iterator[None]:
        """What happens inside is told as the doing of this request. Nothing inside may await."""
        self.cause = cause
        try:
            yield
        finally:
            self.cause = Cause()
