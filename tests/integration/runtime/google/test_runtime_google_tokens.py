"""Access for an hour at a time, and what is done when there is none any more."""

import asyncio
import logging
from datetime import timedelta

import pytest

from claw_dev.simulators.faults import Fault, FaultKind
from claw_runtime.problems import Problem
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.google.conftest import OFFERED
from tests.integration.runtime.google.world import KEY, GoogleWorld
from tests.integration.runtime.world import Tables, running


def refreshes(world: GoogleWorld) -> int:
    return sum(call.path == "/token" for call in world.google.calls)


async def test_many_tools_at_once_refresh_once(connected: GoogleWorld) -> None:
    connected.runtime.clock.advance(hours=2)
    before = refreshes(connected)
    gmail = connected.runtime.services.google.gmail
    await asyncio.gather(*(gmail.search(f"word{number}", 5) for number in range(12)))
    assert refreshes(connected) == before + 1


async def test_a_token_is_refreshed_before_it_ends(connected: GoogleWorld) -> None:
    before = refreshes(connected)
    connected.runtime.clock.advance(minutes=49)
    await connected.runtime.services.google.gmail.search("x", 5)
    assert refreshes(connected) == before
    connected.runtime.clock.advance(minutes=6)
    await connected.runtime.services.google.gmail.search("x", 5)
    assert refreshes(connected) == before + 1


async def test_a_token_that_ended_early_is_replaced_once(connected: GoogleWorld) -> None:
    connected.google.world.access_tokens.clear()
    assert await connected.runtime.services.google.gmail.search("x", 5) == []


async def test_access_that_was_taken_back_says_reconnect_and_is_logged_once(
    connected: GoogleWorld, caplog: pytest.LogCaptureFixture
) -> None:
    connected.google.world.revoke_all()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(Problem) as raised:
                await connected.runtime.services.google.gmail.search("x", 5)
            assert "Connect Google again" in raised.value.detail
    assert sum("connection to Google has ended" in record.message for record in caplog.records) == 1
    shown = await connected.integration()
    assert shown["connected"] is True
    assert "Connect Google again" in shown["problem"]
    assert connected.runtime.services.google.connections() == frozenset()
    assert (await connected.connect("gmail", "calendar")).json["problem"] is None
    assert await connected.runtime.services.google.gmail.search("x", 5) == []


async def test_a_restart_goes_on_where_it_was(connected: GoogleWorld, environment: Settings, clock: Clock) -> None:
    async with running(environment, clock) as second:
        await second.ready()
        assert second.services.google.connections() == {"gmail", "calendar"}
        assert await second.services.google.gmail.search("x", 5) == []


async def test_another_key_cannot_read_the_access_and_says_so(
    connected: GoogleWorld, environment: Settings, clock: Clock
) -> None:
    other = Settings.model_validate(environment.model_dump(by_alias=True) | {"CLAW_ENCRYPTION_KEY": "B" * 43})
    async with running(other, clock) as second:
        await second.ready()
        with pytest.raises(Problem) as raised:
            await second.services.google.gmail.search("x", 5)
        assert "cannot be read with this installation's key" in raised.value.detail


async def test_a_new_key_beside_the_old_one_takes_over(
    connected: GoogleWorld, environment: Settings, clock: Clock, tables: Tables
) -> None:
    before = await tables.value("select refresh_token_secret from google_account")
    rotated = environment.model_dump(by_alias=True) | {"CLAW_ENCRYPTION_KEY": f"{'B' * 43},{KEY}"}
    async with running(Settings.model_validate(rotated), clock) as second:
        await second.ready()
        assert await second.services.google.gmail.search("x", 5) == []
    assert await tables.value("select refresh_token_secret from google_account") != before
    async with running(Settings.model_validate(rotated | {"CLAW_ENCRYPTION_KEY": "B" * 43}), clock) as third:
        await third.ready()
        assert await third.services.google.gmail.search("x", 5) == []


@pytest.mark.parametrize("lacking", ["CLAW_ENCRYPTION_KEY", "CLAW_GOOGLE_CLIENT_ID", "CLAW_GOOGLE_CLIENT_SECRET"])
async def test_what_an_installation_lacks_is_named(environment: Settings, clock: Clock, lacking: str) -> None:
    less = Settings.model_validate(environment.model_dump(by_alias=True) | {lacking: None})
    async with running(less, clock) as runtime:
        await runtime.configure(offered=OFFERED)
        shown = (await runtime.get("/api/integrations")).json["integrations"][0]
        assert shown["problem"].endswith(f"It lacks: {lacking}.")
        answer = await runtime.post("/api/integrations/google", {"scopes": ["gmail"]})
        assert (answer.status, answer.problem) == (409, "integration-not-set-up")
        assert lacking in answer.json["detail"]


