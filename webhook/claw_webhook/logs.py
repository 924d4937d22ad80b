"""Logs: one JSON object a line on stdout, with the fields that a search needs."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

_FIELDS = {"levelname": "level", "name": "logger"}
_TOO_TALKATIVE = {
    "httpx": logging.WARNING,  # a line for each call to Stripe
    "stripe": logging.WARNING,
    "psycopg.pool": logging.ERROR,  # a line for each attempt while the database is away
}


def configure_logs(level: str) -> None:
    """Send what every logger of this process says to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter([*_FIELDS, "message"], timestamp=True, rename_fields=_FIELDS))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, quieter in _TOO_TALKATIVE.items():
        logging.getLogger(name).setLevel(max(quieter, logging.getLevelName(level)))
