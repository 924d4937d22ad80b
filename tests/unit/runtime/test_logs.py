"""One JSON object a line, and nobody's words in it."""

import io
import json
import logging
from collections.abc import Iterator

import psycopg
import pytest

from claw_runtime import logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    root.handlers[:], root.level = handlers, level


def test_a_trace_tells_where_and_what_but_not_what_was_said(lines: io.StringIO) -> None:
    def insert() -> None:
        raise psycopg.DataError("Failing row contains (CANARY)")

    try:
        try:
            insert()
        except psycopg.DataError as error:
            raise RuntimeError("CANARY again") from error
    except RuntimeError:
        logging.getLogger("test").exception("it failed")

    line = json.loads(lines.getvalue())
    assert "CANARY" not in lines.getvalue()
    assert "builtins.RuntimeError" in line["trace"]
    assert "psycopg.DataError" in line["trace"]
    assert ".insert" in line["trace"]


def test_a_line_has_the_requests_id_while_there_is_one(lines: io.StringIO) -> None:
    token = logs.REQUEST_ID.set("abc")
    logging.getLogger("test").info("during", extra={"status": 200})
    logs.REQUEST_ID.reset(token)
    logging.getLogger("test").info("after")

    during, after = map(json.loads, lines.getvalue().splitlines())
    assert (during["request_id"], during["status"], during["level"]) == ("abc", 200, "INFO")
    assert {"timestamp", "level", "logger", "message"} <= during.keys()
    assert "request_id" not in after
