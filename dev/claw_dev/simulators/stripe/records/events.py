"""What happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from claw_dev.simulators.stripe.records.record import Record


@dataclass(frozen=True, kw_only=True)
class Event(Record):
    """Something happened to an object. It stays as it was told, whatever happens to the object later."""

    OBJECT: ClassVar[str] = "event"
    PREFIX: ClassVar[str] = "evt"

    type: str
    snapshot: Mapping[str, Any]
    """The object as it was then, as JSON of the event's API version."""
    previous_attributes: Mapping[str, Any] | None = None
    api_version: str
    request_id: str | None = None
    idempotency_key: str | None = None
    pending_webhooks: int = 0
