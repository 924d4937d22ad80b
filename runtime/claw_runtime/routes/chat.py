"""`POST /api/chat`, answered at once or as server-sent events, and the conversations that come of it."""

import asyncio
import contextlib
import json
import logging
from typing import Any

from aiohttp import web

from claw_runtime.database import DatabaseAway
from claw_runtime.endpoint import json_answer
from claw_runtime.logs import REQUEST_ID
from claw_runtime.problems import (
    AGENT_EXISTS,
    IDEMPOTENCY_CONFLICT,
    IN_PROGRESS,
    INTERNAL,
    MODEL_BUSY,
    MODEL_FAILED,
    NOT_FOUND,
    OTHER_AGENT,
    PROPOSAL_GONE,
    SKILL_DISABLED,
    SKILL_NOT_IN_PLAN,
    Problem,
    database_away,
)
from claw_runtime.routes import Access, Call, Nothing, Route
from claw_runtime.routes.lists import PageQuery
from claw_runtime.turns.conversations import ConversationPage, MessagePage
from claw_runtime.turns.exchange import ChatReply, ChatRequest
from claw_runtime.turns.idempotency import HEADER, REPLAYED, Replay, key_of
from claw_runtime.turns.listening import Listener, Patient

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How often a question looks whether somebody still waits for its answer."""


async def chat(call: Call[ChatRequest, Nothing]) -> web.StreamResponse:
    """One question."""
    if call.body.stream:
        return await _stream(call)
    patient = Patient()
    answering = asyncio.create_task(_answered(call, patient))
    await _until_answered(call, answering, patient)
    if patient.gone:
        return _nobody()
    answer = answering.result()
    if isinstance(answer, Replay):
        return json_answer(answer.reply, headers=REPLAYED)
    return json_answer(answer)


async def conversations(call: Call[Nothing, PageQuery]) -> ConversationPage:
    """All conversations, by page."""
    return await call.services.conversations.list(call.query.limit, call.query.cursor)


async def conversation(call: Call[Nothing, PageQuery]) -> MessagePage:
    """One conversation's messages, by page."""
    return await call.services.conversations.read(call.id("conversation"), call.query.limit, call.query.cursor)


async def delete_conversation(call: Call[Nothing, Nothing]) -> None:
    """Forget a conversation."""
    await call.services.conversations.delete(call.id("conversation"))


