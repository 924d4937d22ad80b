"""What the stand-in's own search of the web finds: always the same two pages about whatever is looked for. Pure."""

import base64
from typing import Any
from urllib.parse import quote_plus

Json = dict[str, Any]


def blocks(query: str, use_id: str) -> list[Json]:
    """The blocks of a search: that it was made, and what it found."""
    return [
        {
            "type": "server_tool_use",
            "id": use_id,
            "name": "web_search",
            "input": {"query": query},
            "caller": {"type": "direct"},
        },
        {
            "type": "web_search_tool_result",
            "tool_use_id": use_id,
            "caller": {"type": "direct"},
            "content": [_result(query, number) for number in (1, 2)],
        },
    ]


def _result(query: str, number: int) -> Json:
    return {
        "type": "web_search_result",
        "title": f"{query} ({number})",
        "url": f"https://search.example/{number}?q={quote_plus(query)}",
        "encrypted_content": base64.b64encode(f"{number}: {query}".encode()).decode(),
        "page_age": None,
    }
