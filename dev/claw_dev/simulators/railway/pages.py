"""Relay's connections: lists in pages, with cursors that mean nothing to anybody else. Pure."""

import base64
from collections.abc import Callable, Sequence
from typing import TypeVar

from claw_dev.simulators.railway.pace import Quirks
from claw_dev.simulators.railway.problems import gateway_failure
from claw_dev.simulators.railway.records import Json, Record

R = TypeVar("R", bound=Record)


def connection(records: Sequence[R], args: Json, quirks: Quirks, render: Callable[[R], Json]) -> Json:
    """A page of the records, which must be in the order that the list has.

    `first` and `after` walk forward; `last` and `before` backward. Raises Problem for a cursor that is none.
    """
    backward = args.get("last") is not None or args.get("before") is not None
    size = min(args.get("last" if backward else "first") or quirks.default_page, quirks.page_limit)
    mark = args.get("before" if backward else "after")
    remaining = list(reversed(records)) if backward else list(records)
    if mark is not None:
        sequence = _sequence(mark)
        position = next((at for at, record in enumerate(remaining) if record.sequence == sequence), None)
        # The one that the cursor names may be gone meanwhile; the list goes on with the next in order.
        remaining = _beyond(remaining, sequence) if position is None else remaining[position + 1 :]
    shown, more = remaining[:size], len(remaining) > size
    page = list(reversed(shown)) if backward else shown
    end = _cursor(page[-1]) if page else None
    if quirks.cursor_stands_still and mark is not None:
        end = mark
    return {
        "edges": [{"cursor": _cursor(record), "node": render(record)} for record in page],
        "pageInfo": {
            "endCursor": end,
            "startCursor": _cursor(page[0]) if page else None,
            "hasNextPage": mark is not None if backward else more,
            "hasPreviousPage": more if backward else mark is not None,
        },
    }


def _beyond(records: list[R], sequence: int) -> list[R]:
    ascending = len(records) < 2 or records[0].sequence < records[-1].sequence
    return [record for record in records if (record.sequence > sequence) == ascending]


def _cursor(record: Record) -> str:
    return base64.b64encode(f"cursor:{record.sequence}".encode()).decode()


def _sequence(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("cursor:"))
    except ValueError:
        raise gateway_failure() from None
