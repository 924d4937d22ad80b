"""The account: all objects by kind and id, the clock, and who asked for what is happening now. No I/O, no HTTP."""

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


@dataclass(frozen=True)
class Cause:
    """The API request that makes something happen. What customers and time do has neither."""

    request_id: str | None = None
    idempotency_key: str | None = None


class Account:
    """One Stripe account in test mode.

    `on_event` is called with every new event, at once and in order; it must not block.
    """

    def __init__(self, *, clock: Callable[[], datetime], random: Random, api_version: str = versions.CURRENT) -> None:
        self._clock = clock
        self._records: dict[type[Record], dict[str, Record]] = {}
        self.random = random
        self.api_version = api_version
        """The version that events are told in: that of the account, or of its webhook endpoint."""
        self.checkout_base = "https://checkout.stripe.com"
        """Where the payment page is."""
        self.cause = Cause()
        self.on_event: Callable[[Event], None] = lambda event: None

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._clock().timestamp())

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

    @contextmanager
    def caused_by(self, cause: Cause) -> Iterator[None]:
        """What happens inside is told as the doing of this request. Nothing inside may await."""
        self.cause = cause
        try:
            yield
        finally:
            self.cause = Cause()
