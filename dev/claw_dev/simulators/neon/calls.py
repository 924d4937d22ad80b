"""What was asked, what was done and what was answered: for assertions, and for the judge of requests and answers."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_REMEMBERED = 100_000


@dataclass
class Call:
    """One call of the API."""

    sequence: int
    """Counted from 1."""
    at: datetime
    operation: str
    """The operationId of Neon's OpenAPI document; empty for what is not in it."""
    method: str
    path: str
    """Below the API's own address: `/projects/...`."""
    query: dict[str, str]
    body: Any
    """As JSON; None without one."""
    key: str = ""
    """The kind of the API key. The key itself is nowhere."""
    carried_out: bool = False
    """Whether something was changed or read, even if nobody ever heard of it."""
    status: int | None = None
    """What was decided; None when the request was lost on its way here."""
    answer: Any = field(default=None, repr=False)
    """The JSON that belongs to `status`. It may hold passwords."""
    delivered: bool = False
    """Whether the answer was sent."""
    seconds: float | None = None
    """How long it took; None while it is under way."""


class CallLog:
    """The calls, the oldest first."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=_REMEMBERED)
        self._count = 0

    def __iter__(self) -> Iterator[Call]:
        """All that are remembered."""
        return iter(tuple(self._calls))

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._calls)

    def next_number(self) -> int:
        """Of a call that begins now."""
        self._count += 1
        return self._count

    def add(self, call: Call) -> None:
        """Remember it."""
        self._calls.append(call)

    def clear(self) -> None:
        """Forget all; the numbers go on."""
        self._calls.clear()

    def by_operation(self) -> Counter[str]:
        """How often each operation was asked for."""
        return Counter(call.operation for call in self._calls)

    def writes(self) -> list[Call]:
        """Those that change something."""
        return [call for call in self._calls if call.method != "GET"]
