"""The way to the mail server: encrypted where it can be, and never to one whose certificate is not trusted."""

import asyncio
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from claw_dev.certificates import Certificates
from claw_webhook.mails.mail import MailSender, MailUnavailable
from claw_webhook.settings import MailServer
from tests.integration.webhook.outside import LOOPBACK


@dataclass
class Taker:
    """What a mail server was told, and how."""

    mails: list[EmailMessage] = field(default_factory=list)
    ciphers: list[str | None] = field(default_factory=list)
    passwords: list[LoginPassword] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.SMTP))
        assert server.transport is not None
        tls = server.transport.get_extra_info("cipher")
        self.ciphers.append(tls[1] if tls else None)
        return "250 taken"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any
    ) -> AuthResult:
        self.passwords.append(login)
        return AuthResult(success=login == LoginPassword(b"mailer", b"geheim"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.write(datetime.now(UTC))
    return made


@pytest.fixture(scope="module")
def tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)
    return context


@asynccontextmanager
async def taking(
    *, smtps: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> AsyncIterator[Taker]:
    """A mail server that speaks TLS from the first byte, after STARTTLS, or never."""
    taker = Taker()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            taker,
            hostname="mail.test",
            tls_context=starttls,
            authenticator=taker.authenticate,
            auth_require_tls=False,  # so that the test sees a password that comes in the open
        ),
        LOOPBACK,
        0,
        ssl=smtps,
    )
    taker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield taker


def sender(url: str, ca_file: Path | None = None) -> MailSender:
    return MailSender(MailServer.parse(url), local_hostname="claw.example", ca_file=ca_file)


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hello@claw.example", "ada@example.com", "Hello"
    message.set_content("Hello")
    return message


async def test_smtps_is_encrypted_from_the_first_byte(certificates: Certificates, tls: ssl.SSLContext) -> None:
    async with taking(smtps=tls) as taker:
        await sender(f"smtps://mailer:geheim@127.0.0.1:{taker.port}", certificates.ca).send(mail())
    assert [message["Subject"] for message in taker.mails] == ["Hello"]
    assert taker.ciphers == ["TLSv1.3"]
    assert taker.passwords == [LoginPassword(b"mailer", b"geheim")]


@pytest.mark.parametrize("user", ["", "mailer:geheim@"])
async def test_starttls_is_used_where_it_is_offered(certificates: Certificates, tls: ssl.SSLContext, user: str) -> None:
    async with taking(starttls=tls) as taker:
        await sender(f"smtp://{user}127.0.0.1:{taker.port}", certificates.ca).send(mail())
    assert taker.ciphers == ["TLSv1.3"]
    assert len(taker.passwords) == (1 if user else 0)


async def test_without_a_password_a_mail_also_goes_to_a_server_that_has_no_tls() -> None:
    async with taking() as taker:
        await sender(f"smtp://127.0.0.1:{taker.port}").send(mail())
    assert taker.ciphers == [None]


async def test_a_password_never_travels_in_the_open() -> None:
    async with taking() as taker:
        with pytest.raises(MailUnavailable):
            await sender(f"smtp://mailer:geheim@127.0.0.1:{taker.port}").send(mail())
    assert (taker.mails, taker.passwords) == ([], [])


async def test_a_certificate_of_an_unknown_authority_gets_neither_mail_nor_password(tls: ssl.SSLContext) -> None:
    async with taking(smtps=tls) as smtps, taking(starttls=tls) as starttls:
        for url in (
            f"smtps://mailer:geheim@127.0.0.1:{smtps.port}",
            f"smtp://mailer:geheim@127.0.0.1:{starttls.port}",
            f"smtp://127.0.0.1:{starttls.port}",
        ):
            with pytest.raises(MailUnavailable):
                await sender(url).send(mail())
        for taker in (smtps, starttls):
            assert (taker.mails, taker.passwords) == ([], [])
