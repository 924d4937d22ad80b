"""What a mail says, and what is written into one."""

import base64
import email
import email.policy
from typing import Any

import pytest

from claw_runtime.google.mails import MAX_DEPTH, Letter, Mail, Part, words


def part(kind: str, text: str | bytes = "", **members: Any) -> dict[str, Any]:
    content = text.encode() if isinstance(text, str) else text
    data = base64.urlsafe_b64encode(content).decode()
    return {"mimeType": kind, "body": {"data": data, "size": len(content)}} | members


def said(payload: dict[str, Any]) -> str:
    return words(Part.model_validate(payload)).text


def written(letter: Letter) -> email.message.Message:
    raw = base64.urlsafe_b64decode(letter.raw("ada@example.com"))
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_the_plain_version_is_read_where_there_is_one() -> None:
    both = part("multipart/alternative", parts=[part("text/plain", "Hello"), part("text/html", "<p>Hello</p>")])
    assert said(both) == "Hello"


def test_a_blank_plain_version_is_none() -> None:
    both = part("multipart/alternative", parts=[part("text/plain", " \n"), part("text/html", "<p>Hello</p>")])
    found = words(Part.model_validate(both))
    assert found.is_html
    assert found.text == "<p>Hello</p>"


@pytest.mark.parametrize(
    ("content", "charset", "expected"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode(), "iso-8859-1", "Grüße"),  # Gmail has converted it, and left the header as it was
        ("Grüße".encode("iso-8859-1"), "iso-8859-1", "Grüße"),
        ("Grüße".encode("iso-8859-1"), "no-such-charset", "Grüße"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
    ],
)
def test_any_charset_is_read(content: bytes, charset: str, expected: str) -> None:
    headers = [{"name": "Content-Type", "value": f'text/plain; charset="{charset}"'}]
    assert said(part("text/plain", content, headers=headers)) == expected


@pytest.mark.parametrize("data", ["!!!", "a", "äöü", "=" * 9])
def test_a_body_that_is_no_base64_is_read_as_whatever_it_is_without_failing(data: str) -> None:
    assert isinstance(said({"mimeType": "text/plain", "body": {"data": data}}), str)


def test_attachments_are_named_and_not_read() -> None:
    attached = part("text/plain", "secret", filename="a\r\nb.txt")
    found = words(Part.model_validate(part("multipart/mixed", parts=[part("text/plain", "Hi"), attached])))
    assert found.text == "Hi"
    assert found.attachments == ("a b.txt (1 kB)",)


def test_a_mail_within_a_mail_within_a_mail_ends_somewhere() -> None:
    nested = part("text/plain", "deep")
    for _ in range(MAX_DEPTH + 5):
        nested = part("multipart/mixed", parts=[nested])
    assert said(nested) == ""


def test_a_mail_without_anything_is_read() -> None:
    assert said({}) == ""


def test_a_letter_has_the_headers_that_it_should_have_and_no_others() -> None:
    letter = Letter(("bob@example.com", "eve@example.com"), ("carol@example.com",), "Grüße", "Zeile\n.\nZeile")
    message = written(letter)
    assert message["To"] == "bob@example.com, eve@example.com"
    assert message["Cc"] == "carol@example.com"
    assert message["Subject"] == "Grüße"
    assert str(message.get_content()).split() == ["Zeile", ".", "Zeile"]  # type: ignore[attr-defined]  # EmailMessage's
    assert message["Bcc"] is None


@pytest.mark.parametrize("subject", ["Hi\r\nBcc: eve@example.com", "Hi\nX", "Hi\rX"])
def test_a_header_within_a_header_is_never_written(subject: str) -> None:
    with pytest.raises(ValueError, match=r"linefeed|carriage return|newline"):
        Letter(("bob@example.com",), (), subject, "Hi").raw("ada@example.com")


def test_of_a_strangers_headers_only_ids_are_repeated() -> None:
    headers = [
        {"name": "Message-ID", "value": "<one@example.com> Bcc: eve@example.com"},
        {"name": "References", "value": "<zero@example.com>\r\n\tnonsense <a b>"},
    ]
    earlier = Mail.model_validate({"id": "1", "payload": {"headers": headers}})
    message = written(Letter(("bob@example.com",), (), "Re: Hi", "Hi", earlier))
    assert message["In-Reply-To"] == "<one@example.com>"
    assert message["References"] == "<zero@example.com> <one@example.com>"


@pytest.mark.parametrize(
    ("subject", "thread"),
    [("Re: Lunch?", "t1"), ("RE: AW: lunch?", "t1"), ("Lunch?", "t1"), ("Dinner", None)],
)
def test_a_reply_continues_the_thread_while_its_subject_does(subject: str, thread: str | None) -> None:
    headers = [{"name": "Subject", "value": "Re: Lunch?"}]
    earlier = Mail.model_validate({"id": "1", "threadId": "t1", "payload": {"headers": headers}})
    assert Letter(("bob@example.com",), (), subject, "Hi", earlier).thread_id == thread
