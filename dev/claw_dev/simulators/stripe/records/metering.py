"""What customers use, and are billed for afterwards."""

from dataclasses import dataclass
from typing import ClassVar

from claw_dev.simulators.stripe.records.record import Record


@dataclass(frozen=True, kw_only=True)
class Meter(Record):
    """How events become usage."""

    OBJECT: ClassVar[str] = "billing.meter"
    PREFIX: ClassVar[str] = "mtr_test"

    display_name: str
    event_name: str
    formula: str
    customer_key: str = "stripe_customer_id"
    """The key of an event's payload that tells whose usage it is, and the one that tells how much."""
    value_key: str = "value"
    event_time_window: str | None = None
    status: str = "active"
    updated: int
    deactivated_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class MeterEvent(Record):
    """Some usage of one customer."""

    OBJECT: ClassVar[str] = "billing.meter_event"
    PREFIX: ClassVar[str] = "mtr_event"

    identifier: str
    """By which it is counted once, though for a while only."""
    event_name: str
    payload: dict[str, str]
    timestamp: int


@dataclass(frozen=True, kw_only=True)
class UsageSummary(Record):
    """The usage of one customer in a span of time."""

    OBJECT: ClassVar[str] = "billing.meter_event_summary"
    PREFIX: ClassVar[str] = "mtrusg_test"

    meter: str
    value: float
    start: int
    end: int
