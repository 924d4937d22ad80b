"""Texts that a customer may send. Pure."""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can keep it: no U+0000, and no half of a surrogate pair."""
    return "\x00" not in text and (text.isascii() or not re.search("[\ud800-\udfff]", text))


def storable(text: str) -> str:
    """The text as PostgreSQL can keep it: what it cannot is replaced by U+FFFD."""
    return text if is_storable(text) else re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("must be Unicode text without the character U+0000")
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


def visible(text: str) -> str:
    """The text, lines and all, with what nobody sees spelled out: characters without a width, marks that turn lines."""
    return "".join(each if each.isprintable() or each in "\n\t" else f"\\u{ord(each):04x}" for each in text)