@pytest.mark.parametrize("status", [403, 429])
async def test_a_short_rate_limit_is_waited_for(connected: GoogleWorld, status: int) -> None:
    fault = Fault(kind=FaultKind.ERROR, path="/gmail/", status=status, retry_after=0.1)
    connected.google.faults.add(fault)
    assert await connected.runtime.services.google.gmail.search("x", 5) == []


async def test_a_long_rate_limit_is_told(connected: GoogleWorld) -> None:
    connected.google.faults.add(Fault(kind=FaultKind.ERROR, path="/gmail/", status=429, retry_after=90))
    with pytest.raises(Problem, match="Try again in 90 seconds"):
        await connected.runtime.services.google.gmail.search("x", 5)


async def test_a_limit_in_the_middle_of_a_search_is_told_as_one(connected: GoogleWorld) -> None:
    for number in range(8):
        connected.google.mailbox.receive("bob@example.com", f"Mail {number}")
    connected.google.faults.add(
        Fault(kind=FaultKind.ERROR, path="/gmail/v1/users/me/messages/", status=429, retry_after=90, times=None)
    )
    with pytest.raises(Problem, match="Try again in 90 seconds"):
        await connected.runtime.services.google.gmail.search("", 8)


async def test_a_key_that_is_none_keeps_nobody_from_starting(environment: Settings, clock: Clock) -> None:
    broken = Settings.model_validate(environment.model_dump(by_alias=True) | {"CLAW_ENCRYPTION_KEY": "secret"})
    async with running(broken, clock) as runtime:
        await runtime.configure(offered=OFFERED)
        answer = await runtime.post("/api/integrations/google", {"scopes": ["gmail"]})
        assert answer.json["detail"].endswith("It lacks: CLAW_ENCRYPTION_KEY as 32 bytes in base64url.")


async def test_a_page_of_a_gateway_is_no_answer(connected: GoogleWorld) -> None:
    connected.google.faults.add(Fault(kind=FaultKind.HTML, path="/gmail/", status=502, times=3))
    with pytest.raises(Problem, match="too much to do"):
        await connected.runtime.services.google.gmail.search("x", 5)


async def test_watch_and_channel_are_renewed_a_day_before_they_end(connected: GoogleWorld) -> None:
    google, agenda = connected.runtime.services.google, connected.google.agenda
    (first,) = agenda.channels.values()
    watch = connected.google.mailbox.watch
    connected.runtime.clock.advance(days=5, hours=23)
    await google.renewals.renew_due()
    assert connected.google.mailbox.watch == watch, "not yet"
    connected.runtime.clock.advance(hours=2)
    await google.renewals.renew_due()
    await connected.quiet()
    (second,) = agenda.channels.values()
    assert second.id != first.id
    assert second.expires_at > first.expires_at
    assert connected.google.mailbox.watch != watch
    left = google.renewals.due_at()
    assert left is not None
    assert abs(left - connected.runtime.clock() - timedelta(days=6)) < timedelta(seconds=1)


async def test_a_renewal_finds_what_was_never_pushed(connected: GoogleWorld) -> None:
    connected.google.mailbox.receive("bob@example.com", "Lost push")
    connected.runtime.clock.advance(days=6, hours=2)
    await connected.runtime.services.google.renewals.renew_due()
    await connected.quiet()
    assert len(await connected.arrivals()) == 1


async def test_notifications_through_a_new_channel_count_anew(connected: GoogleWorld) -> None:
    await connected.notify(**{"X-Goog-Message-Number": "57"})
    await connected.quiet()
    connected.runtime.clock.advance(days=6, hours=2)
    await connected.runtime.services.google.renewals.renew_due()
    await connected.quiet()
    hour = {"start": {"dateTime": "2027-12-01T10:00:00Z"}, "end": {"dateTime": "2027-12-01T11:00:00Z"}}
    connected.google.agenda.insert("primary", hour | {"summary": "Through the new one"})
    await connected.notify(**{"X-Goog-Message-Number": "2"})
    await eventually(connected.arrivals)


async def test_mail_that_cannot_be_watched_does_not_keep_the_calendar_from_it(world: GoogleWorld) -> None:
    world.google.faults.add(Fault(kind=FaultKind.ERROR, path="/gmail/v1/users/me/watch", status=400, times=None))
    await world.connect("gmail", "calendar")
    await eventually(lambda: bool(world.google.agenda.channels))
