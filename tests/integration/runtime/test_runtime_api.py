"""The server gives the document that describes it. `world.check` holds every other answer against it."""

import re

from claw_runtime.routes import Access
from claw_runtime.routes.table import ROUTES
from tests.integration.runtime.world import Runtime, api


async def test_the_server_gives_the_document_of_its_routes(blank: Runtime) -> None:
    answer = await blank.get("/openapi.json", bearer=None)

    assert answer.json == api()


async def test_every_route_that_needs_a_key_refuses_without(runtime: Runtime) -> None:
    for route in ROUTES:
        path = re.sub(r"{\w+}", "x", route.path)
        if route.access is not Access.OPEN:
            assert (await runtime.call(route.method, path, bearer=None)).status == 401, path


async def test_the_longest_search_is_not_too_long_for_the_server(runtime: Runtime) -> None:
    answer = await runtime.get("/api/memory/search", params={"q": "🦞" * 2000, "tags": ",".join(["🦞" * 60] * 20)})

    assert answer.status == 200
