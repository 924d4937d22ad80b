"""The mail catcher, over real SMTP."""

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from random import Random

import aiosmtplib
import pytest

from claw_dev.errors import StackError
from claw_dev.mailcatcher import MailCatcher, Mails
from claw_dev.ports import LOOPBACK, free_port


@pytest.fixture
async def port() -> int:
    return free_port(Random())


@pytest.fixture
async def catcher(directory: Path, port: int) -> AsyncIterator[MailCatcher]:
    async with MailCatcher(directory / "mail", port) as running:
        yield running


def welcome(to: str = "ada@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Claw <hello@claw.localhost>"
    message["To"] = to
    message["Subject"] = "Grüße, Ada"
    message.set_content("Hello.\n.\nA line with one dot came before this one.\n")
    message.add_alternative("<p>Hello</p>", subtype="html")
    return message


async def send(port: int, message: EmailMessage, **options: object) -> None:
    await aiosmtplib.send(message, hostname=LOOPBACK, port=port, start_tls=False, **options)  # type: ignore[arg-type]


async def test_a_mail_is_kept_as_it_was_sent(catcher: MailCatcher, port: int) -> None:
    await send(port, welcome())

    (mail,) = catcher.mails.all()
    assert mail.recipients == ("ada@example.com",)
    assert mail.subject == "Grüße, Ada"
    assert mail.text == "Hello.\n.\nA line with one dot came before this one.\n"
    assert mail.html == "<p>Hello</p>\n"


async def test_the_envelope_counts_and_not_the_headers(catcher: MailCatcher, port: int) -> None:
    await send(port, welcome("everybody@example.com"), recipients=["a@example.com", "b@example.com"])

    (mail,) = catcher.mails.all()
    assert mail.recipients == ("a@example.com", "b@example.com")


async def test_waiting_returns_as_soon_as_the_mail_has_come(catcher: MailCatcher, port: int) -> None:
    await send(port, welcome("somebody.else@example.com"))
    waiting = asyncio.create_task(catcher.mails.to("ada@example.com"))

    await send(port, welcome())

    assert (await waiting).recipients == ("ada@example.com",)


async def test_a_mail_that_does_not_come_is_a_clear_error(catcher: MailCatcher, port: int) -> None:
    await send(port, welcome("somebody.else@example.com"))

    with pytest.raises(StackError, match="has not come within 0 s; 1 others"):
        await catcher.mails.to("ada@example.com", timeout=0)


async def test_mails_are_read_in_the_order_in_which_they_came(catcher: MailCatcher, port: int) -> None:
    for number in range(3):
        await send(port, welcome(f"{number}@example.com"))

    assert [mail.recipients for mail in catcher.mails.all()] == [(f"{number}@example.com",) for number in range(3)]


async def test_a_mail_that_is_too_large_is_refused(catcher: MailCatcher, port: int) -> None:
    message = welcome()
    message.add_attachment(b"x" * 11 * 2**20, maintype="application", subtype="octet-stream")

    with pytest.raises(aiosmtplib.SMTPException):
        await send(port, message)

    assert catcher.mails.all() == []


async def test_a_port_that_is_taken_is_a_clear_error(catcher: MailCatcher, port: int, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=f"cannot listen on port {port}"):
        await MailCatcher(tmp_path, port).start()


async def test_a_stopped_catcher_takes_nothing_more_and_can_be_stopped_again(directory: Path, port: int) -> None:
    async with MailCatcher(directory, port) as catcher:
        await catcher.stop()

        with pytest.raises(aiosmtplib.SMTPConnectError):
            await send(port, welcome())


def test_no_mails_are_no_error(tmp_path: Path) -> None:
    assert Mails(tmp_path / "nothing").all() == []
