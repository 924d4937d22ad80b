"""How much a text is: four characters are a token, rounded up. An estimate, the same each time. Pure."""

import json
from typing import Any

from claw_dev.simulators.claude.requests import CountRequest

_CHARACTERS = 4


def of_text(text: str) -> int:
    """Tokens of a text."""
    return -(-len(text) // _CHARACTERS)


def first_of_text(text: str, count: int) -> str:
    """As much of the text as so many tokens hold."""
    return text[: count * _CHARACTERS]


def of_json(value: Any) -> int:
    """Tokens of a document."""
    return of_text(json.dumps(value))


def of_request(request: CountRequest) -> int:
    """Tokens of everything that a request makes the model read."""
    turns = sum(
        of_text(block["text"]) if block["type"] == "text" else of_json(block)
        for message in request.messages
        for block in message.content
    )
    return turns + of_text(request.system_text) + sum(of_json(tool.model_dump()) for tool in request.tools)
