"""One JSON object a line, with what it is about and without secrets."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from claw_operator.logs import about, configure
from claw_operator.settings import Settings
from tests.unit.operator.examples import CREDENTIALS, NOW, desired, settled

log = logging.getLogger("claw_operator.test")


class Lines:
    """What was written to stdout."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def read(self) -> list[dict[str, object]]:
        """Each line, which must be JSON."""
        return [json.loads(line) for line in self.text().split("\n")[:-1]]

    def text(self) -> str:
        """As it is."""
        return self.stream.getvalue()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Logging as in a real process, undone afterwards."""
    root, ours, written = logging.getLogger(), logging.getLogger("claw_operator"), Lines()
    handlers, levels = root.handlers[:], (root.level, ours.level)
    with monkeypatch.context() as stdout:
        stdout.setattr(sys, "stdout", written.stream)
        configure("DEBUG")
    yield written
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def test_a_line_is_an_object_with_the_fields_that_everybody_knows(lines: Lines) -> None:
    log.warning("so %s", "it goes", extra={"seconds": 3})
    (line,) = lines.read()
    assert set(line) == {"timestamp", "level", "logger", "message", "seconds"}
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "claw_operator.test", "so it goes")


def test_a_line_knows_what_it_is_about_whoever_writes_it(lines: Lines) -> None:
    with about(instance="claw/ada", uid="1", generation=2):
        with about(step="Deploy"):
            log.info("inner")
        logging.getLogger("kopf").warning("a library")
    log.info("outer")
    inner, library, outer = lines.read()
    assert {key: inner[key] for key in ("instance", "uid", "generation", "step")} == {
        "instance": "claw/ada",
        "uid": "1",
        "generation": 2,
        "step": "Deploy",
    }
    assert (library["instance"], "step" in library) == ("claw/ada", False)
    assert "instance" not in outer


def test_what_the_caller_says_of_itself_wins(lines: Lines) -> None:
    with about(uid="1"):
        log.info("another", extra={"uid": "2"})
    (line,) = lines.read()
    assert line["uid"] == "2"


def test_libraries_speak_only_when_something_is_wrong(lines: Lines) -> None:
    for name in ("kopf", "aiohttp.access", "asyncio", "httpx"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).debug("chatter")
    log.debug("ours")
    assert [line["message"] for line in lines.read()] == ["ours"]


def test_hostile_text_stays_on_its_line(lines: Lines) -> None:
    log.info('a\nb\u2028{"level": "ERROR"}\x00\x1b[2J')
    text = lines.text()
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert json.loads(text)["level"] == "INFO"


def test_no_secret_is_logged_by_what_we_log_whole(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", __file__)
    monkeypatch.setenv("CLAW_LOCAL_DIRECTORY", ".")
    monkeypatch.setenv("CLAW_POSTGRES_ADMIN_URL", "postgresql://admin:canary@db.example")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary")
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    wished = desired()
    log.info("started", extra={"settings": Settings().model_dump(mode="json")})
    log.info("%r %r", Settings(), settled())
    log.info("%r %r %r", wished, wished.compute(CREDENTIALS), wished.configuration(CREDENTIALS, NOW))
    error = ValueError(wished.compute(CREDENTIALS))
    log.error("pass failed", exc_info=error, extra={"credentials": CREDENTIALS})
    text = lines.text()
    assert "canary" not in text
    assert CREDENTIALS.api_key not in text
