"""What was asked of the stand-in, for tests and for curious people. The last few hundred calls are remembered."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_REMEMBERED = 200


@dataclass(frozen=True)
class Call:
    """One request to the API and what became of it."""

    at: datetime
    request_id: str
    path: str
    request: dict[str, Any] | None
    """As it was sent; None when it is no JSON object."""
    status: int
    answer: dict[str, Any]
    """The message or the error, whole even when it was streamed or cut."""


class CallLog:
    """The last calls, the oldest first. No headers are kept: one of them is the API key."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=_REMEMBERED)

    def add(self, call: Call) -> None:
        """Remember a call."""
        self._calls.append(call)

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()

    def all(self) -> tuple[Call, ...]:
        """What is remembered."""
        return tuple(self._calls)
