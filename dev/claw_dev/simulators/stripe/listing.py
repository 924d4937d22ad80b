"""Stripe's lists: newest first, a page after or before a cursor, and whether there is more beyond it. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from claw_dev.simulators.stripe.errors import invalid, missing
from claw_dev.simulators.stripe.params import Listed, Paged
from claw_dev.simulators.stripe.records import Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Page(Generic[R]):
    """A part of a list."""

    records: Sequence[R]
    has_more: bool


def page(everything: Sequence[R], wanted: Paged, matches: Callable[[R], bool]) -> Page[R]:
    """The part of `everything` (newest first) that matches and was asked for.

    The cursor itself need not match: it may have stopped to while the client was reading the page before. Raises
    StripeProblem for a cursor that does not exist.
    """
    if wanted.starting_after is not None and wanted.ending_before is not None:
        raise invalid("Only one of starting_after and ending_before can be given.", "ending_before")
    if wanted.starting_after is not None:
        everything = everything[_position(everything, wanted.starting_after, "starting_after") + 1 :]
    if wanted.ending_before is not None:
        everything = everything[: _position(everything, wanted.ending_before, "ending_before")]
    span = wanted.created if isinstance(wanted, Listed) else None
    matching = [r for r in everything if matches(r) and (span is None or span.contains(r.created))]
    # Before a cursor, the page is the one next to it and not the newest one.
    part = matching[-wanted.limit :] if wanted.ending_before is not None else matching[: wanted.limit]
    return Page(part, has_more=len(matching) > wanted.limit)


def _position(records: Sequence[Record], cursor: str, param: str) -> int:
    for position, record in enumerate(records):
        if record.id == cursor:
            return position
    raise missing(records[0].OBJECT if records else "object", cursor, param)
