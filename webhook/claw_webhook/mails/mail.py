"""Mails: composed so that nothing a customer typed can become a header or markup, and handed to the mail server.

No mail carries `List-Unsubscribe`. Each of them is about a contract or about data that is going to be deleted: it comes
once, because something happened, and nobody may miss it. A header that offers to stop them (RFC 8058: with one click,
which mail programs offer beside "spam") would have to be honoured, and then the warning before a deletion would not
come. It belongs to the first mail that is sent because *we* want something, together with a way to refuse those.
"""

import asyncio
import ssl
import textwrap
from datetime import datetime
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

import aiosmtplib

import claw_templates
from claw_webhook.cleaning import is_plain
from claw_webhook.mails.letters import Letter
from claw_webhook.settings import MailServer

_PATIENCE_SECONDS = 20
_LINE = 76


class MailRefused(Exception):
    """It can never be delivered: the address is no address, or its mail server knows nobody of that name."""


class MailUnavailable(Exception):
    """The mail server did not take it, and may do so later."""


def compose(letter: Letter, *, address: str, sender: Address, message_id: str, now: datetime) -> EmailMessage:
    """The mail as text and HTML. Raises MailRefused when the address cannot stand in a header."""
    message = EmailMessage(policy=SMTP)
    try:
        if not is_plain(address):
            raise MailRefused("the customer's address holds control characters")
        message["From"] = sender
        message["To"] = Address(addr_spec=address)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{message_id}@{sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
    except (ValueError, IndexError, HeaderParseError, MessageError) as error:
        raise MailRefused("the customer's address cannot stand in a header") from error
    words = {**letter.words, "subject": letter.subject, "sender": sender.addr_spec}
    message.set_content(_wrapped(claw_templates.render(f"email/{letter.template}.txt.j2", **words)))
    message.add_alternative(claw_templates.render(f"email/{letter.template}.html.j2", **words), subtype="html")
    return message


def _wrapped(text: str) -> str:
    """Paragraphs in lines of equal length, whatever was filled in; what is indented or quoted stays as it is."""
    paragraphs = (
        paragraph
        if paragraph.startswith((" ", ">"))
        else textwrap.fill(paragraph, _LINE, break_long_words=False, break_on_hyphens=False)
        for paragraph in text.split("\n\n")
    )
    return "\n\n".join(paragraphs) + "\n"


class MailSender:
    """Hands mails to one server. `ca_file` holds the authorities to trust instead of the machine's, as PEM."""

    def __init__(self, server: MailServer, *, local_hostname: str, ca_file: Path | None = None) -> None:
        self._server = server
        self._local_hostname = local_hostname  # given, because looking it up would block the loop
        self._tls = ssl.create_default_context(cafile=ca_file)

    async def send(self, message: EmailMessage) -> None:
        """Hand it over. Raises MailRefused, MailUnavailable; after the latter it may have left all the same."""
        server = self._server
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await aiosmtplib.send(
                    message,
                    hostname=server.host,
                    port=server.port,
                    username=server.username,
                    password=server.password,
                    use_tls=server.tls,
                    # A password never travels in the open; without one, STARTTLS if the server has it.
                    start_tls=True if server.username and not server.tls else None,
                    tls_context=self._tls,
                    local_hostname=self._local_hostname,
                    timeout=_PATIENCE_SECONDS,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {refused.code for refused in error.recipients}
            if all(500 <= code < 600 for code in codes):
                raise MailRefused(f"the mail server refuses the customer's address ({_listed(codes)})") from error
            raise MailUnavailable(f"the mail server does not take the address now ({_listed(codes)})") from error
        except UnicodeError as error:
            raise MailRefused("the mail server does not take addresses that are not ASCII") from error
        except aiosmtplib.SMTPResponseException as error:
            raise MailUnavailable(f"the mail server answered {error.code}") from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise MailUnavailable(f"the mail server cannot be used: {type(error).__name__}") from error


def _listed(codes: set[int]) -> str:
    return ", ".join(map(str, sorted(codes)))
