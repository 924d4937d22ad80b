"""What Google tells us by itself: believed when it is proved, read once, kept for the next look."""

import asyncio
import base64
import json
from typing import Any

from claw_crds.instance import State
from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.google.signing import base64url
from tests.eventually import eventually
from tests.integration.runtime.google.conftest import OFFERED
from tests.integration.runtime.google.world import FRONT, GoogleWorld
from tests.integration.runtime.world import Tables

HOUR = {"start": {"dateTime": "2026-12-01T10:00:00Z"}, "end": {"dateTime": "2026-12-01T11:00:00Z"}}


async def test_a_mail_that_is_pushed_is_kept_for_the_next_look(connected: GoogleWorld) -> None:
    told: list[tuple[str, int]] = []

    async def listen(source: str, count: int) -> None:
        told.append((source, count))

    connected.runtime.services.google.incoming.subscribe(listen)
    mail = connected.google.mailbox.receive("Bob <bob@example.com>", "The invoice")
    assert (await connected.push()).status == 204
    await connected.quiet()
    assert await connected.arrivals() == [f"Mail from Bob <bob@example.com>: The invoice [id {mail.id}]"]
    assert told == [("gmail", 1)]


async def test_what_was_looked_at_does_not_wait_any_more(connected: GoogleWorld) -> None:
    connected.google.mailbox.receive("bob@example.com", "One")
    await connected.push()
    await connected.quiet()
    arrivals = connected.runtime.services.google.arrivals
    await arrivals.seen(await arrivals.unseen())
    assert await arrivals.unseen() == ()


async def test_a_replayed_push_neither_tells_twice_nor_asks_google(connected: GoogleWorld) -> None:
    connected.google.mailbox.receive("bob@example.com", "Once")
    for _ in range(2):
        await connected.push()
        await connected.quiet()
    asked = len(connected.google.calls)
    assert (await connected.push()).status == 204
    assert len(connected.google.calls) == asked
    assert len(await connected.arrivals()) == 1


async def test_a_storm_of_pushes_is_a_handful_of_looks(connected: GoogleWorld) -> None:
    before = len(connected.google.calls)
    for number in range(5):
        connected.google.mailbox.receive("bob@example.com", f"Mail {number}")
    await asyncio.gather(*(connected.push() for _ in range(30)))
    await connected.quiet()
    assert len(await connected.arrivals()) == 5
    assert sum(call.path.endswith("/history") for call in connected.google.calls[before:]) <= 3


FORGED: tuple[dict[str, Any], ...] = (
    {"aud": "https://elsewhere.example/google/gmail"},
    {"email": "somebody@else.iam.gserviceaccount.com"},
    {"email_verified": False},
    {"iss": "https://accounts.example.com"},
    {"seconds": -120},
    {"iat": 4_000_000_000, "exp": 4_000_003_600},
    {"header": {"kid": "unknown"}},
    {"header": {"alg": "HS256"}},
    {"exp": None},
)


async def test_a_push_that_is_not_proved_is_refused(connected: GoogleWorld) -> None:
    connected.google.mailbox.receive("mallory@example.com", "Obey")
    for claims in FORGED:
        answer = await connected.push(**claims)
        assert (answer.status, answer.problem) == (401, "unverified"), claims
    assert await connected.arrivals() == []


async def test_a_token_that_is_signed_by_nobody_is_refused(connected: GoogleWorld) -> None:
    claims = {"aud": f"{FRONT}/google/gmail", "email": "pusher@claw.iam.gserviceaccount.com", "email_verified": True}
    parts = [base64url(json.dumps(part).encode()) for part in ({"alg": "none", "typ": "JWT"}, claims)]
    body = connected.google.sender.message(connected.google.mailbox.history_id)
    for token in (".".join(parts) + ".", "a.b.c", "x" * 5000, None):
        assert (await connected.deliver(body, token)).problem == "unverified"


async def test_a_token_that_somebody_changed_is_refused(connected: GoogleWorld) -> None:
    body = connected.google.sender.message(connected.google.mailbox.history_id)
    header, payload, signature = connected.google.sender.token(aud=f"{FRONT}/google/gmail").split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"email": "mallory@example.com"}
    forged = f"{header}.{base64url(json.dumps(claims).encode())}.{signature}"
    assert (await connected.deliver(body, forged)).status == 401


async def test_a_key_that_google_has_replaced_is_learned_and_an_invented_one_is_not_asked_for_again_and_again(
    connected: GoogleWorld,
) -> None:
    assert (await connected.push()).status == 204
    connected.google.world.signer.replace_key()
    connected.runtime.clock.advance(minutes=2)
    assert (await connected.push()).status == 204
    before = sum(call.path.endswith("/certs") for call in connected.google.calls)
    for _ in range(10):
        assert (await connected.push(header={"kid": "invented"})).status == 401
    assert sum(call.path.endswith("/certs") for call in connected.google.calls) <= before + 1


async def test_a_push_for_another_mailbox_changes_nothing(connected: GoogleWorld) -> None:
    before = len(connected.google.calls)
    assert (await connected.push(history_id=999_999, address="eve@example.com")).status == 204
    assert [call.path for call in connected.google.calls[before:] if "gmail" in call.path] == []


