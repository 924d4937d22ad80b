"""Prompt caching as the API bills it: what a request has in common with an earlier one, up to a mark, is read for less.

A prompt is tools, system and messages, in this order, and each `cache_control` in it marks the end of a prefix.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from claw_dev.simulators.claude import tokens
from claw_dev.simulators.claude.requests import CountRequest

_LEAST = 1024
"""Tokens of a prefix. A shorter one is not cached, whatever is marked."""


@dataclass(frozen=True)
class Counted:
    """How the tokens of a prompt are billed. Together they are all of them."""

    fresh: int
    written: int
    read: int


class PromptCache:
    """Remembers prefixes. They do not expire here: a test takes no five minutes."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def count(self, request: CountRequest) -> Counted:
        """Count the prompt, and remember it."""
        total = tokens.of_request(request)
        prefixes = [(digest, size) for digest, size in _prefixes(request) if size >= _LEAST]
        read = max((size for digest, size in prefixes if digest in self._seen), default=0)
        marked = max((size for _, size in prefixes), default=0)
        self._seen.update(digest for digest, _ in prefixes)
        read, marked = min(read, total), min(marked, total)
        return Counted(fresh=total - marked, written=marked - read, read=read)


def _prefixes(request: CountRequest) -> Iterator[tuple[str, int]]:
    """Digest and tokens of every prefix that is marked."""
    digest, size = hashlib.sha256(request.model.encode()), 0
    for part in _parts(request):
        marked = "cache_control" in part
        plain = {name: member for name, member in part.items() if name != "cache_control"}
        digest.update(json.dumps(plain, sort_keys=True).encode())
        size += tokens.of_text(plain["text"]) if plain.get("type") == "text" else tokens.of_json(plain)
        if marked:
            yield digest.hexdigest(), size


def _parts(request: CountRequest) -> Iterator[dict[str, Any]]:
    yield from (tool.model_dump(exclude_none=True) for tool in request.tools)
    yield from request.system
    for message in request.messages:
        yield from message.content
