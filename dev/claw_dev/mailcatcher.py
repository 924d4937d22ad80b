"""The mail catcher: takes every mail over SMTP and keeps it as an `.eml` file, which any mail program opens.

The catcher runs inside the stack. Reading goes through the files alone, so another process may wait for a mail too.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from claw_dev.errors import StackError
from claw_dev.ports import LOOPBACK

_LARGEST_MAIL = 10 * 2**20
_LOOK_AGAIN = 0.05
_SENT_TO = "X-Envelope-To"
_SENT_BY = "X-Envelope-From"


@dataclass(frozen=True)
class Mail:
    """One mail as it was handed over."""

    path: Path
    message: EmailMessage

    @property
    def recipients(self) -> tuple[str, ...]:
        """Whom the envelope names, which is who would get it, whatever the headers say."""
        return tuple(self.message.get_all(_SENT_TO, ()))

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain-text body; empty if it has none."""
        return self._body("plain")

    @property
    def html(self) -> str:
        """The HTML body; empty if it has none."""
        return self._body("html")

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        # Mails travel with CRLF; whoever reads one means lines.
        return str(part.get_content()).replace("\r\n", "\n") if part else ""


@dataclass(frozen=True)
class Mails:
    """The mails in a directory, oldest first."""

    directory: Path

    def all(self) -> list[Mail]:
        """Every mail that has come so far."""
        return [_read(path) for path in sorted(self.directory.glob("*.eml"))]

    async def wait(self, matches: Callable[[Mail], bool], *, timeout: float = 10) -> Mail:  # noqa: ASYNC109 -- part of the message
        """The first mail that matches, as soon as it is there. Raises StackError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        seen: set[Path] = set()
        while True:
            for path in sorted(set(self.directory.glob("*.eml")) - seen):
                seen.add(path)
                mail = await asyncio.to_thread(_read, path)
                if matches(mail):
                    return mail
            if time.monotonic() >= deadline:
                raise StackError(
                    f"the mail has not come within {timeout:.0f} s; {len(seen)} others are in {self.directory}"
                )
            await asyncio.sleep(_LOOK_AGAIN)

    async def to(self, address: str, *, timeout: float = 10) -> Mail:  # noqa: ASYNC109 -- as above
        """The first mail to this address, as soon as it is there. Raises StackError after `timeout` seconds."""
        return await self.wait(lambda mail: address in mail.recipients, timeout=timeout)


class MailCatcher:
    """The SMTP server. Use as an async context manager."""

    def __init__(self, directory: Path, port: int) -> None:
        self.mails = Mails(directory)
        self.url = f"smtp://{LOOPBACK}:{port}"
        self._port = port
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "MailCatcher":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Take mails from now on. Raises StackError when the port is taken."""
        self.mails.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._session, LOOPBACK, self._port)
        except OSError as error:
            raise StackError(f"the mail catcher cannot listen on port {self._port}: {error}") from error

    async def stop(self) -> None:
        """Take no more mails; those that have come stay."""
        if self._server is not None:
            # Without wait_closed: a client that keeps its connection open must not keep the stack from ending.
            self._server.close()
            self._server = None

    def _session(self) -> SMTP:
        loop = asyncio.get_running_loop()
        return SMTP(self, loop=loop, hostname="claw.local", data_size_limit=_LARGEST_MAIL, enable_SMTPUTF8=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep one mail; called by aiosmtpd."""
        content = envelope.original_content or b""
        await asyncio.to_thread(self._keep, envelope.mail_from or "", list(envelope.rcpt_tos), content)
        return "250 OK"

    def _keep(self, sender: str, recipients: list[str], content: bytes) -> None:
        headers = "".join(f"{_SENT_TO}: {recipient}\r\n" for recipient in recipients) + f"{_SENT_BY}: {sender}\r\n"
        path = self.mails.directory / f"{next(self._numbers):04d}.eml"
        draft = path.with_suffix(".draft")
        draft.write_bytes(headers.encode() + content)
        # Whoever waits must never read half a mail.
        os.replace(draft, path)


def _read(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    return Mail(path, message)
