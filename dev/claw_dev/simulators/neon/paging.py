"""Neon's two ways to page. Pure.

Branches are told `pagination.next`, absent on the last page. Projects and operations are told `pagination.cursor`,
always: the end shows in an empty page, or in a cursor that stays the same.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from claw_dev.simulators.neon.problems import malformed

RecordT = TypeVar("RecordT")


def whole_number(query: Mapping[str, str], name: str, default: int, *, largest: int) -> int:
    """A number of the query between 1 and `largest`. Raises NeonProblem 400."""
    text = query.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= largest:
        raise malformed(f"query parameter {name} must be between 1 and {largest}")
    return int(text)


def flag(query: Mapping[str, str], name: str) -> bool:
    """A truth value of the query; absent is false. Raises NeonProblem 400."""
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise malformed(f"query parameter {name} must be true or false")
    return text == "true"


def by_next(
    records: Sequence[RecordT], query: Mapping[str, str], id_of: Callable[[RecordT], str]
) -> tuple[Sequence[RecordT], dict[str, Any]]:
    """One page of at most `limit`, and its `pagination`."""
    page = _page_after(records, query.get("cursor"), whole_number(query, "limit", 10000, largest=10000), id_of)
    pagination = {"sort_by": query.get("sort_by", "updated_at"), "sort_order": query.get("sort_order", "desc").upper()}
    if page and page[-1] is not records[-1]:
        pagination["next"] = _cursor(id_of(page[-1]))
    return page, pagination


def by_cursor(
    records: Sequence[RecordT], query: Mapping[str, str], limit: int, id_of: Callable[[RecordT], str]
) -> tuple[Sequence[RecordT], dict[str, Any]]:
    """One page of at most `limit`, and its `pagination`. After an empty page the cursor is the one that was sent."""
    page = _page_after(records, query.get("cursor"), limit, id_of)
    return page, {"cursor": _cursor(id_of(page[-1])) if page else query.get("cursor") or _cursor("")}


def _page_after(
    records: Sequence[RecordT], cursor: str | None, limit: int, id_of: Callable[[RecordT], str]
) -> Sequence[RecordT]:
    if not cursor:
        return records[:limit]
    last = _read(cursor)
    position = next((index for index, record in enumerate(records) if id_of(record) == last), None)
    return [] if position is None else records[position + 1 : position + 1 + limit]


def _cursor(identifier: str) -> str:
    return base64.urlsafe_b64encode(f"after:{identifier}".encode()).decode()


def _read(cursor: str) -> str:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        raise malformed("invalid cursor") from None
    return text.removeprefix("after:")