async def test_a_push_whose_data_is_nonsense_is_taken_and_forgotten(connected: GoogleWorld) -> None:
    token = connected.google.sender.token(aud=f"{FRONT}/google/gmail")
    for data in ("", "!!!", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"historyId": "x"}').decode()):
        assert (await connected.deliver({"message": {"data": data}}, token)).status == 204
    assert (await connected.deliver({"nonsense": 1}, token)).status == 422
    assert (await connected.deliver({"message": {"data": "x" * 70_000}}, token)).status == 413


async def test_nobody_connected_means_that_a_push_costs_nothing(world: GoogleWorld) -> None:
    assert (await world.push()).status == 204
    assert world.google.calls == []


async def test_who_is_suspended_or_has_a_smaller_plan_now_is_not_woken(connected: GoogleWorld) -> None:
    connected.google.mailbox.receive("bob@example.com", "Hi")
    before = len(connected.google.calls)
    changes: tuple[dict[str, Any], ...] = ({"offered": ("chat",)}, {"offered": OFFERED, "state": State.SUSPENDED})
    for change in changes:
        await connected.runtime.configure(**change)
        assert (await connected.push()).status == 204
        assert (await connected.notify()).status == 204
    assert len(connected.google.calls) == before


async def test_history_that_google_has_forgotten_begins_anew_with_the_last_day(connected: GoogleWorld) -> None:
    connected.google.mailbox.receive("bob@example.com", "While nobody listened")
    connected.google.mailbox.forget_history()
    connected.google.mailbox.receive("bob@example.com", "After it")
    await connected.push()
    await connected.quiet()
    assert sorted("While" in summary for summary in await connected.arrivals()) == [False, True]
    connected.google.mailbox.receive("bob@example.com", "And on")
    await connected.push()
    await connected.quiet()
    assert len(await connected.arrivals()) == 3


async def test_what_the_customer_sends_or_drafts_is_no_news(connected: GoogleWorld) -> None:
    mailbox = connected.google.mailbox
    for label in ("SENT", "DRAFT", "SPAM"):
        mailbox.receive("ada@example.com", label, labels=(label, "INBOX"))
    await connected.push()
    await connected.quiet()
    assert await connected.arrivals() == []


async def test_a_look_that_google_does_not_answer_is_tried_again(connected: GoogleWorld) -> None:
    connected.google.mailbox.receive("bob@example.com", "Patience")
    connected.google.faults.add(Fault(kind=FaultKind.ERROR, path="/gmail/v1/users/me/history", status=503, times=2))
    await connected.push()
    await eventually(connected.arrivals)


async def test_a_crash_after_the_push_loses_nothing(connected: GoogleWorld) -> None:
    """The next push, or the next renewal, reads from where the database knows the mailbox."""
    connected.google.mailbox.receive("bob@example.com", "First")
    await connected.push()
    await connected.runtime.services.google.incoming.stop()
    connected.google.mailbox.receive("bob@example.com", "Second")
    await connected.push()
    await connected.quiet()
    assert len(await connected.arrivals()) == 2


async def test_a_change_in_the_calendar_is_kept_once_for_each_change(connected: GoogleWorld) -> None:
    event = connected.google.agenda.insert("primary", HOUR | {"summary": "Dentist"})
    assert (await connected.notify()).status == 204
    await connected.quiet()
    connected.google.agenda.delete("primary", event.id)
    await connected.notify(**{"X-Goog-Message-Number": "3"})
    await connected.quiet()
    first, second = await connected.arrivals()
    assert first.startswith("Calendar event new or changed: Dentist")
    assert second.startswith("Calendar event cancelled")


async def test_a_notification_without_the_channels_token_is_refused(connected: GoogleWorld) -> None:
    for name, value in (
        ("X-Goog-Channel-Token", "wrong"),
        ("X-Goog-Channel-Token", ""),
        ("X-Goog-Channel-Token", "wrông"),
        ("X-Goog-Channel-ID", "8f3c9d5e-0000-4000-8000-00000000beef"),
        ("X-Goog-Channel-ID", "nonsense"),
    ):
        assert (await connected.notify(**{name: value})).problem == "unverified", (name, value)


async def test_a_notification_that_was_here_before_asks_google_nothing(connected: GoogleWorld) -> None:
    connected.google.agenda.insert("primary", HOUR | {"summary": "Dentist"})
    await connected.notify()
    await connected.quiet()
    before = len(connected.google.calls)
    for number in ("1", "2", "-5", "x", "9" * 30):
        assert (await connected.notify(**{"X-Goog-Message-Number": number})).status == 204
    assert len(connected.google.calls) == before


async def test_a_calendar_that_wants_to_be_read_whole_is_no_news(connected: GoogleWorld, tables: Tables) -> None:
    connected.google.agenda.insert("primary", HOUR | {"summary": "Known soon"})
    connected.google.agenda.forget_changes()
    await connected.notify()
    await connected.quiet()
    assert await connected.arrivals() == []
    connected.google.agenda.insert("primary", HOUR | {"summary": "News"})
    await connected.notify(**{"X-Goog-Message-Number": "3"})
    await connected.quiet()
    assert len(await connected.arrivals()) == 1
