"""An answer as JSON: the message, and the server-sent events that tell the same message piece by piece. Pure."""

import json
import re
import string
from collections.abc import Iterator
from random import Random
from typing import Any

from claw_dev.simulators.claude import websearch
from claw_dev.simulators.claude.cache import Counted
from claw_dev.simulators.claude.reply import Reply

Json = dict[str, Any]

_WORDS = re.compile(r"(?:\S*\s+){1,3}|\S+")
_ID_LENGTH = 24


def new_id(random: Random, prefix: str) -> str:
    """An id such as `msg_01XFDUDYJgAACzvnptvVoYEL`."""
    letters = random.choices(string.ascii_letters + string.digits, k=_ID_LENGTH - 2)
    return f"{prefix}_01{''.join(letters)}"


def message(reply: Reply, prompt: Counted, model: str, random: Random) -> Json:
    """The whole message."""
    content: list[Json] = []
    if reply.search is not None:
        content += websearch.blocks(reply.search, new_id(random, "srvtoolu"))
    if reply.text:
        content.append({"type": "text", "text": reply.text, "citations": None})
    for tool in reply.tools:
        use = {"name": tool.name, "input": tool.input, "caller": {"type": "direct"}}
        content.append({"type": "tool_use", "id": new_id(random, "toolu"), **use})
    searches = {"web_search_requests": 1, "web_fetch_requests": 0} if reply.search is not None else None
    return {
        "id": new_id(random, "msg"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "container": None,
        "stop_reason": reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "stop_details": None,
        "usage": {
            "input_tokens": prompt.fresh,
            "output_tokens": reply.tokens,
            "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": prompt.written},
            "cache_creation_input_tokens": prompt.written,
            "cache_read_input_tokens": prompt.read,
            "inference_geo": None,
            "server_tool_use": searches,
            "service_tier": "standard",
        },
    }


def told(whole: Json) -> Iterator[Json]:
    """The message as the data of its events, in the order in which the API sends them."""
    unsaid = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": whole["usage"] | {"output_tokens": 1}}
    yield {"type": "message_start", "message": whole | unsaid}
    for index, block in enumerate(whole["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {name: whole[name] for name in ("container", "stop_reason", "stop_sequence", "stop_details")},
        "usage": {
            name: whole["usage"][name]
            for name in (
                "input_tokens",
                "output_tokens",
                "cache_creation_input_tokens",
                "cache_read_input_tokens",
                "server_tool_use",
            )
        },
    }
    yield {"type": "message_stop"}


def as_sse(data: Json) -> bytes:
    """One server-sent event, named after its type."""
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


def _empty(block: Json) -> Json:
    match block["type"]:
        case "tool_use" | "server_tool_use":
            return block | {"input": {}}
        case "text":
            return block | {"text": ""}
    return block


def _deltas(block: Json) -> Iterator[Json]:
    match block["type"]:
        case "text":
            for piece in _WORDS.findall(block["text"]):
                yield {"type": "text_delta", "text": piece}
        case "tool_use" | "server_tool_use":
            yield {"type": "input_json_delta", "partial_json": ""}
            for piece in _WORDS.findall(json.dumps(block["input"])):
                yield {"type": "input_json_delta", "partial_json": piece}
