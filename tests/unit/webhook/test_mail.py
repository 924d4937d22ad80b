"""What stands in a mail, and what can never get into one."""

import email
import email.policy
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage

import pytest

from claw_webhook.mails.letters import Facts, letter
from claw_webhook.mails.mail import MailRefused, compose
from tests.unit.webhook.test_cleaning import HOSTILE_NAMES
from tests.unit.webhook.test_letters import ACCOUNT, CAUSES, LINK, NOW, facts


def composed(about: Facts | None = None, *, address: str = "ada@example.com") -> EmailMessage:
    """The mail after a journey over the wire."""
    about = about or facts("welcome")
    written = letter(about, link=LINK, link_until=NOW + timedelta(days=7), account=ACCOUNT, now=NOW)
    sender = Address("Claw", addr_spec="hello@claw.example")
    message = compose(written, address=address, sender=sender, message_id=f"{about.cause}.1", now=NOW)
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
    assert message["Message-ID"] == "<welcome.1@claw.example>"
    text, html = bodies(message)
    assert text.startswith("Hello Ada Lovelace,")
    assert "Hello Ada Lovelace, good to have you here" in html
    for body in (text, html):
        assert "https://ada.example/api/chat" in body
        assert LINK in body
        assert "Sunday, 29 November 2026" in " ".join(body.split())


@pytest.mark.parametrize("cause", CAUSES)
def test_every_mail_has_one_button_which_its_text_has_as_a_link(cause: str) -> None:
    text, html = bodies(composed(facts(cause)))
    assert html.count('class="button"') == 1
    assert f'href="{LINK}"' in html
    assert f"    {LINK}\r\n" in text


@pytest.mark.parametrize("cause", CAUSES)
def test_the_text_of_a_mail_has_lines_that_every_program_shows_whole(cause: str) -> None:
    text, _ = bodies(composed(facts(cause)))
    assert [line for line in text.splitlines() if len(line) > 76] == []
    assert "\r\n\r\n\r\n" not in text


@pytest.mark.parametrize("cause", CAUSES)
def test_no_mail_can_be_unsubscribed_from_because_each_is_about_a_contract(cause: str) -> None:
    message = composed(facts(cause))
    assert message["Auto-Submitted"] == "auto-generated"
    assert [name for name in message if name.startswith("List-")] == []


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
    message = composed(facts("welcome", name=name))
    assert sorted(message.keys()) == sorted(composed().keys())
    text, html = bodies(message)
    assert "<script" not in html
    assert "{{" not in html
    if "Hello," in text:
        assert text.splitlines()[0] == "Hello,"


def test_without_a_name_the_greeting_is_neutral() -> None:
    text, html = bodies(composed(facts("welcome", name=None)))
    assert text.splitlines()[0] == "Hello,"
    assert "Hello, good to have you here" in html
