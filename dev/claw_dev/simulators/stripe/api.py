"""The API over HTTP: a request's parameters, its idempotency key, its answer in the shape of its version."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from claw_dev.simulators.stripe.account import Account, Cause
from claw_dev.simulators.stripe.clocks import time_of
from claw_dev.simulators.stripe.errors import StripeProblem, invalid
from claw_dev.simulators.stripe.expansion import expand
from claw_dev.simulators.stripe.forms import parse
from claw_dev.simulators.stripe.idempotency import Answer, IdempotencyKeys
from claw_dev.simulators.stripe.listing import Page
from claw_dev.simulators.stripe.operations import OPERATIONS, Operation
from claw_dev.simulators.stripe.params import Bare, Params, validated
from claw_dev.simulators.stripe.protocol import REQUEST_ID, VERSION, dump, respond
from claw_dev.simulators.stripe.records import Record
from claw_dev.simulators.stripe.rendering import render
from claw_dev.simulators.stripe.rendering.shapes import Json, listing

_FORM = "application/x-www-form-urlencoded"


def api_routes(account: Account) -> list[web.RouteDef]:
    """All operations as routes, and an answer to everything else under /v1."""
    keys = IdempotencyKeys()
    routes = [web.route(op.method, op.path, _handler(op, account, keys)) for op in OPERATIONS]
    return [*routes, web.route("*", "/v1/{unknown:.*}", _unknown)]


async def _unknown(request: web.Request) -> web.Response:
    raise StripeProblem(404, f"Unrecognized request URL ({request.method}: {request.path}).")


def _handler(operation: Operation, account: Account, keys: IdempotencyKeys) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        content = await _content(request)
        key = request.headers.get("Idempotency-Key") if request.method == hdrs.METH_POST else None
        replayed = keys.answer(key, request.path, content, now=account.own_time()) if key else None
        if replayed is not None:
            headers = {"Idempotent-Replayed": "true", "Original-Request": replayed.request_id}
            return respond(replayed.status, replayed.body, **headers)
        # What is wrong with the parameters is not kept: nothing was carried out, and the key may be used again.
        tree = parse(parse_qsl(content.decode(errors="replace"), keep_blank_values=True))
        params = validated(operation.params, tree)
        moment = time_of(account, _named(request, params))
        with account.caused_by(Cause(request[REQUEST_ID], key)), account.at(moment):
            answer = _carry_out(operation, account, params, request)
        if key:
            keys.keep(key, request.path, content, answer, now=account.own_time())
        return respond(answer.status, answer.body)

    return handle


async def _content(request: web.Request) -> bytes:
    """The parameters in form encoding: from the body, or from the query where there is none."""
    if request.method != hdrs.METH_POST:
        return request.rel_url.raw_query_string.encode()
    body = await request.read()
    if body and request.content_type != _FORM:
        raise invalid(f"Invalid request: the body has to be {_FORM} and is {request.content_type}.")
    return body


def _named(request: web.Request, params: Bare | Params) -> list[str]:
    """The objects that the request is about. If one is on a test clock, it is carried out by that."""
    given = (getattr(params, name, None) for name in ("customer", "test_clock", "from_subscription"))
    return [*request.match_info.values(), *(name for name in given if name)]


def _carry_out(operation: Operation, account: Account, params: Bare | Params, request: web.Request) -> Answer:
    request_id, version = request[REQUEST_ID], request[VERSION]
    try:
        result = operation.run(account, *request.match_info.values(), params)
        shown = expand(_show(result, account, version, request.path), params.expand, account, version)
    except StripeProblem as problem:
        return Answer(problem.status, dump(problem.render(request_id)), request_id)
    return Answer(200, dump(shown), request_id)


def _show(result: Record | Page[Any], account: Account, version: str, path: str) -> Json:
    if isinstance(result, Page):
        return listing((render(r, account, version) for r in result.records), path, has_more=result.has_more)
    return render(result, account, version)
