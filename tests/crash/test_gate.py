"""The gate itself: it strikes where and as it was told to, and otherwise nobody notices it."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from claw_dev.simulators.serving import serving
from tests.crash.calls import Call, Neighbour, Point, named
from tests.crash.gate import Gate, Moment, Strike, gate

OURS = "/apis/claw.dev/v1alpha1/namespaces/claw/clawinstances"
RAILWAY_WRITE = Call(Neighbour.RAILWAY, "mutation serviceCreate", changes=True)
DOCUMENT = {"query": "mutation serviceCreate($input: ServiceCreateInput!) { serviceCreate(input: $input) { id } }"}


@dataclass
class Around:
    """A provider behind a gate, and a client before it."""

    gate: Gate
    provider: str
    client: httpx.AsyncClient
    asked: list[str] = field(default_factory=list)
    killed: int = 0

    def strike(self, moment: Moment, occurrence: int = 1) -> Strike:
        """Let something happen at a serviceCreate."""
        strike = Strike(Point(RAILWAY_WRITE, occurrence), moment, self._kill)
        self.gate.listen(strike)
        return strike

    async def create(self) -> int:
        """Ask the provider for a service."""
        return (
            await self.client.post(f"{self.provider}/graphql/v2?operation=serviceCreate", json=DOCUMENT)
        ).status_code

    def _kill(self) -> None:
        self.killed += 1


@pytest.fixture
async def around() -> AsyncIterator[Around]:
    """A gate before a provider that says yes to everything."""
    asked: list[str] = []

    async def yes(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        return web.json_response({"asked": await request.text()}, status=201, headers={"X-RateLimit-Limit": "7"})

    async with (
        _answering(yes) as provider,
        gate(provider, ssl.create_default_context(), railway=provider, neon="http://neon.test") as made,
        httpx.AsyncClient(proxy=made.url) as client,
    ):
        yield Around(made, provider, client, asked)


async def test_what_is_not_struck_passes_unchanged(around: Around) -> None:
    answer = await around.client.post(f"{around.provider}/graphql/v2", json=DOCUMENT)
    assert (answer.status_code, answer.headers["X-RateLimit-Limit"]) == (201, "7")
    assert json.loads(answer.json()["asked"]) == DOCUMENT
    assert around.gate.calls == [RAILWAY_WRITE]


async def test_without_a_proxy_it_is_the_api_server(around: Around) -> None:
    async with httpx.AsyncClient() as client:
        await client.get(f"{around.gate.url}{OURS}/ada")
    assert around.asked == [f"GET {OURS}/ada"]
    assert around.gate.calls == [Call(Neighbour.KUBERNETES, "GET clawinstances", changes=False)]


@pytest.mark.parametrize(
    ("moment", "asked", "killed"), [(Moment.BEFORE, 0, 1), (Moment.AFTER, 1, 1), (Moment.LOST, 1, 0)]
)
async def test_a_strike_happens_once_at_its_moment(around: Around, moment: Moment, asked: int, killed: int) -> None:
    strike = around.strike(moment)
    with pytest.raises(httpx.RemoteProtocolError):
        await around.create()
    assert (strike.made, len(around.asked), around.killed) == (True, asked, killed)
    assert await around.create() == 201


async def test_a_strike_waits_for_its_occurrence(around: Around) -> None:
    around.strike(Moment.LOST, occurrence=2)
    assert await around.create() == 201
    with pytest.raises(httpx.RemoteProtocolError):
        await around.create()


@pytest.mark.parametrize(
    ("neighbour", "method", "target", "what"),
    [
        (Neighbour.KUBERNETES, "GET", f"{OURS}?watch=true", "WATCH clawinstances"),
        (Neighbour.KUBERNETES, "PATCH", f"{OURS}/ada/status", "PATCH clawinstances/status"),
        (Neighbour.KUBERNETES, "POST", "/api/v1/namespaces/claw/secrets", "POST secrets"),
        (Neighbour.KUBERNETES, "GET", "/api/v1/namespaces/claw", "GET namespaces"),
        (Neighbour.KUBERNETES, "GET", "/apis/claw.dev/v1alpha1/clawplans/pro", "GET clawplans"),
        (Neighbour.NEON, "POST", "/api/v2/projects/p-1/branches", "POST projects/branches"),
        (Neighbour.NEON, "GET", "/api/v2/projects/p-1/branches?limit=100", "GET projects/branches"),
        (Neighbour.NEON, "POST", "/api/v2/projects/p-1/endpoints/ep-1/suspend", "POST projects/endpoints/suspend"),
        (Neighbour.RUNTIME, "PUT", "/internal/configuration", "PUT /internal/configuration"),
    ],
)
def test_the_name_of_a_call_has_no_ids(neighbour: Neighbour, method: str, target: str, what: str) -> None:
    path, _, query = target.partition("?")
    assert named(neighbour, method, path, query, b"") == Call(neighbour, what, changes=method != "GET")


@asynccontextmanager
async def _answering(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with serving(app) as url:
        yield url
