"""Events."""

from claw_dev.simulators.stripe.records import Event
from claw_dev.simulators.stripe.rendering.shapes import Json, head


def event(record: Event) -> Json:
    """A snapshot event, as it is delivered and as the API shows it."""
    data: Json = {"object": dict(record.snapshot)}
    if record.previous_attributes is not None:
        data["previous_attributes"] = dict(record.previous_attributes)
    return head(record) | {
        "api_version": record.api_version,
        "data": data,
        "pending_webhooks": record.pending_webhooks,
        "request": {"id": record.request_id, "idempotency_key": record.idempotency_key},
        "type": record.type,
    }
