"""Faults that a test asks for: what goes wrong, with which requests, how often. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

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
    HELD_ANSWER = "held_answer"
    """It is done, and nothing answered for `seconds`; then the connection is cut. Time to kill the client in."""
    SLOW = "slow"
    """The first byte of the right answer comes after `seconds`."""
    CUT_STREAM = "cut_stream"
    """A streamed answer is cut after `events` events."""
    ERROR_IN_STREAM = "error_in_stream"
    """A streamed answer ends after `events` events with an event that says what `status` would have said."""
    HTML = "html"
    """A gateway answers with `status` and a page of HTML, and nothing is done."""
    DONE_BUT_HTML = "done_but_html"
    """It is done, and a gateway answers with `status` and a page of HTML all the same."""
    CLOUDFLARE = "cloudflare"
    """Cloudflare's 429 `error code: 1015`, which tells neither a limit nor when to come again. Nothing is done."""
    REFUSED_IN_BODY = "refused_in_body"
    """Answered with 200 and an error in the body that says `message`, as GraphQL does; nothing is done."""


@dataclass(frozen=True)
class Asked:
    """What a fault needs to know of a request."""

    method: str
    path: str
    operation: str = ""
    """Its name, where the protocol gives it one."""
    writes: bool = False
    """Whether it is meant to change anything."""


class Fault(BaseModel):
    """A fault for the next `times` requests whose path begins with `path`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    path: str = "/v1/"
    method: str | None = None
    operation: str | None = Field(default=None, description="Only requests of this name.")
    writes: bool | None = Field(default=None, description="Only requests that change something, or only others.")
    skip: int = Field(default=0, ge=0, description="How many of these requests go well first.")
    probability: float = Field(default=1, ge=0, le=1, description="Of each of these requests, from the seeded source.")
    times: int | None = Field(default=1, ge=1, description="None: until somebody takes it back.")
    status: int = Field(default=500, ge=400, le=599)
    message: str | None = Field(default=None, description="What the error says, where the kind lets it choose.")
    retry_after: float | None = Field(default=None, description="Seconds, sent as Retry-After beside `status`.")
    seconds: float = Field(default=30, ge=0)
    events: int = Field(default=2, ge=0)

    def concerns(self, asked: Asked) -> bool:
        """Whether the request is one of those that it was meant for."""
        return (
            asked.path.startswith(self.path)
            and self.method in (None, asked.method)
            and self.operation in (None, asked.operation)
            and self.writes in (None, asked.writes)
        )


class FaultQueue:
    """The faults that are still to happen, oldest first. `random` decides where a fault has a probability."""

    def __init__(self, random: Random | None = None) -> None:
        self._waiting: list[Fault] = []
        self._random = random or Random(0)  # noqa: S311 - what a simulator gets wrong, repeatable on purpose

    def add(self, fault: Fault) -> None:
        """Let it happen from now on, after those that were added earlier."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._waiting.clear()

    def take(self, asked: Asked) -> Fault | None:
        """The fault that this request suffers, counted down; None when it goes well."""
        for position, fault in enumerate(self._waiting):
            if not fault.concerns(asked):
                continue
            if fault.skip:
                self._waiting[position] = fault.model_copy(update={"skip": fault.skip - 1})
                continue
            if self._random.random() >= fault.probability:
                continue
            if fault.times == 1:
                del self._waiting[position]
            elif fault.times is not None:
                self._waiting[position] = fault.model_copy(update={"times": fault.times - 1})
            return fault
        return None

    def waiting(self) -> tuple[Fault, ...]:
        """What is still to happen."""
        return tuple(self._waiting)
