"""What was asked of the simulator, for tests and for curious people. No headers are kept: one of them is the token."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class Call:
    """One request to the API and what became of it."""

    sequence: int
    operation: str
    """Its name in the document; empty when it has none."""
    fields: tuple[str, ...]
    """The root fields of the operation, such as `serviceCreate`."""
    writes: bool
    """Whether it is a mutation."""
    document: str
    variables: dict[str, Any] = field(repr=False)
    """They hold what the runtime is told, secrets included: not for logs."""
    token_kind: str
    has_query_string: bool
    at: datetime
    began: float = field(default_factory=time.monotonic)
    status: int | None = None
    """What was answered; None while it is under way, or when the connection was cut."""
    carried_out: bool = False
    """Whether it was executed, successfully or not, whatever was answered."""
    errors: tuple[str, ...] = ()
    seconds: float | None = None


class CallLog:
    """All calls, the oldest first."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._sequence = 0

    def add(self, **facts: Any) -> Call:
        """A new call, with the next number."""
        self._sequence += 1
        call = Call(sequence=self._sequence, **facts)
        self._calls.append(call)
        return call

    def all(self) -> tuple[Call, ...]:
        """Everything that was asked since the beginning, or since the log was cleared."""
        return tuple(self._calls)

    def clear(self) -> None:
        """Forget all calls. The numbers go on."""
        self._calls.clear()

    def __len__(self) -> int:
        return len(self._calls)
