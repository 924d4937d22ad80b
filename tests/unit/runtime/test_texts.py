"""Texts that customers send, and cursors that they send back."""

import uuid
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from claw_runtime import pages
from claw_runtime.problems import Problem
from claw_runtime.text import Words, headline


@pytest.mark.parametrize("text", ["", " \n\t", "a\x00b", "\ud800"])
def test_words_say_something_that_can_be_stored(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Words).validate_python(text)


def test_a_headline_is_the_first_line_that_says_something() -> None:
    assert headline("\n\n  Hello,\tyou \u202e there \nmore") == "Hello, you there"
    assert headline("x" * 100) == "x" * 79 + "…"


def test_a_cursor_brings_back_the_key_it_was_made_of() -> None:
    moment, entry = datetime(2026, 11, 22, 1, 2, 3, 4, tzinfo=UTC), uuid.uuid4()

    given = pages.cursor(moment.isoformat(), entry)

    assert pages.key(given, datetime.fromisoformat, uuid.UUID) == (moment, entry)
    assert pages.key(None, datetime.fromisoformat, uuid.UUID) == (None, None)


@pytest.mark.parametrize("given", ["", "!", "abc", pages.cursor("x"), pages.cursor("1", "2", "3"), "bnVsbA", "é"])
def test_a_made_up_cursor_is_refused(given: str) -> None:
    with pytest.raises(Problem) as refused:
        pages.key(given, datetime.fromisoformat, uuid.UUID)

    assert refused.value.kind.status == 422


def test_a_page_ends_where_there_is_more() -> None:
    assert pages.split([1, 2, 3], 2) == ([1, 2], 2)
    assert pages.split([1, 2], 2) == ([1, 2], None)
