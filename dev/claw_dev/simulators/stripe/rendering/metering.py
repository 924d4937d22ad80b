"""Meters, their events, and what the events come to."""

from claw_dev.simulators.stripe.records import Meter, MeterEvent, UsageSummary
from claw_dev.simulators.stripe.rendering.shapes import Json, head


def meter(record: Meter) -> Json:
    """A meter."""
    return head(record) | {
        "customer_mapping": {"event_payload_key": record.customer_key, "type": "by_id"},
        "default_aggregation": {"formula": record.formula},
        "display_name": record.display_name,
        "event_name": record.event_name,
        "event_time_window": record.event_time_window,
        "status": record.status,
        "status_transitions": {"deactivated_at": record.deactivated_at},
        "updated": record.updated,
        "value_settings": {"event_payload_key": record.value_key},
    }


def meter_event(record: MeterEvent) -> Json:
    """An event of usage. Its id is not shown, but the identifier."""
    return {
        "object": record.OBJECT,
        "created": record.created,
        "event_name": record.event_name,
        "identifier": record.identifier,
        "livemode": False,
        "payload": dict(record.payload),
        "timestamp": record.timestamp,
    }


def summary(record: UsageSummary) -> Json:
    """The usage in a span of time."""
    return {
        "id": record.id,
        "object": record.OBJECT,
        "aggregated_value": record.value,
        "end_time": record.end,
        "livemode": False,
        "meter": record.meter,
        "start_time": record.start,
    }
