"""An answer while it arrives: what is kept of it can always be sent back."""

from typing import Any

import pytest
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from claw_runtime.turns.draft import Draft

_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
_USAGE = {"input_tokens": 7, "output_tokens": 1, "cache_creation_input_tokens": 3, "cache_read_input_tokens": None}


def arrived(*events: dict[str, Any], stop_reason: str) -> Draft:
    """A draft after these events of one message."""
    draft = Draft()
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": _USAGE}
    ends = [
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": None},
            "usage": {"output_tokens": 40},
        },
        {"type": "message_stop"},
    ]
    for event in [
        {"type": "message_start", "message": start | {"stop_reason": None, "stop_sequence": None}},
        *events,
        *ends,
    ]:
        draft.take(_EVENT.validate_python(event))
    return draft


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return block(index, {"type": "text", "text": ""}, deltas)


def use(index: int, json: str, kind: str = "tool_use") -> list[dict[str, Any]]:
    content = {"type": kind, "id": f"toolu_{index}", "name": "web_search", "input": {}}
    return block(index, content, [{"type": "input_json_delta", "partial_json": json}])


def block(index: int, content: dict[str, Any], deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def test_text_and_tools_arrive_in_pieces() -> None:
    draft = arrived(*text(0, "Let me ", "look."), *use(1, '{"query": "claws"}'), stop_reason="tool_use")

    assert draft.text == "Let me look."
    assert [(tool.id, tool.input) for tool in draft.tool_uses] == [("toolu_1", {"query": "claws"})]
    assert (draft.tokens.input, draft.tokens.cache_write, draft.tokens.output) == (7, 3, 40)


@pytest.mark.parametrize(
    "json",
    [
        '{"query": "cl',
        "[1]",
        "nonsense",
        '{"n": NaN}',
        '{"n": 1e999}',
        '{"n": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"n": ' + "[" * 100 + "]" * 100 + "}",
    ],
)
def test_an_input_that_is_no_object_is_lost_and_the_rest_is_kept(json: str) -> None:
    draft = arrived(*text(0, "So."), *use(1, json), *use(2, '{"n": 1}'), stop_reason="tool_use")

    assert [tool.id for tool in draft.tool_uses] == ["toolu_2"]
    assert draft.lost_uses == 1
    assert [block["type"] for block in draft.blocks] == ["text", "tool_use"]


def test_a_tool_that_was_cut_off_is_not_used() -> None:
    draft = arrived(*text(0, "So."), *use(1, '{"n": 1}'), stop_reason="max_tokens")

    assert draft.tool_uses == ()
    assert draft.lost_uses == 1


def test_a_search_under_way_goes_back_only_when_it_is_to_be_continued() -> None:
    search = use(1, '{"query": "claws"}', kind="server_tool_use")

    assert arrived(*text(0, "So."), *search, stop_reason="pause_turn").under_way
    assert [block["type"] for block in arrived(*text(0, "So."), *search, stop_reason="max_tokens").blocks] == ["text"]


def test_empty_texts_are_dropped_and_what_no_database_keeps_is_replaced() -> None:
    draft = arrived(*text(0, " \n"), *text(1, "a\x00b", "\ud83d"), stop_reason="end_turn")

    assert [block["text"] for block in draft.blocks] == ["a\ufffdb\ufffd"]
