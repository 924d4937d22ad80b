"""Mails: composed so that nothing a customer typed can become a header or markup, and handed to the mail server."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib

import claw_templates
from claw_webhook.cleaning import greeting_name, is_plain
from claw_webhook.links import LIFETIME
from claw_webhook.settings import MailServer

_PATIENCE_SECONDS = 20


class MailRefused(Exception):
    """It can never be delivered: the address is no address, or its mail server knows nobody of that name."""


class MailUnavailable(Exception):
    """The mail server did not take it, and may do so later."""


@dataclass(frozen=True)
class Welcome:
    """The mail that tells a customer where the new assistant is."""

    email: str
    name: str | None
    assistant_url: str
    key_link: str
    """The one-time link that shows the API key. The key itself is in no mail."""


def compose_welcome(welcome: Welcome, *, sender: Address, message_id: str, now: datetime) -> EmailMessage:
    """The mail as text and HTML. Raises MailRefused when the address cannot stand in a header."""
    message = EmailMessage(policy=SMTP)
    try:
        if not is_plain(welcome.email):
            raise MailRefused("the customer's address holds control characters")
        message["From"] = sender
        message["To"] = Address(addr_spec=welcome.email)
        message["Subject"] = "Your Claw assistant is ready"
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{message_id}@{sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
    except (ValueError, IndexError, HeaderParseError, MessageError) as error:
        raise MailRefused("the customer's address cannot stand in a header") from error
    words = {
        "customer": greeting_name(welcome.name),
        "url": welcome.assistant_url,
        "key_link": welcome.key_link,
        "days": LIFETIME.days,
        "sender": sender.addr_spec,
    }
    message.set_content(claw_templates.render("email/welcome.txt.j2", **words))
    message.add_alternative(claw_templates.render("email/welcome.html.j2", **words), subtype="html")
    return message


class MailSender:
    """Hands mails to one server."""

    def __init__(self, server: MailServer, *, local_hostname: str) -> None:
        self._server = server
        self._local_hostname = local_hostname  # given, because looking it up would block the loop

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
