"""Reading: what was fetched becomes text, in pieces that a model can take in.

HTML is read by a process of its own, see `extraction.py`: it cannot harm this one, and its memory goes with it. Texts
and JSON are taken as they are. For everything else the model is told what it is, so that it can tell the customer.
"""

import asyncio
import codecs
import contextlib
import json
import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from claw_runtime.web.extraction import MAX_TEXT, cleaned
from claw_runtime.web.fetching import Fetched

log = logging.getLogger(__name__)

EXTRACTION = (sys.executable, "-I", "-m", "claw_runtime.web.extraction")
READING_SECONDS = 12.0
MAX_READERS = 2
"""Pages that are read at the same time: each is a process."""

_HTML = {"text/html", "application/xhtml+xml"}
_TEXTS = {
    *("application/json", "application/ld+json", "application/x-ndjson", "application/xml", "application/rss+xml"),
    *("application/atom+xml", "application/javascript", "application/yaml", "application/x-yaml", "application/toml"),
}
_MARKUP = re.compile(rb"\s*(?:<\?xml.*?\?>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_CHARSET = re.compile(
    r"(us-)?ascii|utf-?(8|16|32)(-?[lb]e)?|(iso-?8859|windows|cp|koi8|euc|gb|big5|iso-?2022|latin|shift)[\w-]*|sjis"
)
"""Encodings of texts. Python knows others that are no such thing, and some of them take very long."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CALLED = (
    ("application/pdf", "a PDF"),
    ("image/", "a picture"),
    ("audio/", "a sound"),
    ("video/", "a film"),
    ("font/", "a font"),
    ("application/zip", "an archive"),
    ("application/gzip", "an archive"),
    ("application/vnd.openxmlformats", "an Office document"),
    ("application/msword", "an Office document"),
    ("application/vnd.ms-", "an Office document"),
)


class Unreadable(Exception):
    """What was fetched is not something to read. Its text says what it is, for the model."""


class _Extract(BaseModel):
    """What the reading process answers. It has touched a stranger's bytes: it is believed no more than they are."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str = ""
    description: str = ""
    text: str = ""
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Page:
    """What there is to read at an address."""

    url: str
    status: int
    title: str
    description: str
    text: str
    links: tuple[tuple[str, str], ...]
    """Name and address."""
    complete: bool


@dataclass(frozen=True)
class Piece:
    """A part of a text. `end` is where the next one begins."""

    text: str
    start: int
    end: int
    total: int


class Reader:
    """Reads what was fetched, a few pages at the same time."""

    def __init__(self, extraction: Sequence[str] = EXTRACTION, seconds: float = READING_SECONDS) -> None:
        self._extraction = extraction
        self._seconds = seconds
        self._abreast = asyncio.Semaphore(MAX_READERS)

    async def read(self, fetched: Fetched) -> Page:
        """The page. Raises Unreadable."""
        kind = kind_of(fetched)
        if kind == "html":
            found = await self._extract(fetched)
            text = found.text[:MAX_TEXT]
        else:
            found, text = _Extract(), cleaned(decoded(fetched)[:MAX_TEXT])
        complete = fetched.complete and len(text) < MAX_TEXT
        return Page(fetched.url, fetched.status, found.title, found.description, text, found.links, complete)

    async def _extract(self, fetched: Fetched) -> _Extract:
        told = json.dumps({"url": fetched.url, "charset": fetched.charset}).encode()
        async with self._abreast:
            answer = await self._run(told + b"\n" + fetched.body)
        try:
            return _Extract.model_validate_json(answer)
        except ValidationError:
            # It hit its limits, or found a bug. Which page that was is the customer's business.
            log.warning("a page could not be read", extra={"bytes": len(fetched.body)})
            raise Unreadable("This page is built in a way that cannot be read.") from None

    async def _run(self, given: bytes) -> bytes:
        """What the reading process says, which is nothing when it fails."""
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._extraction, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env={}
            )
        except OSError:  # no memory for another process, or too many of them
            log.exception("the reading process cannot be started")
            raise Unreadable("Pages cannot be read at the moment. Try again in a minute.") from None
        try:
            async with asyncio.timeout(self._seconds):
                answer, _ = await process.communicate(given)
        except TimeoutError:
            return b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return answer


def kind_of(fetched: Fetched) -> str:
    """`html` or `text`. Raises Unreadable for everything else."""
    body, media_type = fetched.body, fetched.media_type
    if body.startswith(b"%PDF-"):
        media_type = "application/pdf"  # whatever its server calls it
    if media_type in _HTML:
        return "html"
    if media_type.startswith("text/") or media_type in _TEXTS or media_type.endswith(("+json", "+xml")):
        return "html" if media_type.endswith("xml") and _MARKUP.match(body[:1024]) else "text"
    if media_type in {"", "application/octet-stream"} and b"\0" not in body[:1024]:
        return "html" if _MARKUP.match(body[:1024]) else "text"
    called = next((name for start, name in _CALLED if media_type.startswith(start)), "something else")
    # In our words alone: what a server calls its type would reach the model as if the runtime had said it.
    raise Unreadable(f"This is {called}, not a page. Only web pages and texts can be read.")


def decoded(fetched: Fetched) -> str:
    """The body as text, whatever its server says about it. What cannot be read becomes �."""
    for mark, encoding in _MARKS:
        if fetched.body.startswith(mark):
            return fetched.body.decode(encoding, "replace")
    charset = fetched.charset or ""
    if _CHARSET.fullmatch(charset):
        with contextlib.suppress(LookupError, UnicodeError):
            return fetched.body.decode(charset, "replace")
    text = fetched.body.decode("utf-8", "replace")
    # The last letter may have been cut in two. Any other one that is not UTF-8 tells that none of it is.
    return fetched.body.decode("cp1252", "replace") if "\ufffd" in text[:-1] else text


def piece(text: str, offset: int, length: int) -> Piece:
    """What begins at `offset`, about `length` characters, ended where a paragraph, a line or a word ends. Pure."""
    start = min(offset, len(text))
    end = min(start + length, len(text))
    if end < len(text):
        least = start + length // 2
        breaks = (text.rfind(mark, least, end) + len(mark) for mark in ("\n\n", "\n", " ") if mark in text[least:end])
        end = next(breaks, end)
    return Piece(text[start:end], start, end, len(text))
