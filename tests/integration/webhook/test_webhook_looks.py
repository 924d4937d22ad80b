"""Looks without an event, on a real PostgreSQL: at the earliest moment, once, and never forgotten."""

import asyncio
import json
from datetime import timedelta

import pytest

from claw_webhook.database import Pool
from claw_webhook.inbox import Inbox
from claw_webhook.looks import Looks
from claw_webhook.stripe_objects import Event
from tests.clock import Clock
from tests.integration.webhook.test_webhook_inbox import START, ids, settle, store

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def inbox(pool: Pool, clock: Clock) -> Inbox:
    return Inbox(pool, clock=clock, random=lambda: 1.0)


@pytest.fixture
def looks(pool: Pool, clock: Clock, inbox: Inbox) -> Looks:
    return Looks(pool, clock=clock, arrived=inbox.arrived)


async def claimed(inbox: Inbox) -> tuple[str, str] | None:
    """Claim and finish. Whom, and why."""
    async with inbox.claim() as claim:
        if claim is None:
            return None
        await claim.done()
        return claim.subject, claim.why


async def test_a_look_is_claimed_once_when_its_moment_has_come(inbox: Inbox, looks: Looks, clock: Clock) -> None:
    await looks.ask("sub_1", why="clock", due_at=clock() + HOUR)
    assert not inbox.arrived.is_set()
    assert await claimed(inbox) is None
    clock.advance(seconds=3600)
    assert await claimed(inbox) == ("sub_1", "clock")
    assert await claimed(inbox) is None


async def test_one_that_is_asked_for_now_wakes_the_workers(inbox: Inbox, looks: Looks) -> None:
    await looks.ask("sub_1", why="checkout")
    assert inbox.arrived.is_set()
    assert await claimed(inbox) == ("sub_1", "checkout")


@pytest.mark.parametrize("order", [("early", "late"), ("late", "early")])
async def test_of_two_moments_the_earlier_one_counts(
    inbox: Inbox, looks: Looks, clock: Clock, order: tuple[str, str]
) -> None:
    moments = {"early": clock() + HOUR, "late": clock() + DAY}
    for why in order:
        await looks.ask("sub_1", why=why, due_at=moments[why])
    clock.advance(seconds=3600)
    assert await claimed(inbox) == ("sub_1", "early")


async def test_events_and_a_look_are_one_claim(inbox: Inbox, looks: Looks) -> None:
    await looks.ask("sub_1", why="sweep")
    await store(inbox, "evt_1")
    async with inbox.claim() as claim:
        assert ids(claim) == ["evt_1"]
        assert claim is not None
        assert (claim.actor, claim.why) == ("stripe:evt_1", "customer.subscription.updated")
        await claim.done()
    assert await claimed(inbox) is None


async def test_asking_while_somebody_looks_does_not_wait_and_is_not_forgotten(inbox: Inbox, looks: Looks) -> None:
    await looks.ask("sub_1", why="clock")
    async with inbox.claim() as claim:
        assert claim is not None
        async with asyncio.timeout(2):
            await looks.ask("sub_1", why="person:ada")
        async with inbox.claim() as other:
            assert other is None
        await claim.done()
    assert await claimed(inbox) is not None
    assert await claimed(inbox) is None


async def test_the_next_moment_takes_the_place_of_the_one_that_came(inbox: Inbox, looks: Looks, clock: Clock) -> None:
    await looks.ask("sub_1", why="sweep")
    async with inbox.claim() as claim:
        assert claim is not None
        await claim.done(look_again_at=clock() + DAY)
    clock.advance(seconds=3600)
    assert await claimed(inbox) is None
    clock.advance(seconds=86_400)
    assert await claimed(inbox) == ("sub_1", "clock")


async def test_a_moment_that_no_longer_counts_is_forgotten(inbox: Inbox, looks: Looks, clock: Clock) -> None:
    await looks.ask("sub_1", why="clock", due_at=clock() + DAY)
    await store(inbox, "evt_1")  # paid: the grace that was to end then is over
    assert await settle(inbox) == ["evt_1"]
    clock.advance(seconds=2 * 86_400)
    assert await claimed(inbox) is None


async def test_a_moment_that_somebody_wished_for_is_kept_until_it_comes(
    inbox: Inbox, looks: Looks, clock: Clock
) -> None:
    await looks.ask("sub_1", why="person:ada", due_at=clock() + HOUR)
    await store(inbox, "evt_1")
    async with inbox.claim() as claim:
        assert claim is not None
        await claim.done(look_again_at=clock() + DAY)
    clock.advance(seconds=3600)
    assert await claimed(inbox) == ("sub_1", "person:ada")


