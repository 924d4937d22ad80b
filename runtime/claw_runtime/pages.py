"""Pages of a list: an opaque cursor that holds the sort key of the last entry of the page before. Pure."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from claw_runtime.problems import INVALID_REQUEST, FieldError, Problem

Entry = TypeVar("Entry")


def cursor(*key: object) -> str:
    """The cursor after the entry with this sort key."""
    return base64.urlsafe_b64encode(json.dumps([str(part) for part in key]).encode()).decode().rstrip("=")


def key(given: str | None, *parts: Callable[[str], Any]) -> tuple[Any, ...]:
    """The sort key in a cursor, read with `parts`; as many Nones without one. Raises Problem for a made-up one."""
    if given is None:
        return (None,) * len(parts)
    try:
        found = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        return tuple(read(part) for read, part in zip(parts, found, strict=True))
    except (ValueError, TypeError, AttributeError):
        wrong = FieldError(field="cursor", message="Send a nextCursor exactly as it was answered, or none.")
        raise Problem(INVALID_REQUEST, "The cursor is not one of this list.", errors=(wrong,)) from None


def split(found: Sequence[Entry], limit: int) -> tuple[Sequence[Entry], Entry | None]:
    """Of limit + 1 entries asked for: the page, and its last entry when there is more after it."""
    page = found[:limit]
    return page, page[-1] if len(found) > limit else None
