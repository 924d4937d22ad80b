"""What a mail says, and how one is written. Pure.

A mail is what a stranger made: parts within parts, any charset or none, HTML instead of text, names of files that are
orders. It is read for its words; attachments are named and never opened.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

MAX_TEXT: Final = 16_000
"""Characters of a mail that are read."""
MAX_DEPTH: Final = 12
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")


class GoogleModel(BaseModel):
    """An answer of Google's: camelCase, with more members than we know."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, defer_build=True
    )


class Header(GoogleModel):
    """One header of a part."""

    name: str = ""
    value: str = ""


class Body(GoogleModel):
    """A part's content, or where it is."""

    data: str = Field(default="", repr=False)
    size: int = 0
    attachment_id: str = ""


class Part(GoogleModel):
    """A mail, or a part of one."""

    mime_type: str = ""
    filename: str = ""
    headers: tuple[Header, ...] = ()
    body: Body = Body()
    parts: "tuple[Part, ...]" = ()

    def header(self, name: str) -> str:
        """The first header of this name, on one line; empty when there is none."""
        found = next((header.value for header in self.headers if header.name.lower() == name.lower()), "")
        return " ".join(found.split())


class Mail(GoogleModel):
    """A mail as Gmail tells it."""

    id: str
    thread_id: str = ""
    label_ids: tuple[str, ...] = ()
    snippet: str = ""
    internal_date: int = 0
    payload: Part = Part()

    @property
    def received_at(self) -> datetime:
        """When it came, by Google's clock."""
        return datetime.fromtimestamp(self.internal_date / 1000, UTC)

    @property
    def preview(self) -> str:
        """Its first words, without entities."""
        return html.unescape(self.snippet)


@dataclass(frozen=True)
class Words:
    """What a mail says."""

    text: str
    attachments: tuple[str, ...]
    is_html: bool = False
    """Whether the text is still HTML: nobody sent a plain version."""


def words(payload: Part) -> Words:
    """The words of a mail: the plain version where there is one."""
    plain, rich, attachments = list[str](), list[str](), list[str]()
    for part in _parts(payload):
        if part.filename or part.body.attachment_id:
            kilobytes = max(1, round(part.body.size / 1000))
            attachments.append(f"{' '.join(part.filename.split())[:120] or 'without a name'} ({kilobytes:,} kB)")
        elif part.mime_type == "text/plain":
            plain.append(_decoded(part))
        elif part.mime_type == "text/html":
            rich.append(_decoded(part))
    if any(text.strip() for text in plain):
        return Words("\n".join(plain), tuple(attachments))
    return Words("\n".join(rich), tuple(attachments), is_html=bool(rich))


def _parts(part: Part, depth: int = 0) -> Iterator[Part]:
    yield part
    if depth < MAX_DEPTH:
        for inner in part.parts:
            yield from _parts(inner, depth + 1)


def _decoded(part: Part) -> str:
    """The text of a part, whatever it says of its charset: UTF-8 where that fits, since Gmail mostly converts."""
    try:
        content = base64.b64decode(part.body.data + "=" * (-len(part.body.data) % 4), altchars=b"-_")
    except (binascii.Error, ValueError):
        return ""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        declared = re.search(r"charset=\"?([\w.:-]{1,40})", part.header("Content-Type"), re.IGNORECASE)
    try:
        return content.decode(declared[1] if declared else "latin-1", "replace")
    except (LookupError, ValueError):  # Python has codecs that are no charsets, and some that do not take "replace"
        return content.decode("latin-1")


@dataclass(frozen=True)
class Letter:
    """A mail to be written. Its addresses and its subject are one line each: see gmail_tools.py."""

    to: Sequence[str]
    cc: Sequence[str]
    subject: str
    text: str
    reply_to: Mail | None = None

    @property
    def thread_id(self) -> str | None:
        """The conversation that it continues. With another subject it begins one: Gmail wants them to match."""
        if self.reply_to is None or _topic(self.subject) != _topic(self.reply_to.payload.header("Subject")):
            return None
        return self.reply_to.thread_id or None

    def raw(self, sender: str) -> str:
        """As Gmail takes it: RFC 5322 in base64url. Raises ValueError when a header could hold another one."""
        from email.message import EmailMessage
        from email.policy import SMTP

        message = EmailMessage(policy=SMTP)
        message["From"] = sender
        message["To"] = ", ".join(self.to)
        if self.cc:
            message["Cc"] = ", ".join(self.cc)
        message["Subject"] = self.subject
        if self.reply_to is not None:
            earlier = self.reply_to.payload
            # Of a stranger's headers only what looks like ids is repeated.
            ids = _MESSAGE_ID.findall(earlier.header("Message-ID"))[:1]
            if ids:
                message["In-Reply-To"] = ids[0]
                message["References"] = " ".join([*_MESSAGE_ID.findall(earlier.header("References"))[-10:], *ids])
        message.set_content(self.text)
        return base64.urlsafe_b64encode(message.as_bytes()).decode()


def _topic(subject: str) -> str:
    """A subject without the marks that replies put before it."""
    return re.sub(r"^(?:(?:re|aw|fwd?)\s*:\s*)+", "", " ".join(subject.split()), flags=re.IGNORECASE).lower()
