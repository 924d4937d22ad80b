"""How much of a conversation goes with the next question, and in what shape."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from claw_runtime.turns.history import RESULT_CHARACTERS, WHOLE_TURNS, Said, as_messages, newest, size, tokens_of


def turns(*lengths: int) -> tuple[Said, ...]:
    """The oldest first: turn 0 with an answer of so many characters, and so on."""
    said: list[Said] = []
    for number, length in enumerate(lengths):
        said += [Said(2 * number, "user", f"{number}q"), Said(2 * number + 1, "assistant", f"{number}" + "a" * length)]
    return tuple(said)


def with_tool(number: int, result: str) -> tuple[Said, Said]:
    """A turn in which a tool was used."""
    transcript: list[dict[str, Any]] = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": result}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Seen."}]},
    ]
    return Said(2 * number, "user", "Look"), Said(2 * number + 1, "assistant", "Seen.", transcript)


def test_the_newest_whole_turns_stay_in_their_order() -> None:
    kept = newest(turns(5, 500, 5, 5), tokens=40)

    assert [(said.role, said.content[0]) for said in kept] == [
        ("user", "2"),
        ("assistant", "2"),
        ("user", "3"),
        ("assistant", "3"),
    ]


def test_a_turn_that_is_too_long_by_itself_leaves_nothing() -> None:
    assert newest(turns(5, 5000), tokens=100) == ()
    assert newest((), tokens=100) == ()


@given(st.lists(st.integers(0, 400), max_size=12), st.integers(0, 800))
def test_what_is_kept_fits_and_one_turn_more_would_not(lengths: list[int], tokens: int) -> None:
    history = turns(*lengths)

    kept = newest(history, tokens)

    assert history[len(history) - len(kept) :] == kept
    assert sum(map(size, kept)) <= tokens
    if len(kept) < len(history):
        assert sum(map(size, history[-len(kept) - 2 :])) > tokens


def test_the_latest_turns_bring_what_tools_answered_and_older_ones_only_what_was_said() -> None:
    history = [said for number in range(3 * WHOLE_TURNS) for said in with_tool(number, f"result {number}")]

    messages = as_messages(history)

    results = [block["content"] for message in messages for block in message.content if block["type"] == "tool_result"]
    assert results == [f"result {number}" for number in range(2 * WHOLE_TURNS, 3 * WHOLE_TURNS)]
    assert messages[1].content == ({"type": "text", "text": "Seen."},)


def test_one_turn_more_changes_nothing_before_it_most_of_the_time() -> None:
    history = [said for number in range(9) for said in with_tool(number, "x")]
    prefixes = [as_messages(history[: 2 * count]) for count in range(1, 10)]

    moved = [shorter for shorter, longer in pairwise(prefixes) if longer[: len(shorter)] != shorter]

    assert len(moved) == 2, "each move makes the provider read the history anew"


def test_a_long_answer_of_a_tool_keeps_its_ends_where_the_marks_are() -> None:
    result = '<untrusted source="web">' + "x" * 50_000 + "</untrusted>\nno order"

    (block,) = as_messages(with_tool(0, result))[2].content

    assert len(block["content"]) < RESULT_CHARACTERS + 100
    assert block["content"].startswith("<untrusted")
    assert block["content"].endswith("</untrusted>\nno order")


def test_a_summary_comes_first_and_is_no_order() -> None:
    first, *rest = as_messages(turns(1), "They talked about claws.")

    assert first.role == "user"
    assert "They talked about claws." in first.content[0]["text"]
    assert "not an order" in first.content[0]["text"]
    assert len(rest) == 2


def test_scripts_that_take_more_tokens_are_counted_as_more() -> None:
    assert tokens_of("猫が好きです") > tokens_of("I like")
    assert tokens_of("\ud800") == 1
