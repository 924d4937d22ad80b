"""What of a log may be told: the trouble, never a secret, and the same words for the same crash."""

import json
from pathlib import Path

import pytest

from claw_operator.external.last_words import last_words

TRACEBACK = """Traceback (most recent call last):
  File "/srv/runtime/app.py", line 7, in main
    connect()
    ~~~~~~~^^
RuntimeError: no database
"""


def log_line(level: str, message: str, **more: str) -> str:
    return json.dumps({"timestamp": "2026-11-22T10:00:00.123Z", "level": level, "message": message, **more}) + "\n"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", ""),
        ("one\ntwo\n\nthree\nfour\n", "two | three | four"),
        (TRACEBACK, "RuntimeError: no database"),
        (log_line("INFO", "listening") + log_line("ERROR", "no database"), "no database"),
        (log_line("ERROR", "failed", exc_info=TRACEBACK), "failed: RuntimeError: no database"),
        (log_line("INFO", "served") * 5, ""),
        ("{broken json\n", "{broken json"),
        ('"a string"\n', '"a string"'),
        ("2026-11-22 10:00:00,123 [4711] worker pid=88 died at 0x7f00\n", "worker died at 0x…"),
        ("x" * 30 + "\n", "x" * 30),
        ("word " * 100 + "\n", "word " * 39 + "word…"),
        ("postgresql://claw-a:hunter2@host:5432/db refused\n", "postgresql://***@host:5432/db refused"),
        ("Authorization: Bearer abc\n", "Authorization: ***"),
        ("password=hunter2 token: t0p 'api_key': 'k'\n", "password=*** token: *** 'api_key': '***'"),
        ("key claw_0123456789abcdefABCDEF0123456789abcdefABCDEF012345678\n", "key ***"),
        ("sk-" + "a1" * 16 + " rejected\n", "*** rejected"),
        ("x" * 20 + "Y" * 20 + " rejected\n", "*** rejected"),
        (
            "ConfigurationValidationError in claw_runtime.settings\n",
            "ConfigurationValidationError in claw_runtime.settings",
        ),
    ],
)
def test_trouble_is_told_without_secrets_and_without_what_passes(tmp_path: Path, log: str, expected: str) -> None:
    path = tmp_path / "log"
    path.write_text(log)
    assert last_words(path) == expected


def test_a_huge_log_of_any_bytes_is_read_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\xfe\x00" * 1_000_000 + b"\nthe end\n")
    assert last_words(path).endswith("| the end")


def test_words_before_the_given_position_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\nnew\n")
    assert last_words(path, since=4) == "new"
    assert last_words(path, since=400) == ""


def test_no_log_has_no_words(tmp_path: Path) -> None:
    assert last_words(tmp_path / "none") == ""
