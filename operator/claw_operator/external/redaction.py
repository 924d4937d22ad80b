"""What somebody else said, made fit for a message: one line, short, without anything that looks like a secret.

What looks like a secret is taken out rather than what is known to be one: nobody knows what an error page repeats.
"""

import re

_READ = 4000  # characters; what follows in a long page tells nothing more
_SECRETS = (
    (re.compile(r"://[^/@\s]+@"), "://***@"),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:authorization|bearer|password|passwd|secret|token|api[-_]?key)[\w-]*)"
            r"(['\"]*\s*[:= ]\s*['\"]*)(?:bearer\s+)?[^\s'\"&,;}]+"
        ),
        r"\1\2***",
    ),
    # Long words with a digit in them, and very long ones without.
    (re.compile(r"(?<![\w-])(?=[\w-]*\d)[\w-]{24,}|[\w-]{40,}"), "***"),
)
# For the provider's support, and another one each time: a message that holds it is never the same twice.
_REQUEST_ID = re.compile(r'(?i)"(?:trace|request)_?id"\s*:\s*"[^"]*"')
_PAGE = re.compile(r"(?i)^\s*(<!doctype html|<html|<head|<body)")
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")


def redacted(text: str, limit: int = 200) -> str:
    """The text in one line of at most `limit` characters."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def shown(body: bytes) -> str:
    """The body of an answer for a message. Of an HTML page only the title: the rest holds ids and times."""
    text = body[: 4 * _READ].decode(errors="replace")[:_READ]
    if not _PAGE.match(text):
        return redacted(_REQUEST_ID.sub('"id": "***"', text))
    title = _TITLE.search(text)
    return redacted(title[1]) if title else "an HTML page"
