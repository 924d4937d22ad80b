"""What all objects have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

Metadata = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What all objects have."""

    OBJECT: ClassVar[str]
    """The `object` field, and the name in error messages."""
    PREFIX: ClassVar[str]
    """What the id begins with."""

    id: str
    created: int
