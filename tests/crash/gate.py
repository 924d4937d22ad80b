"""Stands between the operator and all of its neighbours, and strikes at one certain call.

It is the operator's API server and, for plain HTTP, its proxy: so every request comes through it, whatever port a
runtime has, and nothing of the product knows. A strike kills the operator before the call is passed on or after it
was answered, or lets it live without the answer.
"""

import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from claw_dev.simulators.injection import cut
from claw_dev.simulators.serving import serving
from tests.crash.calls import Call, Neighbour, Point, is_watch, named

_OF_ONE_CONNECTION = {"connection", "content-length", "host", "keep-alive", "proxy-connection", "transfer-encoding"}
_LARGEST_BODY = 16 * 2**20


class Moment(StrEnum):
    """What happens at the call that is struck."""

    BEFORE = "killed before"
    """The operator dies, and the neighbour never hears of the call."""
    AFTER = "killed after"
    """The neighbour does it and answers, and the operator dies without having heard."""
    LOST = "answer lost"
    """The neighbour does it; the operator loses the connection, and lives."""


@dataclass
class Strike:
    """A strike that is prepared, or was made."""

    point: Point
    moment: Moment
    kill: Callable[[], None]
    made: bool = False


class Gate:
    """Passes on what the operator sends, and notes it. Made by `gate`."""

    def __init__(self, session: aiohttp.ClientSession, api_server: str, railway: str, neon: str) -> None:
        self.calls: list[Call] = []
        """Every call since `listen`."""
        self.writes: Counter[Neighbour] = Counter()
        """How often each neighbour was asked to change something, since the beginning."""
        self.url = ""
        self._session = session
        self._api_server = URL(api_server)
        self._providers = {URL(railway).authority: Neighbour.RAILWAY, URL(neon).authority: Neighbour.NEON}
        self._seen: Counter[Call] = Counter()
        self._strike: Strike | None = None
        self._last_write = time.monotonic()

    def listen(self, strike: Strike | None = None) -> None:
        """Begin a new count, with a strike at a point of it or without."""
        self.calls, self._seen, self._strike = [], Counter(), strike
        self._last_write = time.monotonic()

    def quiet_seconds(self) -> float:
        """How long nothing was written."""
        return time.monotonic() - self._last_write

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """One request of the operator's."""
        body = await request.read()
        neighbour, target = self._target(request)
        call = named(neighbour, request.method, request.path, request.query_string, body)
        moment = self._struck(call)
        if moment is Moment.BEFORE:
            return cut(request)
        try:
            async with self._session.request(
                request.method, target, headers=_passed_on(request.headers), data=body or None, allow_redirects=False
            ) as answer:
                if is_watch(call) and moment is None:
                    return await _stream(request, answer)
                # The answer to a watch has no end: of one that is struck, the beginning counts as the answer.
                content = b"" if is_watch(call) else await answer.read()
        except aiohttp.ClientError:
            return cut(request)
        finally:
            if call.changes:
                self._last_write = time.monotonic()
        if moment is Moment.AFTER:
            self._kill()
        if moment is not None:
            return cut(request)
        return web.Response(status=answer.status, headers=_passed_on(answer.headers), body=content)

    def _target(self, request: web.Request) -> tuple[Neighbour, URL]:
        # A proxy is asked with the whole address, a server with the path alone; some clients ask even us by proxy.
        asked = request.url
        if asked.authority != URL(self.url).authority:
            return self._providers.get(asked.authority, Neighbour.RUNTIME), asked
        return Neighbour.KUBERNETES, self._api_server.join(request.rel_url)

    def _struck(self, call: Call) -> Moment | None:
        self.calls.append(call)
        self._seen[call] += 1
        self.writes[call.neighbour] += call.changes
        strike = self._strike
        if strike is None or strike.made or strike.point != Point(call, self._seen[call]):
            return None
        strike.made = True
        if strike.moment is Moment.BEFORE:
            self._kill()
        return strike.moment

    def _kill(self) -> None:
        assert self._strike is not None
        self._strike.kill()


@asynccontextmanager
async def gate(api_server: str, tls: ssl.SSLContext, *, railway: str, neon: str) -> AsyncIterator[Gate]:
    """A gate on a free port, before this API server and these simulators."""
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)  # without a limit: every watch keeps a connection
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        made = Gate(session, api_server, railway, neon)
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", made.pass_on)
        async with serving(app) as made.url:
            yield made


async def _stream(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=_passed_on(answer.headers))
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    return response


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _OF_ONE_CONNECTION)
