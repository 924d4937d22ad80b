"""What all requests have in common: ids, keys, versions, errors. aiohttp middlewares, outermost first."""

import hmac
import json
from collections.abc import Mapping
from random import Random
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from claw_dev.simulators.faults import Fault
from claw_dev.simulators.stripe import versions
from claw_dev.simulators.stripe.errors import StripeProblem, invalid, server_trouble, unauthorized
from claw_dev.simulators.stripe.ids import new_id

API_PREFIX = "/v1/"

REQUEST_ID = web.RequestKey("request_id", str)
VERSION = web.RequestKey("version", str)


def dump(document: Mapping[str, Any]) -> bytes:
    """The JSON of an answer, indented as Stripe's is."""
    return json.dumps(document, indent=2).encode()


def respond(status: int, body: bytes, **headers: str) -> web.Response:
    """An answer of JSON."""
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def identifying(random: Random) -> Middleware:
    """Gives every request of the API its id, and says problems as Stripe does."""

    @web.middleware
    async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(API_PREFIX):
            return await handler(request)
        request[REQUEST_ID] = new_id(random, "req")
        try:
            response = await handler(request)
        except StripeProblem as problem:
            response = respond(problem.status, dump(problem.render(request[REQUEST_ID])))
        response.headers["Request-Id"] = request[REQUEST_ID]
        response.headers["Stripe-Version"] = request.get(VERSION, versions.CURRENT)
        return response

    return identify


def fault_as_error(request: web.Request, fault: Fault) -> web.Response:
    """A fault in Stripe's words."""
    response = respond(fault.status, dump(server_trouble(fault.status).render(request[REQUEST_ID])))
    if fault.status == 429:
        response.headers["Stripe-Rate-Limited-Reason"] = "global-rate"
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def authenticating(secret_key: str | None) -> Middleware:
    """Lets only those in who have the secret key; without one, everybody with anything that looks like one."""

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(API_PREFIX):
            return await handler(request)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise unauthorized("You did not provide an API key. Use HTTP Bearer authentication with a secret key.")
        known = given.startswith("sk_") if secret_key is None else hmac.compare_digest(given, secret_key)
        if not known:
            raise unauthorized(f"Invalid API Key provided: {given[:8]}{'*' * 8}{given[-4:]}")
        return await handler(request)

    return authenticate


def versioning(default: str) -> Middleware:
    """Finds out which version of the API the request is in."""

    @web.middleware
    async def choose_version(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = request.headers.get("Stripe-Version", default)
        if not versions.is_version(asked):
            raise invalid(f"Invalid Stripe API version: {asked}")
        request[VERSION] = asked
        return await handler(request)

    return choose_version
