"""A client of the stand-in's `/_sim/`, for demos and tests."""

from types import TracebackType
from typing import Any, Self

import httpx

from claw_dev.simulators.claude.script import Scripted
from claw_dev.simulators.faults import Fault


class ClaudeControls:
    """Looks at and disturbs the stand-in at `url`. An async context manager."""

    def __init__(self, url: str) -> None:
        # The stand-in is on this machine: a proxy from the environment could only get in the way.
        self._client = httpx.AsyncClient(base_url=f"{url}/_sim/", timeout=30, trust_env=False)

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close them."""
        await self._client.__aexit__(kind, error, traceback)

    async def calls(self) -> list[dict[str, Any]]:
        """The last calls, the oldest first, with `request`, `status` and `answer`."""
        response = await self._client.get("calls")
        return list(response.raise_for_status().json()["calls"])

    async def forget_calls(self) -> None:
        """Begin a new log."""
        (await self._client.delete("calls")).raise_for_status()

    async def answer(self, *answers: Scripted) -> None:
        """Give these answers next, instead of its own."""
        content = [answer.model_dump(mode="json") for answer in answers]
        (await self._client.post("script", json=content)).raise_for_status()

    async def inject(self, fault: Fault) -> None:
        """Let requests to the API go wrong."""
        (await self._client.post("faults", content=fault.model_dump_json())).raise_for_status()
