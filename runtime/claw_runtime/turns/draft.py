"""An answer of the model while it is being given. Pure: events of the stream in, blocks and counts out."""

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

from claw_runtime.text import storable
from claw_runtime.turns.messages import Block, Tokens, ToolUse

_CHARACTERS_A_TOKEN = 4
MAX_LEVELS = 64
"""Of a tool's input. Whoever walks through a deeper one runs out of stack."""


@dataclass
class Draft:
    """What the model said so far: still worth something when the customer hangs up."""

    blocks: list[Block] = field(default_factory=list)
    """As they must be sent back. Without what was cut off in the middle."""
    stop_reason: str | None = None
    complete: bool = False
    counted: Tokens = field(default_factory=Tokens)
    lost_uses: int = 0
    """Tools that it wanted to use and whose input is not whole."""
    _arriving: str = ""
    """The JSON of a tool's input, as far as it has come."""

    @property
    def text(self) -> str:
        """What was said so far."""
        return "".join(block["text"] for block in self.blocks if block["type"] == "text")

    @property
    def tool_uses(self) -> tuple[ToolUse, ...]:
        """The tools that the runtime is asked to use. None as long as the answer is not complete."""
        if not self.complete or self.stop_reason != "tool_use":
            return ()
        return tuple(
            ToolUse(block["id"], block["name"], block["input"]) for block in self.blocks if block["type"] == "tool_use"
        )

    @property
    def under_way(self) -> bool:
        """Whether a tool of the provider's has not answered yet. Then the draft goes back as it is, to be continued."""
        return bool(self.blocks) and self.blocks[-1]["type"] == "server_tool_use"

    @property
    def tokens(self) -> Tokens:
        """What it cost so far. The final count comes at the end; until then, four characters are about a token."""
        said = 0 if self.complete else len(self.text) // _CHARACTERS_A_TOKEN
        return replace(self.counted, output=max(self.counted.output, said))

    def take(self, event: Any) -> str:
        """Put the next event of the stream in, one of the client's; returns the new text in it."""
        match event.type:
            case "message_start":
                self._count(event.message.usage)
            case "content_block_start":
                self.blocks.append(event.content_block.to_dict(mode="json"))
                self._arriving = ""
            case "content_block_delta":
                return self._grow(event.delta)
            case "content_block_stop":
                self._finish_block()
            case "message_delta":
                self.stop_reason = event.delta.stop_reason
                searches = event.usage.server_tool_use.web_search_requests if event.usage.server_tool_use else 0
                self.counted = replace(self.counted, output=event.usage.output_tokens, searches=searches)
            case "message_stop":
                self.complete = True
                self._drop_unfinished()
        return ""

    def _count(self, usage: Any) -> None:
        self.counted = Tokens(
            input=usage.input_tokens,
            cache_write=usage.cache_creation_input_tokens or 0,
            cache_read=usage.cache_read_input_tokens or 0,
            output=usage.output_tokens,
        )

    def _grow(self, delta: Any) -> str:
        block = self.blocks[-1]
        match delta.type:
            case "text_delta":
                text = storable(delta.text)
                block["text"] += text
                return text
            case "input_json_delta":
                self._arriving += delta.partial_json
            case "citations_delta":
                block["citations"] = [*(block.get("citations") or ()), delta.citation.to_dict(mode="json")]
            case "thinking_delta":
                block["thinking"] += delta.thinking
            case "signature_delta":
                block["signature"] = delta.signature
        return ""

    def _finish_block(self) -> None:
        block = self.blocks[-1]
        if block["type"] not in {"tool_use", "server_tool_use"} or not self._arriving:
            return
        block["input"] = _object(self._arriving)

    def _drop_unfinished(self) -> None:
        """Leave nothing that the API does not take back: empty texts, and tools that nobody can use or answer now."""
        uses = [block for block in self.blocks if block["type"] == "tool_use"]
        lost = [use for use in uses if use["input"] is None or self.stop_reason != "tool_use"]
        self.lost_uses = len(lost)
        self.blocks = [block for block in self.blocks if block not in lost and not _says_nothing(block)]
        while self.under_way and self.stop_reason != "pause_turn":
            self.blocks.pop()


def _says_nothing(block: Block) -> bool:
    return block["type"] == "text" and not block["text"].strip()


def _object(text: str) -> dict[str, Any] | None:
    """The JSON object; None when it was cut off, or is none, or none that everybody can read and write again."""
    try:
        given = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) and _is_flat(given, MAX_LEVELS) else None


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


def _is_flat(value: Any, levels: int) -> bool:
    if levels == 0:
        return False
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_is_flat(member, levels - 1) for member in members)
