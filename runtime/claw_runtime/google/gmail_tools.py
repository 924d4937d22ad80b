"""The assistant's tools for mail. What strangers wrote is marked as such, and nothing leaves without the customer."""

import asyncio
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints

from claw_crds.resource import EMAIL
from claw_runtime.google.gmail import Gmail
from claw_runtime.google.mails import MAX_TEXT, Letter, Mail, words
from claw_runtime.google.showing import shown
from claw_runtime.text import Text, Words, headline, visible
from claw_runtime.tools import Proposal, Tool, ToolContext, ToolInput, ToolRefused, ToolResult

MAX_RECIPIENTS: Final = 10
_TOO_LONG: Final = "Keep the mail with gmail_draft: the customer reads it in Gmail, and sends it from there."


def _ascii(address: str) -> str:
    if not address.isascii():
        raise ValueError("must be an address in ASCII")
    return address


def _one_line(text: str) -> str:
    # A line break in a header begins the next header: Bcc, for example.
    if any(ord(character) < 32 or character in "\x7f\x85\u2028\u2029" for character in text):
        raise ValueError("must be one line, without control characters")
    return text


Address = Annotated[str, StringConstraints(pattern=EMAIL), AfterValidator(_ascii)]
"""A bare address: `bob@example.com`, without a name."""
Addresses = Annotated[tuple[Address, ...], Field(max_length=MAX_RECIPIENTS)]
Line = Annotated[Text, StringConstraints(max_length=300), AfterValidator(_one_line)]
MailId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class GmailSearch(ToolInput):
    """Which mails."""

    query: Annotated[Text, StringConstraints(max_length=500)] = Field(
        description="As in Gmail's search field: from:bob subject:invoice newer_than:7d is:unread"
    )
    limit: int = Field(default=10, ge=1, le=25)


class GmailRead(ToolInput):
    """Which mail."""

    id: MailId = Field(description="As gmail_search gives it.")


class GmailWrite(ToolInput):
    """A mail."""

    to: Addresses = Field(default=(), description="Bare addresses. In a reply, empty means whoever wrote.")
    cc: Addresses = ()
    subject: Line = Field(default="", description="In a reply, empty means the same subject.")
    body: Annotated[Words, StringConstraints(max_length=50_000)] = Field(description="Plain text.")
    reply_to: MailId | None = Field(default=None, description="The id of the mail that this answers.")


def tools(gmail: Gmail) -> tuple[Tool[Any], ...]:
    """The tools for this mailbox."""
    mailbox = _Mailbox(gmail)
    return (
        Tool("gmail_search", "Find mails in the customer's Gmail.", "gmail", GmailSearch, mailbox.search),
        Tool("gmail_read", "Read one mail.", "gmail", GmailRead, mailbox.read),
        Tool(
            "gmail_draft",
            "Keep a mail as a draft in the customer's Gmail. It is not sent.",
            "gmail",
            GmailWrite,
            mailbox.draft,
            leaves=True,
            asks=True,
        ),
        Tool(
            "gmail_send",
            "Propose a mail. It is sent when the customer has confirmed it, and not before.",
            "gmail",
            GmailWrite,
            mailbox.send,
            seconds=60.0,
            leaves=True,
            asks=True,
            sources=frozenset({"chat"}),
        ),
    )


class _Mailbox:
    def __init__(self, gmail: Gmail) -> None:
        self._gmail = gmail

    async def search(self, _: ToolContext, asked: GmailSearch) -> ToolResult:
        found = await self._gmail.search(asked.query, asked.limit)
        if not found:
            return ToolResult("No mail fits.")
        return ToolResult("\n".join(_line(mail) for mail in found), untrusted=True)

    async def read(self, _: ToolContext, asked: GmailRead) -> ToolResult:
        mail = await self._gmail.read(asked.id)
        return ToolResult(await _told(mail), untrusted=True)

    async def draft(self, _: ToolContext, asked: GmailWrite) -> ToolResult:
        letter = await self._letter(asked)
        await self._gmail.draft(letter)
        return ToolResult("The draft is in Gmail. It was not sent.")

    async def send(self, context: ToolContext, asked: GmailWrite) -> ToolResult:
        letter = await self._letter(asked)
        if context.confirmed:
            await self._gmail.send(letter)
            # Without the subject: in a reply it is a stranger's words.
            return ToolResult(f"The mail to {', '.join(letter.to)} was sent.")
        others = f", cc {', '.join(letter.cc)}" if letter.cc else ""
        heading = f"Send the mail “{visible(letter.subject)}” to {', '.join(letter.to)}{others}:"
        summary = f"{heading}\n\n{shown(letter.text, _TOO_LONG)}"
        # Kept as it is now: what the customer confirms must not depend on what is in the mailbox by then.
        fixed = asked.model_copy(update={"to": tuple(letter.to), "subject": letter.subject})
        proposal = Proposal("gmail_send", fixed.model_dump(mode="json"), summary)
        return ToolResult("Nothing was sent yet: the customer has to confirm it.", proposal=proposal)

    async def _letter(self, asked: GmailWrite) -> Letter:
        """The mail, with what a reply takes from the mail that it answers. Raises ToolRefused."""
        answered = await self._gmail.read(asked.reply_to) if asked.reply_to is not None else None
        to, subject = tuple(asked.to), asked.subject
        if answered is not None:
            to = to or (_sender(answered),)
            subject = subject or _re(headline(answered.payload.header("Subject"), 280))
        if not to:
            raise ToolRefused("Name at least one address in `to`.")
        if len({*to, *asked.cc}) > MAX_RECIPIENTS:
            raise ToolRefused(f"A mail goes to {MAX_RECIPIENTS} addresses at most.")
        return Letter(to, asked.cc, subject or "(no subject)", asked.body, answered)


def _sender(mail: Mail) -> str:
    from email.utils import parseaddr

    from pydantic import TypeAdapter, ValidationError

    address = parseaddr(mail.payload.header("Reply-To") or mail.payload.header("From"))[1]
    try:
        return TypeAdapter(Address).validate_python(address)
    except ValidationError:
        raise ToolRefused("The mail does not say properly who wrote it. Name an address in `to`.") from None


def _re(subject: str) -> str:
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"


def _line(mail: Mail) -> str:
    sender, subject = headline(mail.payload.header("From"), 120), headline(mail.payload.header("Subject"), 200)
    unread = " (unread)" if "UNREAD" in mail.label_ids else ""
    when = f"{mail.received_at:%Y-%m-%d %H:%M}"
    return f"[id {mail.id}] {when} {sender}: {subject or '(no subject)'}{unread}: {headline(mail.preview, 160)}"


async def _told(mail: Mail) -> str:
    said = words(mail.payload)
    text = await asyncio.to_thread(_plain, said.text[: MAX_TEXT * 8]) if said.is_html else said.text
    heads = [f"{name}: {headline(mail.payload.header(name), 500)}" for name in ("From", "To", "Cc", "Subject", "Date")]
    lines = [head for head in heads if not head.endswith(": ")]
    if said.attachments:
        lines.append(f"Attachments, which were not opened: {'; '.join(said.attachments[:20])}")
    cut = f"\n(Cut here: the mail has {len(text):,} characters.)" if len(text) > MAX_TEXT else ""
    return "\n".join(lines) + f"\n\n{text[:MAX_TEXT]}{cut}"


def _plain(markup: str) -> str:
    """What a page of HTML says. In a thread: it takes milliseconds, and the library a moment to load."""
    from resiliparse.extract.html2text import extract_plain_text

    return str(extract_plain_text(markup, main_content=False, alt_texts=True, links=True))
