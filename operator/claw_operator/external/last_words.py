"""What a crashed program said last, fit for a status: short, stable, without secrets.

A log may hold anything. So what looks like a secret is taken out rather than what is known to be one, and times,
process ids and addresses go, too: the same crash must read the same, or the status never rests.
"""

import contextlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from claw_operator.external.redaction import redacted

_LINES = 3
_LINE_LENGTH = 200
_TAIL_BYTES = 16_384

_UNREMARKABLE = ("DEBUG", "INFO")
_STACK_FRAME = re.compile(r"^\s+|^Traceback |^\s*[~^]+\s*$")

_PASSING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z|[+-]\d\d:?\d\d))?"), ""),
    (re.compile(r"\b\d\d:\d\d:\d\d([.,]\d+)?\b"), ""),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "0x…"),
    (re.compile(r"\[\d+\]|\bpid[ =:]*\d+"), ""),
)


def last_words(log: Path, since: int = 0) -> str:
    """The last few lines that tell of trouble, in one; empty when there are none. `since` is a position in bytes."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(since, end - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
        return trouble_in(lines)
    return ""


def trouble_in(lines: Iterable[str]) -> str:
    """The same for the lines of a log, oldest first."""
    told = [told for line in lines if (told := _trouble(line))]
    return " | ".join(told[-_LINES:])


def _trouble(line: str) -> str:
    """What a line tells of trouble; of one in the JSON format, only if it is a warning at least."""
    with contextlib.suppress(ValueError):
        record = json.loads(line)
        if isinstance(record, dict):
            if str(record.get("level", "")).upper() in _UNREMARKABLE:
                return ""
            cause = str(record.get("exc_info") or "").strip().rpartition("\n")[2]
            line = ": ".join(part for part in (str(record.get("message", "")), cause) if part)
    if _STACK_FRAME.match(line):
        return ""
    for pattern, replacement in _PASSING:
        line = pattern.sub(replacement, line)
    return redacted(line, _LINE_LENGTH)
