"""When a suspended instance is deleted, by its own words and a person's. Pure; operator and webhook agree on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from claw_crds import naming


@dataclass(frozen=True)
class Retention:
    """What follows from `spec.deleteAfter` and the keep-until annotation."""

    deletion_time: datetime | None
    """Not before then; None when the instance is not to be deleted."""
    unreadable: str | None = None
    """The annotation's beginning, when it is no moment. Then nothing is deleted: somebody wanted the data kept."""


def retention(delete_after: datetime | None, annotations: Mapping[str, str]) -> Retention:
    """The later of the two moments counts. The annotation alone deletes nothing."""
    wished = annotations.get(naming.KEEP_UNTIL)
    keep_until = None if wished is None else _moment(wished)
    if wished is not None and keep_until is None:
        return Retention(None, unreadable=wished[:64])
    if delete_after is None or keep_until is None:
        return Retention(delete_after)
    return Retention(max(delete_after, keep_until))


def _moment(text: str) -> datetime | None:
    """The moment in UTC. A date alone is its first moment; what lies outside of the calendar is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
