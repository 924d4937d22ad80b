"""Railway's GraphQL over HTTP: nearly everything is 200, what is wrong is in the body, and Cloudflare is in front."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, execute

from claw_dev.simulators.faults import Asked, Fault, FaultKind
from claw_dev.simulators.injection import cloudflare_limit
from claw_dev.simulators.railway.asked import Question, Reader
from claw_dev.simulators.railway.calls import Call, CallLog
from claw_dev.simulators.railway.deployments import Deployments
from claw_dev.simulators.railway.edge import Edge
from claw_dev.simulators.railway.limits import Limits
from claw_dev.simulators.railway.problems import INTERNAL, Problem
from claw_dev.simulators.railway.request import Request
from claw_dev.simulators.railway.tokens import Token, Tokens
from claw_dev.simulators.railway.world import World

PATH = "/graphql/v2"
_CALL = web.RequestKey("call", Call)
_QUESTION = web.RequestKey("question", Question)
_LAST_MOMENT = 5.0
_CODE_OF_INPUT = "BAD_USER_INPUT"


class Protocol:
    """Answers requests, notes each in the log, and counts it against the limits."""

    def __init__(
        self,
        *,
        world: World,
        deployments: Deployments,
        edge: Edge,
        limits: Limits,
        tokens: Tokens,
        calls: CallLog,
        schema: GraphQLSchema,
    ) -> None:
        self._world = world
        self._deployments = deployments
        self._edge = edge
        self._limits = limits
        self._tokens = tokens
        self._calls = calls
        self._schema = schema
        self._reader = Reader(schema)
        self._under_way: set[asyncio.Task[web.Response]] = set()

    def noting(self) -> Middleware:
        """A middleware that reads each request and writes it into the log, whatever becomes of it later."""

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path != PATH:
                return await handler(request)
            question = self._reader.read(await request.read())
            request[_QUESTION] = question
            token = self._tokens.of(request.headers)
            call = self._calls.add(
                operation=question.name,
                fields=question.fields,
                writes=question.writes,
                document=question.text,
                variables=question.variables,
                token_kind=token.kind.value if isinstance(token, Token) else "none",
                has_query_string=bool(request.query_string),
                at=self._world.clock(),
                began=self._world.monotonic(),
            )
            request[_CALL] = call
            response = await handler(request)
            if request.transport is not None and not request.transport.is_closing():
                call.status = response.status
            call.seconds = self._world.monotonic() - call.began
            return response

        return note

    async def asked(self, request: web.Request) -> Asked:
        """What a fault needs to know of a request."""
        question = request.get(_QUESTION) or Question()
        return Asked(request.method, request.path, question.name, question.writes)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """`POST /graphql/v2`."""
        if not request.query_string and self._limits.cloudflare_refuses():
            return cloudflare_limit()
        if (refused := self._limits.take()) is not None:
            body = {"errors": [_shown(Problem("Rate limit exceeded", code="RATE_LIMITED"), self._world)]}
            return _json(body, HTTPStatus.TOO_MANY_REQUESTS, self._limits.headers(refused))
        seconds = self._world.pace.answer.draw(self._world.random)
        # Whoever hangs up does not take back what was asked.
        carrying_out = asyncio.create_task(self._execute(request, seconds / 2))
        self._under_way.add(carrying_out)
        carrying_out.add_done_callback(self._under_way.discard)
        response = await asyncio.shield(carrying_out)
        await asyncio.sleep(seconds / 2)
        return response

    async def finish(self) -> None:
        """Give what somebody asked for a moment to be carried out."""
        tasks = set(self._under_way)
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_MOMENT)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _execute(self, request: web.Request, after: float) -> web.Response:
        await asyncio.sleep(after)
        question, call = request[_QUESTION], request[_CALL]
        if question.document is None:
            return self._refused(call, question.errors)
        context = Request(self._world, self._deployments, self._edge, self._limits, self._tokens.of(request.headers))
        call.carried_out = True
        result = execute(
            self._schema,
            question.document,
            context_value=context,
            variable_values=question.variables,
            operation_name=question.name or None,
        )
        if not isinstance(result, ExecutionResult):
            result = await result
        errors = result.errors or ()
        if result.data is None and any(error.path is None for error in errors):
            # Variables of the wrong shape: nothing was executed.
            call.carried_out = False
            return self._refused(call, [Problem(error.message, code=_CODE_OF_INPUT) for error in errors])
        call.errors = tuple(error.message for error in errors)
        body: dict[str, Any] = {"data": result.data}
        if errors:
            body["errors"] = [_shown(error, self._world) for error in errors]
        return _json(body, HTTPStatus.OK, self._limits.headers())

    def _refused(self, call: Call, errors: Any) -> web.Response:
        call.errors = tuple(error.message for error in errors)
        body = {"errors": [_shown(error, self._world) for error in errors]}
        return _json(body, HTTPStatus.BAD_REQUEST, self._limits.headers())

    def fault_as_error(self, _: web.Request, fault: Fault) -> web.Response:
        """A fault as Railway words it: `message`, or without one the gateway's own complaint, which has no code."""
        message = fault.message or "Problem processing request"
        problem = Problem(message, code=INTERNAL if fault.message else None)
        body = {"data": None, "errors": [_shown(problem, self._world)]}
        if fault.kind is FaultKind.REFUSED_IN_BODY:
            return _json(body, HTTPStatus.OK, self._limits.headers())
        headers = dict(self._limits.headers())
        if fault.retry_after is not None:
            headers["Retry-After"] = f"{fault.retry_after:g}"
        return _json(body, fault.status, headers)


def _shown(error: GraphQLError, world: World) -> dict[str, Any]:
    shown: dict[str, Any] = {"message": error.message}
    if error.path:
        shown["path"] = error.path
    original = error.original_error
    extensions = original.extensions if isinstance(original, GraphQLError) else error.extensions
    if original is not None and not isinstance(original, GraphQLError):
        extensions = {"code": INTERNAL}
    if extensions:
        shown["extensions"] = dict(extensions)
    return shown | {"traceId": f"{world.random.getrandbits(64):016x}"}


def _json(body: Any, status: int, headers: Any) -> web.Response:
    return web.Response(status=status, text=json.dumps(body), content_type="application/json", headers=dict(headers))
