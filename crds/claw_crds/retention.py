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
    """The annotation, when it is no moment. Then nothing is deleted: somebody wanted the data kept."""


def retention(delete_after: datetime | None, annotations: Mapping[str, str]) -> Retention:
    """The later of the two moments counts. The annotation alone deletes nothing."""
    wished = annotations.get(naming.KEEP_UNTIL)
    if wished is None or delete_after is None:
        return Retention(delete_after)
    keep_until = _moment(wished)
    if keep_until is None:
        return Retention(delete_after, unreadable=wished[:64])
    return Retention(max(delete_after, keep_until))


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
