"""A customer's runtime as the webhook service sees it: a server that answers as it is told, and remembers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from claw_dev.simulators.serving import serving
from claw_runtime.routes.google import Integration
from tests.integration.webhook.conftest import World
from tests.integration.webhook.test_webhook_account import enter

ADDRESS = "Ada.Private@gmail.com"
OTHER_UID = "8f3c9d5e-0000-4000-8000-000000000001"
KEY, TOKEN = "claw_key", "configuration-token"
STATE_TAIL = ".o9TBwQ3ylJwZ5nKcX1rW7Ha2"


@dataclass(frozen=True)
class Call:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class StandIn:
    """The runtime. `answers` are by method and path: a status and a document."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append(Call(request.method, request.path, request.headers.copy(), await request.read()))
        status, document = self.answers.get(f"{request.method} {request.path}", (204, None))
        return web.Response(status=status) if document is None else web.json_response(document, status=status)


@dataclass
class Served:
    """A signed-in customer whose assistant runs."""

    world: World
    runtime: StandIn
    subscription: str
    instance: str
    uid: str
    me: dict[str, str]

    @property
    def state(self) -> str:
        """As the runtime makes it."""
        return self.uid + STATE_TAIL

    async def get(self, path: str, me: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, text and where it leads, without going there."""
        headers = self.me if me is None else me
        async with self.world.client.get(self.world.url + path, headers=headers, allow_redirects=False) as response:
            return response.status, await response.text(), response.headers.get("Location", "")

    async def post(self, path: str, **options: Any) -> tuple[int, str, str]:
        """The same for a form."""
        headers = self.me | options.pop("headers", {})
        async with self.world.client.post(
            self.world.url + path, headers=headers, allow_redirects=False, **options
        ) as response:
            return response.status, await response.text(), response.headers.get("Location", "")


@asynccontextmanager
async def served(world: World, *, signs_in: bool = True) -> AsyncIterator[Served]:
    """Ada, with an assistant that is a stand-in. The service has to run."""
    stand_in = StandIn()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stand_in.handle)
    async with serving(app) as url:
        stand_in.url = url
        subscription = await world.buy()
        instance = (await world.instance_of(subscription))["metadata"]
        await world.cluster.make_available(instance["name"], key=KEY, url=url)
        await world.cluster.put_into_secret(f"{instance['name']}-credentials", configuration_token=TOKEN)
        await world.eventually_row("SELECT name FROM instances WHERE url = %s", url)
        me = await enter(world) if signs_in else {}
        yield Served(world, stand_in, subscription, instance["name"], instance["uid"], me)


async def connect(ada: Served, address: str = ADDRESS) -> None:
    """All the way, as that address."""
    integration = Integration(connected=True, address=address, scopes=("gmail",))
    ada.runtime.answers["POST /api/integrations/google/callback"] = (200, integration.wire())
    status, _, place = await ada.get(f"/google/callback?code=4/abc&state={ada.state}")
    assert (status, place) == (303, f"/account/google/{ada.subscription}")
