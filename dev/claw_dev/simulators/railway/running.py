"""What a deployment runs: nothing at all, a stand-in for the runtime, or a real process. The Protocols of the three."""

import asyncio
from http import HTTPStatus
from typing import Literal, Protocol

from aiohttp import web

from claw_dev.simulators.railway.records import Deployment


class NoAnswer(Exception):
    """What runs does not answer."""


class Running(Protocol):
    """One started container."""

    async def health(self, path: str) -> int | None:
        """The HTTP status that it answers there; None while it does not answer."""
        ...

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer what came to the service's domain. Raises NoAnswer."""
        ...

    async def ended(self) -> int:
        """Return its exit code once it ends by itself."""
        ...

    def crash(self) -> None:
        """End it as if it had failed."""
        ...

    async def stop(self) -> None:
        """End it. Safe to repeat."""
        ...


class Runtimes(Protocol):
    """Starts containers."""

    answers: bool
    """Whether domains are ports of this machine that answer."""

    async def start(self, deployment: Deployment) -> Running:
        """Start what was deployed. What it prints is appended to the deployment's log."""
        ...


RUNTIMES = ("none", "stand-in", "process")
"""What deployments may run, by name."""

RuntimesName = Literal["none", "stand-in", "process"]


class Nothing:
    """A container of which only its states can be seen."""

    def __init__(self) -> None:
        self._crashed = asyncio.Event()

    async def health(self, path: str) -> int | None:
        """Always well."""
        return HTTPStatus.OK

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Never asked: there is no address."""
        return web.Response(status=HTTPStatus.BAD_GATEWAY)

    async def ended(self) -> int:
        """Only when somebody lets it crash."""
        await self._crashed.wait()
        return 1

    def crash(self) -> None:
        """End it as if it had failed."""
        self._crashed.set()

    async def stop(self) -> None:
        """There is nothing to stop."""


class NoRuntimes:
    """Deployments that only walk their states."""

    answers = False

    async def start(self, deployment: Deployment) -> Running:
        """Start nothing."""
        return Nothing()
