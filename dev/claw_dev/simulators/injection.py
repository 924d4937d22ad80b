"""Lets faults happen to real HTTP connections, and takes them in through `/_sim/faults`."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from http.client import responses

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from claw_dev.simulators.faults import Asked, Fault, FaultKind, FaultQueue

CONTROL_PREFIX = "/_sim/"

STREAM_FAULT = web.RequestKey("stream_fault", Fault)
"""On a request whose streamed answer suffers: CUT_STREAM or ERROR_IN_STREAM."""


GATEWAY_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>{status} {phrase}</title></head>\n"
    "<body><center><h1>{status} {phrase}</h1></center><hr><center>gateway</center></body></html>\n"
)


async def plainly(request: web.Request) -> Asked:
    """What a fault needs to know of a request of a REST API."""
    return Asked(request.method, request.path, writes=request.method not in {"GET", "HEAD", "OPTIONS"})


def injecting(
    faults: FaultQueue,
    as_error: Callable[[web.Request, Fault], web.Response],
    asked: Callable[[web.Request], Awaitable[Asked]] = plainly,
) -> Middleware:
    """A middleware that lets the faults happen.

    `as_error` words an answer of `fault.status`, or for REFUSED_IN_BODY of `fault.message`, as the provider does.
    """

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        fault = faults.take(await asked(request))
        if fault is None:
            return await handler(request)
        return await _suffer(request, handler, fault, as_error)

    return inject


async def _suffer(
    request: web.Request, handler: Handler, fault: Fault, as_error: Callable[[web.Request, Fault], web.Response]
) -> web.StreamResponse:
    match fault.kind:
        case FaultKind.ERROR | FaultKind.REFUSED_IN_BODY:
            return as_error(request, fault)
        case FaultKind.HTML:
            return gateway_page(fault.status)
        case FaultKind.DONE_BUT_HTML:
            await handler(request)
            return gateway_page(fault.status)
        case FaultKind.CLOUDFLARE:
            return cloudflare_limit()
        case FaultKind.CUT:
            return cut(request)
        case FaultKind.TIMEOUT:
            await asyncio.sleep(fault.seconds)
            return cut(request)
        case FaultKind.LOST_ANSWER:
            await handler(request)
            return cut(request)
        case FaultKind.HELD_ANSWER:
            await handler(request)
            await asyncio.sleep(fault.seconds)
            return cut(request)
        case FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        case FaultKind.CUT_STREAM | FaultKind.ERROR_IN_STREAM:
            request[STREAM_FAULT] = fault
    return await handler(request)


def gateway_page(status: int) -> web.Response:
    """What a gateway in front of the provider answers: no JSON, and no word about what was done."""
    page = GATEWAY_PAGE.format(status=status, phrase=responses.get(status, "Error"))
    return web.Response(status=status, text=page, content_type="text/html")


def cloudflare_limit() -> web.Response:
    """What Cloudflare answers to whom it throttles: no limit, no Retry-After."""
    return web.Response(status=HTTPStatus.TOO_MANY_REQUESTS, text="error code: 1015", content_type="text/plain")


def sever(request: web.Request) -> None:
    """Cut the connection. What was written before still arrives."""
    if request.transport is not None:
        request.transport.abort()


def cut(request: web.Request) -> web.Response:
    """Cut the connection before any answer. The response returned is never sent."""
    sever(request)
    return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)


def fault_routes(faults: FaultQueue) -> list[web.RouteDef]:
    """`GET`, `POST` (one fault as JSON) and `DELETE /_sim/faults`."""

    async def show(_: web.Request) -> web.Response:
        return web.json_response({"faults": [fault.model_dump(mode="json") for fault in faults.waiting()]})

    async def add(request: web.Request) -> web.Response:
        try:
            fault = Fault.model_validate_json(await request.read())
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
        faults.add(fault)
        return web.json_response(fault.model_dump(mode="json"), status=HTTPStatus.CREATED)

    async def clear(_: web.Request) -> web.Response:
        faults.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    path = CONTROL_PREFIX + "faults"
    return [web.get(path, show), web.post(path, add), web.delete(path, clear)]
