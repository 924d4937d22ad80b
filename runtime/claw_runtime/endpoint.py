"""From an HTTP request to a handler and back: who is calling, may they, what do they say, what is answered."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aiohttp import web
from pydantic import ValidationError

from claw_crds.instance import State
from claw_crds.resource import Model
from claw_runtime import auth
from claw_runtime.problems import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    MALFORMED_BODY,
    SUSPENDED,
    FieldError,
    Problem,
    not_configured,
    unauthorized,
)
from claw_runtime.routes import SERVICES, Access, Body, Call, Nothing, Query, Route
from claw_runtime.services import Services

BODY_SECONDS = 30.0

Parsed = TypeVar("Parsed", bound=Model)


async def serve(route: Route[Body, Query], request: web.Request) -> web.StreamResponse:
    """Answer one request. Raises Problem, and DatabaseAway."""
    services = request.app[SERVICES]
    await _admit(route.access, services, request.headers.get("Authorization"))
    query = _parsed(lambda: route.query.model_validate_strings(dict(request.query)))
    raw = b"{}" if route.body is Nothing else _not_empty(await _read(request, route.body_limit))
    body = _parsed(lambda: route.body.model_validate_json(raw))
    call = Call(services=services, request=request, body=body, query=query, raw=raw)
    if route.stores:
        size = len(raw) if route.uploads is None else request.content_length or 0
        await services.storage.check(call.configuration.plan, size)
    answer = await route.handler(call)
    if isinstance(answer, Model):
        return json_answer(answer, status=route.status)
    return answer if answer is not None else web.Response(status=204)


def json_answer(answer: Model, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """The model as JSON. What is not set is null, so that a client need not guess."""
    body = answer.model_dump_json(by_alias=True).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


async def _admit(access: Access, services: Services, header: str | None) -> None:
    if access is Access.OPEN:
        return
    credential = auth.bearer(header)
    if access is Access.OPERATOR:
        if not auth.is_operator(services.settings.configuration_token_sha256, credential):
            raise unauthorized()
        return
    active = services.configurations.active
    if active is None:
        raise not_configured()
    if not auth.is_customer(active.document.keys, credential, services.clock()):
        raise unauthorized()
    if access is Access.CUSTOMER_ALWAYS:
        return
    if active.document.state is State.SUSPENDED:
        raise Problem(
            SUSPENDED, "Everything is kept. Settle the invoice, or resume the subscription, and the assistant is back."
        )
    await services.usage.calls.count(active.document.plan)


async def _read(request: web.Request, limit: int) -> bytes:
    """The body. Refuses a large one when its length is told, or as soon as it has become too long."""
    too_large = Problem(BODY_TOO_LARGE, f"At most {limit:,} bytes are taken.")
    if (request.content_length or 0) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.content.iter_any():
                size += len(part)
                if size > limit:
                    raise too_large
                parts.append(part)
    except TimeoutError as error:
        raise Problem(BODY_TIMEOUT, f"The body did not arrive within {BODY_SECONDS:.0f} seconds.") from error
    return b"".join(parts)


def _not_empty(raw: bytes) -> bytes:
    if not raw.strip():
        wrong = FieldError(field="", message="The body is empty; send a JSON object.")
        raise Problem(INVALID_REQUEST, "The body is empty.", errors=(wrong,))
    return raw


def _parsed(parse: Callable[[], Parsed]) -> Parsed:
    try:
        return parse()
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> Problem:
    """What is wrong and where, without what was sent."""
    found: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    if any(entry["type"] == "json_invalid" for entry in found):
        return Problem(MALFORMED_BODY, "The body is not valid JSON in UTF-8.")
    errors = tuple(
        FieldError(field=".".join(map(str, entry["loc"])), message=entry["msg"].removeprefix("Value error, "))
        for entry in found[:20]
    )
    return Problem(INVALID_REQUEST, "The request is not what this operation takes.", errors=errors)
