"""What the stand-in is told to answer, for tests and demos that need a certain answer. Pure.

A scripted answer is given once, to the first request that it fits, instead of the stand-in's own. It may use tools that
were not offered and inputs that no schema allows: models do that too.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from claw_dev.simulators.claude.requests import MessagesRequest, said_in


class ScriptedTool(BaseModel):
    """A tool that is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    input: dict[str, Any] = {}


class Scripted(BaseModel):
    """An answer for the next `times` requests whose last turn holds `when`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = ""
    tools: tuple[ScriptedTool, ...] = ()
    search: str | None = Field(default=None, description="Searches the web for it first, where that was offered.")
    stop_reason: str | None = Field(default=None, description="Instead of the one that follows from the answer.")
    when: str = Field(default="", description="A piece of what the last turn says, tools' answers included.")
    model: str | None = Field(default=None, description="Only requests for this model.")
    times: int | None = Field(default=1, ge=1, description="None: until the script is cleared.")


class Script:
    """Scripted answers, the first one first."""

    def __init__(self) -> None:
        self._waiting: list[Scripted] = []

    def add(self, *answers: Scripted) -> None:
        """Put them behind those that are still waiting."""
        self._waiting += answers

    def clear(self) -> None:
        """Forget those that were not given."""
        self._waiting.clear()

    @property
    def waiting(self) -> tuple[Scripted, ...]:
        """Those that were not given yet."""
        return tuple(self._waiting)

    def take(self, request: MessagesRequest) -> Scripted | None:
        """The answer for this request, which is used up by it."""
        last = said_in(request.messages[-1].content)
        for position, answer in enumerate(self._waiting):
            if answer.when not in last or answer.model not in (None, request.model):
                continue
            if answer.times == 1:
                del self._waiting[position]
            elif answer.times is not None:
                self._waiting[position] = answer.model_copy(update={"times": answer.times - 1})
            return answer
        return None
