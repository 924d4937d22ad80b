"""What a file can hold, and how two contents are told apart. Pure."""

import hashlib

from claw_runtime.problems import BODY_TOO_LARGE, INVALID_REQUEST, Problem
from claw_runtime.text import is_storable

MAX_CHARACTERS = 200_000
"""In one file."""
MAX_FILES = 2_000
MAX_BYTES = 20_000_000
"""In all files together."""


class ContentTooLarge(Problem):
    """The content is longer than MAX_CHARACTERS."""

    def __init__(self, path: str) -> None:
        super().__init__(BODY_TOO_LARGE, f"{path} can hold {MAX_CHARACTERS:,} characters.")


class InvalidContent(Problem):
    """The content is no text that PostgreSQL can keep."""

    def __init__(self, path: str) -> None:
        super().__init__(INVALID_REQUEST, f"{path} can hold Unicode text without the character U+0000.")


def refuse_content(path: str, content: str) -> None:
    """Raises ContentTooLarge, InvalidContent."""
    if len(content) > MAX_CHARACTERS:
        raise ContentTooLarge(path)
    if not is_storable(content):
        raise InvalidContent(path)


def etag_of(content: str) -> str:
    """The same for the same content, wherever it is."""
    return hashlib.sha256(content.encode()).hexdigest()[:32]
