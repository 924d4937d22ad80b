"""Faults that a test asks for: what goes wrong, with which requests, how often. Pure."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(StrEnum):
    """What goes wrong with a request."""

    ERROR = "error"
    """It is answered with `status`, in the provider's own words, and nothing is done."""
    TIMEOUT = "timeout"
    """Nothing is done and nothing answered for `seconds`; then the connection is cut."""
    CUT = "cut"
    """The connection is cut before anything is done."""
    LOST_ANSWER = "lost_answer"
    """It is done, and the connection cut instead of an answer: the one that makes things twice."""
    SLOW = "slow"
    """The first byte of the right answer comes after `seconds`."""
    CUT_STREAM = "cut_stream"
    """A streamed answer is cut after `events` events."""
    ERROR_IN_STREAM = "error_in_stream"
    """A streamed answer ends after `events` events with an event that says what `status` would have said."""


class Fault(BaseModel):
    """A fault for the next `times` requests whose path begins with `path`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    path: str = "/v1/"
    method: str | None = None
    times: int = Field(default=1, ge=1)
    status: int = Field(default=500, ge=400, le=599)
    retry_after: float | None = Field(default=None, description="Seconds, sent as Retry-After beside `status`.")
    seconds: float = Field(default=30, ge=0)
    events: int = Field(default=2, ge=0)

    def concerns(self, method: str, path: str) -> bool:
        """Whether the request is one of those that it was meant for."""
        return path.startswith(self.path) and self.method in (None, method)


class FaultQueue:
    """The faults that are still to happen, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let it happen from now on, after those that were added earlier."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request suffers, counted down; None when it goes well."""
        for position, fault in enumerate(self._waiting):
            if not fault.concerns(method, path):
                continue
            if fault.times == 1:
                del self._waiting[position]
            else:
                self._waiting[position] = fault.model_copy(update={"times": fault.times - 1})
            return fault
        return None

    def waiting(self) -> tuple[Fault, ...]:
        """What is still to happen."""
        return tuple(self._waiting)
