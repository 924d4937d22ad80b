"""The shapes that all objects share."""

from collections.abc import Iterable
from typing import Any

from claw_dev.simulators.stripe.records import Record

Json = dict[str, Any]


def head(record: Record) -> Json:
    """What every object begins with."""
    return {"id": record.id, "object": record.OBJECT, "created": record.created, "livemode": False}


def nothing(*fields: str) -> Json:
    """Fields without a value: Stripe shows them as null and does not leave them out."""
    return dict.fromkeys(fields)


def listing(data: Iterable[Json], url: str, *, has_more: bool = False) -> Json:
    """A list object. Clients page by asking its `url` again."""
    return {"object": "list", "data": list(data), "has_more": has_more, "url": url}


def automatic_tax() -> Json:
    """Taxes are not the simulator's business."""
    return {"enabled": False, "liability": None, "provider": None, "status": None}
