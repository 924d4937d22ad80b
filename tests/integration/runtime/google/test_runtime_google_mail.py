"""What the assistant does with mail: in a conversation, and with whatever strangers wrote."""

import json
from typing import Any

import pytest

from claw_dev.simulators.faults import Fault, FaultKind
from tests.integration.runtime.google.world import GoogleWorld, use


async def test_a_customer_asks_confirms_and_the_mail_leaves_once(connected: GoogleWorld) -> None:
    mail = {"to": ["bob@example.com"], "subject": "Invoice", "body": "It is attached. No, it is not."}
    answer = await connected.runtime.chat(f"[tool: gmail_send {json.dumps(mail)}]")
    (proposal,) = answer.json["proposals"]
    assert "bob@example.com" in proposal["summary"]
    assert "Invoice" in proposal["summary"]
    assert connected.google.mailbox.sent == []
    conversation = answer.json["conversationId"]
    for _ in range(2):
        await connected.runtime.chat("Yes, send it.", conversationId=conversation, confirm=[proposal["id"]])
    (sent,) = connected.google.mailbox.sent
    assert (sent["To"], sent["Subject"], sent["From"]) == ("bob@example.com", "Invoice", "ada@example.com")
    assert connected.google.mailbox.drafts == {}


async def test_without_a_confirmation_nothing_leaves_whatever_the_model_says(connected: GoogleWorld) -> None:
    result = await use(connected, "gmail_send", to=["bob@example.com"], subject="Hi", body="Hi")
    assert result.proposal is not None
    assert connected.google.mailbox.sent == []
    assert connected.google.mailbox.drafts == {}


async def test_all_of_a_mail_is_shown_before_it_leaves(connected: GoogleWorld) -> None:
    body = "Dear Bob,\n" + "and so on, " * 300 + "\n\nPS: the password is\u202e hunter2\u200b."
    result = await use(connected, "gmail_send", to=["bob@example.com"], subject="Hi", body=body)
    assert result.proposal is not None
    assert result.proposal.summary.endswith("PS: the password is\\u202e hunter2\\u200b.")


async def test_what_nobody_would_read_to_its_end_is_not_proposed(connected: GoogleWorld) -> None:
    long = "word " * 2_000
    mail = await use(connected, "gmail_send", to=["bob@example.com"], subject="Hi", body=long)
    assert mail.is_error
    assert mail.proposal is None
    assert "gmail_draft" in mail.content


@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.CUT, FaultKind.DONE_BUT_HTML, FaultKind.HTML])
async def test_a_mail_leaves_once_whatever_is_lost(connected: GoogleWorld, kind: FaultKind) -> None:
    connected.google.faults.add(Fault(kind=kind, path="/gmail/v1/users/me/drafts/send", status=502))
    result = await use(connected, "gmail_send", confirmed=True, to=["bob@example.com"], subject="Once", body="Hi")
    assert not result.is_error
    assert len(connected.google.mailbox.sent) == 1


async def test_a_reply_goes_to_whoever_wrote_in_the_same_thread(connected: GoogleWorld) -> None:
    mail = connected.google.mailbox.receive("Bob <bob@example.com>", "Lunch?")
    result = await use(connected, "gmail_send", body="Gladly.", reply_to=mail.id)
    assert result.proposal is not None
    assert result.proposal.input["to"] == ["bob@example.com"]
    await use(connected, "gmail_send", confirmed=True, **result.proposal.input)
    (sent,) = connected.google.mailbox.sent
    assert sent["Subject"] == "Re: Lunch?"
    assert sent["In-Reply-To"] == mail.parsed["Message-ID"]
    assert {kept.thread_id for kept in connected.google.mailbox.mails.values()} == {mail.id}


REFUSED_MAILS: tuple[dict[str, Any], ...] = (
    {"to": ["bob@example.com\r\nBcc: eve@example.com"]},
    {"to": ["bob@example.com, eve@example.com"]},
    {"to": ["Bob <bob@example.com>"]},
    {"to": ["bob"]},
    {"to": ["bób@example.com"]},
    {"to": []},
    {"to": [f"bob{number}@example.com" for number in range(11)]},
    {"to": ["bob@example.com"], "subject": "Hi\r\nBcc: eve@example.com"},
    {"to": ["bob@example.com"], "subject": "Hi\u2028Bcc: eve@example.com"},
    {"to": ["bob@example.com"], "bcc": ["eve@example.com"]},
    {"to": ["bob@example.com"], "body": "\x00"},
    {"to": ["bob@example.com"], "reply_to": "../profile"},
    {"to": [f"a{n}@example.com" for n in range(6)], "cc": [f"b{n}@example.com" for n in range(6)]},
)


async def test_a_mail_that_could_go_elsewhere_is_refused(connected: GoogleWorld) -> None:
    for given in REFUSED_MAILS:
        for tool in ("gmail_send", "gmail_draft"):
            mail = {"subject": "Hi", "body": "Hi"} | given
            assert (await use(connected, tool, confirmed=True, **mail)).is_error, given
    assert connected.google.mailbox.sent == []
    assert connected.google.mailbox.drafts == {}


async def test_a_mail_of_html_is_read_as_text_and_its_attachments_are_named(connected: GoogleWorld) -> None:
    page = "<html><style>p{}</style><script>steal()</script><p>Hello <b>Ada</b></p></html>"
    mail = connected.google.mailbox.receive(
        "Bob <bob@example.com>", "Offer", None, html=page, attachments=(("offer.pdf", b"%PDF" * 1000),)
    )
    result = await use(connected, "gmail_read", id=mail.id)
    assert "Hello Ada" in result.content
    assert "offer.pdf (4 kB)" in result.content
    assert "steal()" not in result.content
    assert "<b>" not in result.content


async def test_a_search_finds_the_newest_first(connected: GoogleWorld) -> None:
    for subject in ("First invoice", "Lunch", "Second invoice"):
        connected.google.mailbox.receive("bob@example.com", subject)
    result = await use(connected, "gmail_search", query="invoice")
    assert result.content.index("Second invoice") < result.content.index("First invoice")
    assert "Lunch" not in result.content
