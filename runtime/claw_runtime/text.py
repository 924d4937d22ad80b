"""Texts that a customer may send. Pure."""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character U+0000")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be valid Unicode")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""What PostgreSQL can keep."""

Words = Annotated[Text, AfterValidator(_not_blank)]
"""A text that says something: the model refuses blank messages."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Of an agent."""


def headline(text: str, limit: int = 80) -> str:
    """The first line that says something, shortened, without control characters."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    flat = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", " ", first).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"
