"""Claude, through the official client. The only file that knows it.

The client is imported, in a thread, when the first question needs it: it takes longer to load than everything else
together, and a runtime that nobody talks to should cost nothing. It always streams, because only a stream shows that
an answer is still coming; who wants a whole answer waits for its end. An answer counts only with its last event:
what a lost connection left behind is an error, not a short answer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from claw_runtime.problems import MODEL_BUSY, MODEL_FAILED, Problem
from claw_runtime.turns.draft import Draft
from claw_runtime.turns.messages import Block, Message, Prompt, ServerTool, ToolDefinition

if TYPE_CHECKING:
    from anthropic import APIError, AsyncAnthropic
    from anthropic.types import MessageParam, TextBlockParam, ToolUnionParam

log = logging.getLogger(__name__)

RETRIES = 2
"""By the client, with backoff and jitter, before the answer has begun."""
LONGEST_RETRY_AFTER = 5.0
"""Told to wait longer than this, we do not retry but tell the customer to come back."""
BEGIN_SECONDS = 60.0
"""Until the answer begins, retries included."""
SILENCE_SECONDS = 60.0
"""Between two events; the API sends pings."""
ANSWER_SECONDS = 600.0
"""For the whole answer. Shorter than a reservation lasts."""

OnText = Callable[[str], Awaitable[None]]


class Model(Protocol):
    """A language model."""

    async def answer(self, prompt: Prompt, draft: Draft, on_text: OnText) -> None:
        """Complete the draft, calling `on_text` with each new piece. Raises Problem, and what `on_text` raises."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class Claude:
    """The Messages API. `silence` and `begin` are seconds."""

    def __init__(
        self, base_url: str, api_key: str, *, begin: float = BEGIN_SECONDS, silence: float = SILENCE_SECONDS
    ) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._begin = begin
        self._silence = silence
        self._client: AsyncAnthropic | None = None
        self._connecting = asyncio.Lock()

    async def answer(self, prompt: Prompt, draft: Draft, on_text: OnText) -> None:
        """As in Model."""
        client = await self._connected()
        from anthropic import APIError, omit
        from httpx2 import HTTPError

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                async with asyncio.timeout(self._begin):
                    stream = await client.messages.create(
                        model=prompt.model,
                        max_tokens=prompt.max_tokens,
                        system=_system(prompt),
                        messages=_messages(prompt),
                        tools=_tools(prompt),
                        tool_choice=omit if prompt.may_use_tools or not prompt.tools else {"type": "none"},
                        stream=True,
                    )
                async with stream:
                    async for event in stream:
                        if text := draft.take(event):
                            await on_text(text)
        except APIError as error:
            raise _problem(error) from error
        except (HTTPError, ValueError) as error:
            log.warning("the model's answer was cut", extra={"cause": type(error).__name__})
            raise _failed("The connection to the language model was lost in the middle of its answer.") from error
        except TimeoutError as error:
            log.warning("the model did not answer in time")
            raise _busy(None) from error
        if not draft.complete:
            log.warning("the model's answer was cut", extra={"cause": "no last event"})
            raise _failed("The language model stopped in the middle of its answer.")

    async def close(self) -> None:
        """As in Model."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> "AsyncAnthropic":
        async with self._connecting:
            if self._client is None:
                self._client = await asyncio.to_thread(self._connect)
            return self._client

    def _connect(self) -> "AsyncAnthropic":
        from anthropic import AsyncAnthropic, Timeout

        return AsyncAnthropic(
            base_url=self._base_url,
            api_key=self._api_key,
            max_retries=RETRIES,
            timeout=Timeout(self._silence, connect=5.0),
            middleware=[_do_not_wait_long],
            open_telemetry=False,  # its spans may carry what customers say
        )


async def _do_not_wait_long(request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """Runs around every attempt. The client would sleep for as long as Retry-After says, hours if need be."""
    response = await call_next(request)
    wait = _seconds(response.headers.get("retry-after"))
    if not response.http_response.is_success and wait is not None and wait > LONGEST_RETRY_AFTER:
        log.warning("the model asks us to wait", extra={"status": response.status_code, "seconds": wait})
        await response.http_response.aclose()
        raise _busy(wait)
    return response


_KEEP: Block = {"cache_control": {"type": "ephemeral"}}
"""Marks the end of what the provider may keep. Four marks are allowed, and four there are: after the tools, the stable
part, the history, and what has happened since the question."""


def _system(prompt: Prompt) -> "list[TextBlockParam]":
    return [{"type": "text", "text": prompt.stable, "cache_control": {"type": "ephemeral"}}]


def _messages(prompt: Prompt) -> "list[MessageParam]":
    # The API joins messages of one role. The context is one of its own, so that the question stays as it was asked.
    asked = [Message.of("user", text) for text in (prompt.volatile, prompt.question) if text]
    messages = [*_kept(prompt.history), *map(_message, asked), *_kept(prompt.thought)]
    return cast("list[MessageParam]", messages)


def _kept(messages: tuple[Message, ...]) -> list[Block]:
    """The messages, with a mark at their end."""
    if not messages:
        return []
    *earlier, last = messages
    *before, end = last.content
    return [*map(_message, earlier), _message(Message(last.role, (*before, end | _KEEP)))]


def _message(message: Message) -> Block:
    return {"role": message.role, "content": list(message.content)}


def _tools(prompt: Prompt) -> "list[ToolUnionParam]":
    tools = [_tool(tool) for tool in prompt.tools]
    if tools:
        tools[-1] |= _KEEP
    return cast("list[ToolUnionParam]", tools)


def _tool(tool: ToolDefinition | ServerTool) -> Block:
    if isinstance(tool, ServerTool):
        return {"type": tool.type, "name": tool.name, **tool.options}
    return {"name": tool.name, "description": tool.description, "input_schema": dict(tool.input_schema)}


def _problem(error: "APIError") -> Problem:
    """What the customer is told. The provider's own words may quote the prompt: they are neither told nor logged."""
    from anthropic import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APIStatusError):
        facts = {"status": error.status_code, "kind": error.type, "model_request_id": error.request_id}
        if error.status_code in (429, 503, 529) or error.type in ("overloaded_error", "rate_limit_error"):
            log.warning("the model is busy", extra=facts)
            return _busy(_seconds(error.response.headers.get("retry-after")))
        level = logging.WARNING if error.status_code >= 500 else logging.ERROR
        log.log(level, "the model refused or failed", extra=facts)
        return _failed("The language model failed to answer.")
    log.warning("the model could not be reached", extra={"cause": type(error).__name__})
    if isinstance(error, APITimeoutError):
        return _busy(None)
    if isinstance(error, APIConnectionError):
        return _failed("The language model could not be reached.")
    return _failed("The language model's answer could not be understood.")


def no_answer() -> Problem:
    """The model said nothing at all."""
    log.warning("the model answered nothing")
    return _failed("The language model gave no answer to this.")


def _failed(what: str) -> Problem:
    return Problem(MODEL_FAILED, f"{what} The message was not counted; please send it again.", retry_after=5)


def _busy(retry_after: float | None) -> Problem:
    wait = round(min(max(retry_after or 10.0, 1.0), 600.0))
    return Problem(
        MODEL_BUSY,
        "The language model has too much to do at the moment. The message was not counted; please send it again.",
        retry_after=wait,
    )


def _seconds(header: str | None) -> float | None:
    try:
        return float(header) if header is not None else None
    except ValueError:
        return None
