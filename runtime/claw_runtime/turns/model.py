"""Claude, through the official client. The only file that knows it.

The client is imported, in a thread, when the first question needs it: it takes longer to load than everything else
together, and a runtime that nobody talks to should cost nothing. It always streams, because only a stream shows that
an answer is still coming; who wants a whole answer waits for its end. An answer counts only with its last event:
what a lost connection left behind is an error, not a short answer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from claw_runtime.problems import MODEL_BUSY, MODEL_FAILED, Problem
from claw_runtime.turns.conversations import Said
from claw_runtime.turns.prompt import Prompt
from claw_runtime.usage.limits import Tokens

if TYPE_CHECKING:
    from anthropic import APIError, AsyncAnthropic
    from anthropic.types import MessageParam, RawMessageStreamEvent, TextBlockParam

log = logging.getLogger(__name__)

MAX_ANSWER_TOKENS = 4096
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


@dataclass
class Draft:
    """An answer while it is being given: still worth something when the customer hangs up."""

    parts: list[str] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    complete: bool = False

    @property
    def text(self) -> str:
        """What was said so far."""
        return "".join(self.parts)

    @property
    def tokens(self) -> Tokens:
        """What it cost so far. The final count comes at the end; until then, four characters are about a token."""
        said = 0 if self.complete else sum(map(len, self.parts)) // 4
        return Tokens(self.input_tokens, max(self.output_tokens, said))


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
        from anthropic import APIError
        from httpx2 import HTTPError

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                async with asyncio.timeout(self._begin):
                    stream = await client.messages.create(
                        model=prompt.model,
                        max_tokens=MAX_ANSWER_TOKENS,
                        system=_system(prompt),
                        messages=_messages(prompt),
                        stream=True,
                    )
                async with stream:
                    async for event in stream:
                        if text := _take(event, draft):
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
        if not draft.text.strip():
            log.warning("the model answered nothing")
            raise _failed("The language model gave no answer to this.")

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


def _system(prompt: Prompt) -> "list[TextBlockParam]":
    return [
        {"type": "text", "text": prompt.stable, "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": prompt.volatile},
    ]


def _messages(prompt: Prompt) -> "list[MessageParam]":
    return [*map(_message, prompt.history), {"role": "user", "content": prompt.question}]


def _message(said: Said) -> "MessageParam":
    if said.role == "user":
        return {"role": "user", "content": said.content}
    return {"role": "assistant", "content": said.content}


def _take(event: "RawMessageStreamEvent", draft: Draft) -> str:
    """Put the event into the draft; returns the new text in it."""
    if event.type == "message_start":
        usage = event.message.usage
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        draft.input_tokens = usage.input_tokens + cached
        draft.output_tokens = usage.output_tokens
    elif event.type == "content_block_delta" and event.delta.type == "text_delta":
        draft.parts.append(event.delta.text)
        return event.delta.text
    elif event.type == "message_delta":
        draft.output_tokens = event.usage.output_tokens
    elif event.type == "message_stop":
        draft.complete = True
    return ""


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
