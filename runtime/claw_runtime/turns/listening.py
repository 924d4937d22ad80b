"""Whoever waits for an answer, and hears it while it is given."""

from dataclasses import dataclass
from typing import Protocol


class Listener(Protocol):
    """Whoever waits for the answer. What its methods raise ends the turn."""

    gone: bool
    """Whether they hung up."""

    async def text(self, piece: str) -> None:
        """The next piece of the answer."""
        ...

    async def tool_started(self, use_id: str, name: str) -> None:
        """A tool is being used."""
        ...

    async def tool_ended(self, use_id: str, name: str, ok: bool, seconds: float) -> None:
        """A tool has answered, or refused."""
        ...


@dataclass
class Patient:
    """Wants the whole answer, when it is there."""

    gone: bool = False

    async def text(self, piece: str) -> None:
        """As in Listener."""

    async def tool_started(self, use_id: str, name: str) -> None:
        """As in Listener."""

    async def tool_ended(self, use_id: str, name: str, ok: bool, seconds: float) -> None:
        """As in Listener."""