async def test_a_look_that_failed_is_repeated_and_given_up_only_until_tomorrow(
    inbox: Inbox, looks: Looks, clock: Clock, pool: Pool
) -> None:
    await looks.ask("sub_1", why="clock")
    async with inbox.claim() as claim:
        assert claim is not None
        assert await claim.postpone("StripeUnavailable", "no answer")
    assert await claimed(inbox) is None
    clock.advance(seconds=1)
    assert (await inbox.backlog()).looks == {"waiting": 0, "due": 0, "failing": 1}
    async with pool.connection() as connection:
        await connection.execute("UPDATE looks SET attempts = 4319")
    async with inbox.claim() as claim:
        assert claim is not None
        assert claim.known_reasons == {"StripeUnavailable"}
        assert not await claim.postpone("StripeUnavailable", "no answer for days")
    clock.advance(seconds=86_300)
    assert await claimed(inbox) is None
    clock.advance(seconds=100)
    assert await claimed(inbox) == ("sub_1", "clock")


async def test_a_refused_look_is_tried_again_when_the_plans_change_or_a_day_later(
    inbox: Inbox, looks: Looks, clock: Clock
) -> None:
    async def refuse() -> None:
        async with inbox.claim() as claim:
            assert claim is not None
            await claim.refuse("UnknownPrice", "told to a person")

    await looks.ask("sub_1", why="clock")
    await refuse()
    assert await claimed(inbox) is None
    assert await inbox.revive(["UnknownPrice"]) == 1
    await refuse()
    clock.advance(seconds=86_400)
    assert await claimed(inbox) == ("sub_1", "clock")


async def test_what_was_given_up_with_its_events_is_settled_with_them_a_day_later(
    inbox: Inbox, clock: Clock, pool: Pool
) -> None:
    await store(inbox, "evt_1")
    async with inbox.claim() as claim:
        assert claim is not None
        await claim.refuse("NoSuchSubscription", "told to a person")
    clock.advance(seconds=86_400)
    assert await settle(inbox) == ["evt_1"]
    assert (await inbox.backlog()).unserved == {}


async def test_two_subscriptions_of_one_instance_are_worked_on_by_one(inbox: Inbox, looks: Looks) -> None:
    await looks.ask("sub_new", why="checkout")
    async with inbox.claim() as claim:
        assert claim is not None
        assert await claim.also("sub_old")
        await looks.ask("sub_old", why="clock")
        async with inbox.claim() as other:
            assert other is None
        await claim.done()
    async with inbox.claim() as first:
        assert first is not None
        assert first.subject == "sub_old"
        await looks.ask("sub_new", why="checkout")
        async with inbox.claim() as second:
            assert second is not None
            assert not await second.also("sub_old")


async def test_payloads_of_settled_events_are_emptied_after_ninety_days_and_ids_stay(
    inbox: Inbox, clock: Clock, pool: Pool
) -> None:
    ignored = json.dumps({"id": "evt_ignored", "type": "product.created"})
    await inbox.store(Event.parse(ignored), ignored)
    await store(inbox, "evt_done", "sub_1")
    assert await settle(inbox) == ["evt_done"]
    await store(inbox, "evt_refused", "sub_2")
    async with inbox.claim() as claim:
        assert claim is not None
        await claim.refuse("UnknownPrice", "told to a person")
    clock.advance(seconds=89 * 86_400)
    assert not await inbox.empty_old_payloads()
    await store(inbox, "evt_young", "sub_3")
    clock.advance(seconds=2 * 86_400)
    assert await inbox.empty_old_payloads()
    assert not await inbox.empty_old_payloads()
    async with pool.connection() as connection:
        rows = await (await connection.execute("SELECT id, payload = '' AS empty FROM inbox")).fetchall()
    assert {row["id"] for row in rows if row["empty"]} == {"evt_ignored", "evt_done"}
    assert len(rows) == 4
    assert str(await store(inbox, "evt_done", "sub_1")) == "duplicate"


async def test_what_the_sweep_finds_again_does_not_wake_what_was_refused(inbox: Inbox) -> None:
    await store(inbox, "evt_1")
    async with inbox.claim() as claim:
        assert claim is not None
        await claim.refuse("UnusableEmail", "told to a person")
    payload = json.dumps({"id": "evt_1", "type": "customer.subscription.updated", "data": {"object": {"id": "sub_1"}}})
    assert str(await inbox.store(Event.parse(payload), payload, source="sweep")) == "duplicate"
    assert await settle(inbox) == []
