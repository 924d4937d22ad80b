"""What search APIs answer, as far as it is an answer."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw_runtime.web.search import PROVIDER_SEARCH, SearchApi, SearchFailed, results_in
from claw_runtime.web.tools import server_tools

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["web", "results", "url", "title"]), inner)
    ),
    max_leaves=12,
)


def test_results_are_read_in_the_shapes_that_there_are() -> None:
    brave = {
        "web": {"results": [{"title": "<strong>A</strong> &amp; B", "url": "https://a.example/", "description": "x"}]}
    }
    searxng = {"results": [{"title": "A & B", "url": "https://a.example/", "content": "x", "engine": "y"}]}

    for answer in (brave, searxng):
        (found,) = results_in(answer, 5)
        assert (found.title, found.url, found.description) == ("A & B", "https://a.example/", "x")


def test_entries_that_are_none_are_left_out() -> None:
    good = {"url": "https://a.example/", "title": None, "description": 5}
    entries: list[Any] = [None, 1, {}, {"url": "javascript:alert(1)"}, {"url": 5}, good, good, good]

    found = results_in({"web": {"results": entries}}, 2)

    assert [entry.url for entry in found] == ["https://a.example/", "https://a.example/"]
    assert found[0].title == found[0].description == ""


def test_a_search_without_results_finds_nothing() -> None:
    assert results_in({"web": {}}, 5) == ()
    assert results_in({"type": "search"}, 5) == ()


@given(JSON)
def test_no_answer_is_too_odd(answer: Any) -> None:
    with contextlib.suppress(SearchFailed):
        assert len(results_in(answer, 3)) <= 3


@pytest.mark.parametrize("answer", [None, [], "x", {"web": None}, {"web": []}, {"web": {"results": {}}}])
def test_what_is_no_answer_is_said_to_be_none(answer: Any) -> None:
    with pytest.raises(SearchFailed):
        results_in(answer, 3)


def test_the_provider_searches_only_when_nobody_else_does() -> None:
    assert server_tools(None) == {"web_search": PROVIDER_SEARCH}
    assert server_tools(SearchApi("https://search.example/", None)) == {}


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(SearchApi("https://search.example/", "secret"))
