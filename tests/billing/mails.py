"""A mail server that only counts. Mails are told apart by their Message-ID, and not read any further."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiosmtpd.smtp import SMTP, Envelope, Session

from claw_dev.ports import LOOPBACK

_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Mailbox:
    """Everybody's."""

    def __init__(self) -> None:
        self.url = ""
        self.mails: Counter[bytes] = Counter()
        """How often each came. More than once only if the process was killed between sending it and noting that."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        found = _ID.search(content)
        assert found is not None, content[:300]
        self.mails[found[1]] += 1
        return "250 taken"


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """One behind a server on a free port."""
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, enable_SMTPUTF8=True, hostname="mail.test"), LOOPBACK, 0)
    box.url = f"smtp://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield box
