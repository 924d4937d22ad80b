"""JSON logs: one object a line, with the request's id, and without what a customer or a provider said.

An exception's message often repeats its input: the row that violated a constraint, the header that did not parse, the
address that did not answer. So a traceback is written as the exception's class and the places in the code, and the
message is left out.
"""

import logging
import sys
import traceback
from contextvars import ContextVar
from types import TracebackType
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered."""

_CHATTY = {
    "asyncio": logging.WARNING,
    "anthropic": logging.WARNING,
    "httpx2": logging.WARNING,
    "httpcore2": logging.WARNING,
    # Its warnings name host and role at every attempt; `database.py` says once what matters of them.
    "psycopg.pool": logging.CRITICAL,
}


class _Formatter(JsonFormatter):
    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        error = ei[1]
        parts = []
        while error is not None:
            parts += [f"{type(error).__module__}.{type(error).__qualname__} at"]
            frames = traceback.walk_tb(error.__traceback__)
            parts += [f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_qualname}" for frame, line in frames]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(parts)


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if (request_id := REQUEST_ID.get()) is not None:
            record.request_id = request_id
        return True


def configure(stream: TextIO = sys.stdout, level: int = logging.INFO) -> None:
    """Send all logs of the process to `stream`, as JSON."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(_RequestId())
    handler.setFormatter(
        _Formatter(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "trace"},
            timestamp=True,
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(least)
