"""Railway's edge: which domain is which service, and where a request to it goes.

A domain is a port of this machine of its own. What nobody answers gets what Railway's edge says: 404 where nothing is
deployed, 502 where what is deployed does not answer. A sleeping service is woken by the request.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random

from aiohttp import web

from claw_dev.simulators.railway.records import ServiceDomain
from claw_dev.simulators.railway.running import NoAnswer, Running
from claw_dev.simulators.serving import LOOPBACK

SUFFIX = "up.railway.app"

Key = tuple[str, str]
"""A service's id and an environment's."""


@dataclass
class Nap:
    """A service's sleep."""

    disturbed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first request."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it answers again."""


class Edge:
    """All domains. Without `listens` they are names that lead nowhere."""

    def __init__(
        self, *, listens: bool, random: Random, monotonic: Callable[[], float] = time.monotonic, patience: float = 30.0
    ) -> None:
        self._listens = listens
        self._random = random
        self._monotonic = monotonic
        self._patience = patience
        self._runner: web.AppRunner | None = None
        self._sites: dict[str, web.SockSite] = {}
        self._owners: dict[int, Key] = {}
        self._live: dict[Key, Running] = {}
        self._naps: dict[Key, Nap] = {}
        self._asked: dict[Key, float] = {}

    async def open(self, label: str, key: Key) -> tuple[str, str]:
        """A new domain for the service, and its suffix."""
        if not self._listens:
            return f"{label}-{self._random.getrandbits(16):04x}.{SUFFIX}", SUFFIX
        if self._runner is None:
            app = web.Application(client_max_size=64 * 2**20)
            app.router.add_route("*", "/{path:.*}", self._answer)
            self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1, access_log=None)
            await self._runner.setup()
        listener = socket.create_server((LOOPBACK, 0))
        port = int(listener.getsockname()[1])
        self._owners[port] = key
        site = web.SockSite(self._runner, listener)
        await site.start()
        domain = f"{LOOPBACK}:{port}"
        self._sites[domain] = site
        return domain, domain

    async def close(self, domain: ServiceDomain) -> None:
        """Let the domain lead nowhere. Its port refuses connections from now on."""
        site = self._sites.pop(domain.domain, None)
        if site is not None:
            self._owners.pop(int(domain.domain.rpartition(":")[2]), None)
            await site.stop()

    def switch(self, key: Key, running: Running | None) -> None:
        """Send the service's requests there from now on."""
        if (nap := self._naps.pop(key, None)) is not None:
            nap.over.set()
        self._asked[key] = self._monotonic()
        if running is None:
            self._live.pop(key, None)
        else:
            self._live[key] = running

    def leave(self, key: Key, running: Running | None) -> None:
        """Send nothing there any more, if requests still went there."""
        if running is not None and self._live.get(key) is running:
            del self._live[key]

    def idle(self, key: Key) -> float:
        """Seconds since somebody asked."""
        return self._monotonic() - self._asked.get(key, self._monotonic())

    def lull(self, key: Key) -> Nap:
        """Let the service sleep. The next request disturbs it and waits until `switch`."""
        self._live.pop(key, None)
        return self._naps.setdefault(key, Nap())

    async def aclose(self) -> None:
        """Close all domains."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None  # noqa: S101 - a request that is being answered has one
        key = self._owners.get(request.transport.get_extra_info("sockname")[1])
        if key is None:
            return _fallback(HTTPStatus.NOT_FOUND, "Application not found")
        self._asked[key] = self._monotonic()
        if (nap := self._naps.get(key)) is not None:
            nap.disturbed.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await nap.over.wait()
        running = self._live.get(key)
        if running is None:
            return _fallback(HTTPStatus.NOT_FOUND, "Application not found")
        try:
            return await running.answer(request)
        except NoAnswer:
            return _fallback(HTTPStatus.BAD_GATEWAY, "Application failed to respond")


def _fallback(status: HTTPStatus, message: str) -> web.Response:
    return web.json_response(
        {"status": "error", "code": status.value, "message": message},
        status=status,
        headers={"X-Railway-Fallback": "true"},
    )
