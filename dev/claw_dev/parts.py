"""What a stack consists of, and what needs what. Pure."""

from collections.abc import Iterable
from enum import StrEnum


class Part(StrEnum):
    """One thing that is started, and shown, as a whole."""

    KUBERNETES = "kubernetes"
    POSTGRES = "postgres"
    MAIL = "mail"
    STRIPE = "stripe"
    CLAUDE = "claude"
    OPERATOR = "operator"
    WEBHOOK = "webhook"


NEEDS: dict[Part, frozenset[Part]] = {
    Part.KUBERNETES: frozenset(),
    Part.POSTGRES: frozenset(),
    Part.MAIL: frozenset(),
    Part.STRIPE: frozenset(),
    Part.CLAUDE: frozenset(),
    Part.OPERATOR: frozenset({Part.KUBERNETES, Part.POSTGRES, Part.CLAUDE}),
    Part.WEBHOOK: frozenset({Part.KUBERNETES, Part.POSTGRES, Part.STRIPE, Part.MAIL}),
}
"""What must be ready before a part starts; everything else starts side by side."""

EVERYTHING = frozenset(Part)


def with_needs(parts: Iterable[Part]) -> frozenset[Part]:
    """The parts and everything that they need."""
    complete: set[Part] = set()
    open_parts = list(parts)
    while open_parts:
        part = open_parts.pop()
        if part not in complete:
            complete.add(part)
            open_parts.extend(NEEDS[part])
    return frozenset(complete)
