"""One JSON object a line, and on each what it is about: instance, uid, generation, step."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

_about: ContextVar[Mapping[str, Any]] = ContextVar("about", default={})  # noqa: B039 - a mapping nobody writes to


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Everything logged inside carries these fields, whoever logs it."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


class _About(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        for key, value in _about.get().items():
            record.__dict__.setdefault(key, value)
        return True


def _shown(value: object) -> str:
    # The library's own choice is to write out every field of a dataclass, whatever its repr keeps to itself.
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def configure(level: str) -> None:
    """Send all logs to stdout as JSON. Libraries speak only when something is wrong."""
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_About())
    handler.setFormatter(
        JsonFormatter(
            "{levelname}{name}{message}",
            style="{",
            timestamp=True,
            rename_fields={"levelname": "level", "name": "logger"},
            json_default=_shown,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("claw_operator").setLevel(level)
