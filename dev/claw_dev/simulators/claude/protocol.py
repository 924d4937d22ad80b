"""What all requests have in common: ids, keys, versions, errors. aiohttp middlewares, outermost first."""

import hmac
import re
from random import Random

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from claw_dev.simulators.claude.errors import ClaudeProblem, invalid
from claw_dev.simulators.claude.events import new_id
from claw_dev.simulators.faults import Fault

API_PREFIX = "/v1/"
MAX_BODY = 32 * 2**20
"""Bytes of a request; the API takes no more."""

REQUEST_ID = web.RequestKey("request_id", str)

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")


def identifying(random: Random) -> Middleware:
    """Gives every request of the API its id, and says problems as Anthropic does."""

    @web.middleware
    async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(API_PREFIX):
            return await handler(request)
        request[REQUEST_ID] = new_id(random, "req")
        try:
            response = await handler(request)
        except ClaudeProblem as problem:
            response = web.json_response(problem.render(request[REQUEST_ID]), status=problem.status)
        if not response.prepared:
            response.headers["request-id"] = request[REQUEST_ID]
        return response

    return identify


def fault_as_error(request: web.Request, fault: Fault) -> web.Response:
    """A fault in Anthropic's words."""
    response = web.json_response(ClaudeProblem(fault.status).render(request[REQUEST_ID]), status=fault.status)
    if fault.retry_after is not None:
        response.headers["retry-after"] = f"{fault.retry_after:g}"
    return response


def admitting(api_key: str | None) -> Middleware:
    """Lets in who names a version of the API and has the key; without a configured key, everybody who has one."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(API_PREFIX):
            return await handler(request)
        given = _key_of(request)
        if not given:
            raise ClaudeProblem(401, "An API key is required, in the header Authorization (Bearer) or x-api-key")
        if api_key is not None and not hmac.compare_digest(given.encode(), api_key.encode()):
            raise ClaudeProblem(401, "invalid API key")
        if "anthropic-version" not in request.headers:
            raise invalid("anthropic-version: header is required")
        if not _VERSION.fullmatch(request.headers["anthropic-version"]):
            raise invalid(f'anthropic-version: "{request.headers["anthropic-version"]}" is not a valid version')
        return await handler(request)

    return admit


def _key_of(request: web.Request) -> str:
    """The key, in the header of today's library or of earlier ones."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return request.headers.get("x-api-key", token if scheme.lower() == "bearer" else "")


async def body_of(request: web.Request) -> bytes:
    """The body. Raises ClaudeProblem when it is too large."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ClaudeProblem(413, "Request exceeds the maximum size") from None
