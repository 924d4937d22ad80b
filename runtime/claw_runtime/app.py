"""The server: the table's routes, and around each of them a request id, one log line and one end for all errors."""

import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from aiohttp import web

from claw_runtime.database import DatabaseAway
from claw_runtime.endpoint import serve
from claw_runtime.logs import REQUEST_ID
from claw_runtime.problems import (
    INTERNAL,
    MEDIA_TYPE,
    METHOD_NOT_ALLOWED,
    Problem,
    database_away,
    not_found,
)
from claw_runtime.routes import SERVICES
from claw_runtime.routes.table import ROUTES
from claw_runtime.services import Services

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAMED = web.RequestKey("request_id", str)
_LONGEST_LINE = 48 * 1024
"""Of a request. A search may have 3,400 characters with its tags, which are twelve times as long in a URL."""
_QUIET = {"/health", "/ready", "/internal/status"}
"""Asked every few seconds: only worth a line when they fail."""

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(services: Services) -> web.Application:
    """The server's application. Its end stops the services; starting them is up to whoever runs it."""
    # Unpacked by the server, a small body could become any size before anybody has counted it.
    server = {"auto_decompress": False, "max_line_size": _LONGEST_LINE}
    app = web.Application(middlewares=[_observed], handler_args=server)
    app[SERVICES] = services
    for route in ROUTES:
        app.router.add_route(route.method, route.path.replace("{path}", "{path:.+}"), partial(serve, route))
    app.on_response_prepare.append(_mark)
    app.cleanup_ctx.append(_running)
    return app


async def _running(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[SERVICES].stop()


async def _mark(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer says of itself, the streamed ones too."""
    response.headers["X-Request-Id"] = request[_NAMED]
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "claw"


@web.middleware
async def _observed(request: web.Request, handler: Next) -> web.StreamResponse:
    """Name the request, answer whatever went wrong as a problem, and log one line without the customer's words."""
    given = request.headers.get("X-Request-Id", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    request[_NAMED] = request_id
    token = REQUEST_ID.set(request_id)
    begun = time.perf_counter()
    try:
        response = await _answered(request, handler, request_id)
        _log(request, response.status, time.perf_counter() - begun)
        return response
    finally:
        REQUEST_ID.reset(token)


async def _answered(request: web.Request, handler: Next, request_id: str) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as error:
        problem = error
    except DatabaseAway:
        problem = database_away()
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        problem = Problem(METHOD_NOT_ALLOWED, f"Here you can: {allowed}.", headers={"Allow": allowed})
    except web.HTTPNotFound:
        problem = not_found("route of this path; GET /openapi.json lists them")
    except Exception:
        log.exception("a request failed unexpectedly")
        problem = Problem(INTERNAL, "Something went wrong on our side. It was recorded.")
    body = json.dumps(problem.document(request_id)).encode()
    return web.Response(body=body, status=problem.kind.status, headers=problem.headers, content_type=MEDIA_TYPE)


def _log(request: web.Request, status: int, seconds: float) -> None:
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "none"
    if status < 400 and route in _QUIET:
        return
    log.info(
        "answered",
        extra={"method": request.method, "route": route, "status": status, "seconds": round(seconds, 4)},
    )
