"""The API's routes: messages, whole or streamed, and token counts. `/_sim/calls` shows what was asked, and
`/_sim/script` tells what to answer.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from random import Random
from typing import Any

from aiohttp import web

from claw_dev.simulators.claude import tokens
from claw_dev.simulators.claude.cache import PromptCache
from claw_dev.simulators.claude.calls import Call, CallLog
from claw_dev.simulators.claude.errors import ClaudeProblem
from claw_dev.simulators.claude.events import as_sse, message, told
from claw_dev.simulators.claude.protocol import REQUEST_ID, body_of
from claw_dev.simulators.claude.reply import reply_to
from claw_dev.simulators.claude.requests import CountRequest, MessagesRequest, RequestT, parsed
from claw_dev.simulators.claude.script import Script, Scripted
from claw_dev.simulators.faults import FaultKind
from claw_dev.simulators.injection import CONTROL_PREFIX, STREAM_FAULT, cut, sever


class MessagesApi:
    """Answers requests. `pace` is the pause between two pieces of a streamed answer, in seconds."""

    def __init__(self, *, clock: Callable[[], datetime], random: Random, pace: float, obedient: bool) -> None:
        self._clock = clock
        self._random = random
        self._pace = pace
        self._obedient = obedient
        self._cache = PromptCache()
        self.calls = CallLog()
        self.script = Script()

    def routes(self) -> list[web.RouteDef]:
        """The API, and the log of its calls."""
        return [
            web.post("/v1/messages", self._create),
            web.post("/v1/messages/count_tokens", self._count),
            web.route("*", "/v1/{unknown:.*}", self._unknown),
            web.get(CONTROL_PREFIX + "calls", self._show_calls),
            web.delete(CONTROL_PREFIX + "calls", self._forget_calls),
            web.post(CONTROL_PREFIX + "script", self._add_to_script),
            web.delete(CONTROL_PREFIX + "script", self._clear_script),
        ]

    async def _create(self, request: web.Request) -> web.StreamResponse:
        asked = await self._asked(request, MessagesRequest)
        reply = reply_to(asked, self.script.take(asked), obedient=self._obedient)
        whole = message(reply, self._cache.count(asked), asked.model, self._random)
        await self._log(request, 200, whole)
        if asked.stream:
            return await self._stream(request, whole)
        return cut(request) if STREAM_FAULT in request else web.json_response(whole)

    async def _count(self, request: web.Request) -> web.Response:
        asked = await self._asked(request, CountRequest)
        counted = {"input_tokens": tokens.of_request(asked)}
        await self._log(request, 200, counted)
        return web.json_response(counted)

    async def _unknown(self, request: web.Request) -> web.Response:
        raise ClaudeProblem(404, f"Not found: {request.method} {request.path}")

    async def _asked(self, request: web.Request, model: type[RequestT]) -> RequestT:
        try:
            return parsed(model, await body_of(request))
        except ClaudeProblem as problem:
            await self._log(request, problem.status, problem.render(request[REQUEST_ID]))
            raise

    async def _stream(self, request: web.Request, whole: dict[str, Any]) -> web.StreamResponse:
        fault = request.get(STREAM_FAULT)
        headers = {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "request-id": request[REQUEST_ID],
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        for position, event in enumerate(told(whole)):
            if fault is not None and position == fault.events:
                if fault.kind == FaultKind.CUT_STREAM:
                    sever(request)
                    return response
                await response.write(as_sse(ClaudeProblem(fault.status).render(request[REQUEST_ID])))
                break
            await response.write(as_sse(event))
            if event["type"] == "content_block_delta":
                await asyncio.sleep(self._pace)
        await response.write_eof()
        return response

    async def _log(self, request: web.Request, status: int, answer: dict[str, Any]) -> None:
        self.calls.add(
            Call(
                at=self._clock(),
                request_id=request[REQUEST_ID],
                path=request.path,
                request=await _sent(request),
                status=status,
                answer=answer,
            )
        )

    async def _show_calls(self, _: web.Request) -> web.Response:
        shown = [asdict(call) | {"at": call.at.isoformat()} for call in self.calls.all()]
        return web.json_response({"calls": shown})

    async def _forget_calls(self, _: web.Request) -> web.Response:
        self.calls.clear()
        return web.Response(status=204)

    async def _add_to_script(self, request: web.Request) -> web.Response:
        try:
            answers = [Scripted.model_validate(answer) for answer in await request.json()]
        except (ValueError, TypeError) as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        self.script.add(*answers)
        return web.Response(status=204)

    async def _clear_script(self, _: web.Request) -> web.Response:
        self.script.clear()
        return web.Response(status=204)


async def _sent(request: web.Request) -> dict[str, Any] | None:
    try:
        sent = json.loads(await body_of(request))
    except (ValueError, ClaudeProblem):
        return None
    return sent if isinstance(sent, dict) else None
