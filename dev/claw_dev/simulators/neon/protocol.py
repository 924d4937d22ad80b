"""What every call goes through: the log, the network with its faults, keys, rate limits, and problems as JSON."""

import asyncio
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from random import Random
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from claw_dev.simulators.faults import Asked, Fault
from claw_dev.simulators.neon.calls import Call, CallLog
from claw_dev.simulators.neon.ids import Ids
from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.limits import Throttle
from claw_dev.simulators.neon.problems import NeonProblem, locked, too_many_requests, unauthenticated
from claw_dev.simulators.neon.world import World

API_PREFIX = "/api/v2"

CALL = web.RequestKey("call", Call)
KEY = web.RequestKey("key", Key)


def is_api(request: web.Request) -> bool:
    """Whether it is a call of Neon's API."""
    return request.path.startswith(API_PREFIX + "/")


def logging_calls(calls: CallLog, world: World) -> Middleware:
    """Writes every call into the log, whatever becomes of it."""

    @web.middleware
    async def log(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_api(request):
            return await handler(request)
        call = Call(
            sequence=calls.next_number(),
            at=world.clock(),
            operation=request.match_info.route.name or "",
            method=request.method,
            path=request.path.removeprefix(API_PREFIX),
            query=dict(request.query),
            body=await _json_of(request),
        )
        request[CALL] = call
        calls.add(call)
        began = time.monotonic()
        try:
            response = await handler(request)
        finally:
            call.seconds = time.monotonic() - began
        call.delivered = request.transport is not None and not request.transport.is_closing()
        if call.delivered and call.status is None:
            call.status = response.status
        return response

    return log


def travelling(latency: Callable[[], float]) -> Middleware:
    """Lets calls take their time."""

    @web.middleware
    async def travel(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_api(request):
            await asyncio.sleep(latency())
        return await handler(request)

    return travel


async def asked(request: web.Request) -> Asked:
    """What faults are told of a call: its operationId, and its path below the API's address."""
    path = request.path.removeprefix(API_PREFIX)
    operation = request.match_info.route.name or ""
    return Asked(request.method, path, operation=operation, writes=request.method != "GET")


def answering(random: Random) -> Middleware:
    """Turns problems into Neon's error object, and notes in the log what was decided."""
    ids = Ids(random)

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_api(request):
            return await handler(request)
        request_id = request.headers.get("X-Request-ID") or ids.uuid()
        try:
            response = await handler(request)
        except NeonProblem as problem:
            response = _as_response(problem, request_id)
        except web.HTTPException as error:
            response = _as_response(NeonProblem(error.status, error.reason.lower()), request_id)
        call = request[CALL]
        call.status = response.status
        call.carried_out = response.status < 400
        if isinstance(response, web.Response) and response.body:
            call.answer = json.loads(response.text or "null")
        return response

    return answer


def admitting(keys: dict[str, Key], throttle: Throttle, world: World) -> Middleware:
    """Checks the key and counts the call; a project of the path must be one that the key may touch."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_api(request):
            return await handler(request)
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        key = keys.get(secret.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise unauthenticated()
        call = request[CALL]
        call.key = key.kind
        throttle.admit(key.org_id, call.operation)
        project_id = request.match_info.get("project_id")
        if project_id is not None:
            project = world.projects.now(project_id)
            key.admit(project_id, project.org_id if project else None)
        key.admit_method(request.method)
        request[KEY] = key
        return await handler(request)

    return admit


def fault_as_error(_: web.Request, fault: Fault) -> web.Response:
    """The fault's status in Neon's words."""
    if fault.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _as_response(too_many_requests(fault.retry_after), "simulated")
    if fault.status == HTTPStatus.LOCKED:
        return _as_response(locked(), "simulated")
    message = fault.message or HTTPStatus(fault.status).phrase.lower()
    return _as_response(NeonProblem(fault.status, message, retry_after=fault.retry_after), "simulated")


def _as_response(problem: NeonProblem, request_id: str) -> web.Response:
    headers = {} if problem.retry_after is None else {"Retry-After": f"{problem.retry_after:g}"}
    return web.json_response(problem.render(request_id), status=problem.status, headers=headers)


async def _json_of(request: web.Request) -> Any:
    body = await request.read()
    try:
        return json.loads(body) if body.strip() else None
    except ValueError:
        return None
