"""What stands in a mail, and what can never get into one."""

import email
import email.policy
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage

import pytest

from claw_webhook.mail import MailRefused, Welcome, compose_welcome
from tests.unit.webhook.test_cleaning import HOSTILE_NAMES

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINK = "https://claw.example/keys/" + "t" * 43


def composed(*, address: str = "ada@example.com", name: str | None = "Ada Lovelace") -> EmailMessage:
    """The mail after a journey over the wire."""
    message = compose_welcome(
        Welcome(email=address, name=name, assistant_url="https://ada.example", key_link=LINK),
        sender=Address("Claw", addr_spec="hello@claw.example"),
        message_id="welcome.uid-1",
        now=NOW,
    )
    return email.message_from_bytes(message.as_bytes(), policy=email.policy.SMTP)


def bodies(message: EmailMessage) -> tuple[str, str]:
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return str(text.get_content()), str(html.get_content())


def test_the_welcome_mail_is_text_and_html_and_says_the_same_in_both() -> None:
    message = composed()
    assert message.get_content_type() == "multipart/alternative"
    assert (message["From"], message["To"]) == ("Claw <hello@claw.example>", "ada@example.com")
    assert message["Subject"] == "Your Claw assistant is ready"
    assert message["Message-ID"] == "<welcome.uid-1@claw.example>"
    for body in bodies(message):
        assert "Hello Ada Lovelace," in body
        assert "https://ada.example/api/chat" in body
        assert LINK in body
        assert "7" in body


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com\r\nBcc: all@example.com",
        "ada@example.com\nSubject: won",
        "ada@example.com\u2028Bcc: x@example.com",
        "ada\x00@example.com",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
        "",
        "@",
    ],
)
def test_an_address_that_forges_headers_is_refused(address: str) -> None:
    with pytest.raises(MailRefused) as refused:
        composed(address=address)
    assert not address or address not in str(refused.value)


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: ascii(name)[:30])
def test_a_hostile_name_changes_neither_headers_nor_markup(name: str) -> None:
    message = composed(name=name)
    assert sorted(message.keys()) == sorted(composed().keys())
    text, html = bodies(message)
    assert "<script" not in html
    assert "{{" not in html
    if "Hello," in text:
        assert text.splitlines()[0] == "Hello,"


def test_without_a_name_the_greeting_is_neutral() -> None:
    text, html = bodies(composed(name=None))
    assert text.splitlines()[0] == "Hello,"
    assert "Hello, good to have you here" in html