class EventStream:
    """Server-sent events to one client: a Listener that hears the answer as it is given.

    The response begins with the first event or heartbeat. What fails before that is an ordinary problem with its own
    status; what fails after it is an `error` event.
    """

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._writing = asyncio.Lock()
        self.headers = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        self.response: web.StreamResponse | None = None
        self.gone = False

    async def text(self, piece: str) -> None:
        """As in Listener."""
        await self.send("text", {"text": piece})

    async def tool_started(self, use_id: str, name: str) -> None:
        """As in Listener."""
        await self.send("tool_start", {"id": use_id, "name": name})

    async def tool_ended(self, use_id: str, name: str, ok: bool, seconds: float) -> None:
        """As in Listener."""
        await self.send("tool_end", {"id": use_id, "name": name, "ok": ok, "seconds": round(seconds, 3)})

    async def send(self, event: str, data: Any) -> None:
        """One event. Raises ConnectionResetError when the client is gone."""
        await self._write(f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n")

    async def beat(self, every: float) -> None:
        """Comments that keep the connection open, and notice when it is not. Returns when the client is gone."""
        with contextlib.suppress(ConnectionResetError):
            while True:
                await asyncio.sleep(every)
                await self._write(": still there\n\n")

    async def _write(self, frame: str) -> None:
        try:
            async with self._writing:
                if self.response is None:
                    response = web.StreamResponse(headers=self.headers)
                    await response.prepare(self._request)
                    self.response = response
                await self.response.write(frame.encode())
        except ConnectionResetError:
            if _is_keyed(self._request):  # the answer goes on without its listener
                return
            self.gone = True
            raise


async def _stream(call: Call[ChatRequest, Nothing]) -> web.StreamResponse:
    stream = EventStream(call.request)
    answering = asyncio.create_task(_answered(call, stream))
    beating = asyncio.create_task(stream.beat(call.services.heartbeat_seconds))
    try:
        await _until_answered(call, answering, stream)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
    if not stream.gone:
        with contextlib.suppress(ConnectionResetError):
            await _end(stream, answering)
    return stream.response or _nobody()


async def _answered(call: Call[ChatRequest, Nothing], listener: Listener) -> ChatReply | Replay:
    key = key_of(call.request.headers.get(HEADER))
    if key is None:
        return await call.services.chat.answer(call.configuration, call.body, listener)
    return await call.services.chat.answer_once(call.configuration, call.body, listener, key)


async def _until_answered(
    call: Call[ChatRequest, Nothing], answering: "asyncio.Task[ChatReply | Replay]", listener: EventStream | Patient
) -> None:
    """Wait for the answer, or until nobody waits for it: then model and tools are not asked to go on.

    With a key they are: whoever sent one comes back for the whole answer.
    """
    watching = asyncio.create_task(_hung_up(call.request))
    try:
        await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            listener.gone = not _is_keyed(call.request)
            log.info("the client hung up")
        if not listener.gone:
            await asyncio.wait({answering})
    finally:  # also when the server stops
        watching.cancel()
        answering.cancel()
        await asyncio.gather(answering, watching, return_exceptions=True)


def _is_keyed(request: web.Request) -> bool:
    return HEADER in request.headers


async def _hung_up(request: web.Request) -> None:
    """Return when the client is gone. The server drops the transport at once; looking costs next to nothing."""
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(LOOK_SECONDS)


def _nobody() -> web.Response:
    return web.Response(status=499)  # which nobody is there to read


async def _end(stream: EventStream, answering: "asyncio.Task[ChatReply | Replay]") -> None:
    """Tell how it ended. Raises what went wrong when nothing was sent yet."""
    failure = answering.exception()
    if failure is not None:
        if stream.response is None:
            raise failure
        await stream.send("error", _told(failure).document(REQUEST_ID.get()))
        return
    answer = answering.result()
    if isinstance(answer, Replay):
        stream.headers |= REPLAYED
        await stream.text(answer.reply.reply)
    reply = answer.reply if isinstance(answer, Replay) else answer
    for proposal in reply.proposals:
        await stream.send("proposal", proposal.model_dump(mode="json", by_alias=True))
    await stream.send("usage", reply.usage.model_dump(mode="json", by_alias=True))
    await stream.send("done", {"conversationId": str(reply.conversation_id)})


def _told(failure: BaseException) -> Problem:
    if isinstance(failure, Problem):
        return failure
    if isinstance(failure, DatabaseAway):
        return database_away()
    log.error("a stream failed unexpectedly", exc_info=failure)
    return Problem(INTERNAL, "Something went wrong on our side. It was recorded.")


ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "POST",
        "/api/chat",
        chat,
        Access.CUSTOMER,
        ChatRequest,
        Nothing,
        ChatReply,
        problems=(
            NOT_FOUND,
            OTHER_AGENT,
            AGENT_EXISTS,
            PROPOSAL_GONE,
            IN_PROGRESS,
            IDEMPOTENCY_CONFLICT,
            SKILL_DISABLED,
            SKILL_NOT_IN_PLAN,
            MODEL_BUSY,
            MODEL_FAILED,
        ),
        streams=True,
        headers=("Idempotency-Key",),
    ),
    Route("GET", "/api/conversations", conversations, Access.CUSTOMER, Nothing, PageQuery, ConversationPage),
    Route(
        "GET",
        "/api/conversations/{id}",
        conversation,
        Access.CUSTOMER,
        Nothing,
        PageQuery,
        MessagePage,
        problems=(NOT_FOUND,),
    ),
    Route(
        "DELETE",
        "/api/conversations/{id}",
        delete_conversation,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        None,
        problems=(NOT_FOUND,),
    ),
)
