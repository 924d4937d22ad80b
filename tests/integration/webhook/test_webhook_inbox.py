"""The inbox on a real PostgreSQL: once, in no order, for one worker at a time."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest

from claw_webhook.claims import Claim
from claw_webhook.database import Pool
from claw_webhook.inbox import Inbox, Stored
from claw_webhook.stripe_objects import Event
from tests.clock import Clock

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def inbox(pool: Pool, clock: Clock) -> Inbox:
    return Inbox(pool, clock=clock, random=lambda: 1.0)


async def store(inbox: Inbox, event: str, subscription: str = "sub_1") -> Stored:
    payload = json.dumps(
        {"id": event, "type": "customer.subscription.updated", "data": {"object": {"id": subscription}}}
    )
    return await inbox.store(Event.parse(payload), payload)


def ids(claim: Claim | None) -> list[str]:
    assert claim is not None
    return [event.id for event in claim.events]


async def settle(inbox: Inbox, act: Callable[[Claim], object] | None = None) -> list[str]:
    """Claim and finish. Returns the events."""
    async with inbox.claim() as claim:
        if claim is None:
            return []
        await claim.done()
        return ids(claim)


async def test_an_event_is_stored_once_however_often_it_is_delivered_at_once(inbox: Inbox) -> None:
    results = await asyncio.gather(*(store(inbox, "evt_1") for _ in range(8)))
    assert sorted(results) == [Stored.DUPLICATE] * 7 + [Stored.NEW]
    assert await settle(inbox) == ["evt_1"]
    assert await store(inbox, "evt_1") == Stored.DUPLICATE
    assert await settle(inbox) == []


async def test_all_hints_about_one_subscription_are_one_claim(inbox: Inbox, clock: Clock) -> None:
    for number in range(3):
        await store(inbox, f"evt_{number}")
        clock.advance(seconds=1)
    await store(inbox, "evt_other", "sub_2")
    assert await settle(inbox) == ["evt_0", "evt_1", "evt_2"]
    assert await settle(inbox) == ["evt_other"]


async def test_nobody_else_works_on_a_subscription_that_is_claimed(inbox: Inbox) -> None:
    await store(inbox, "evt_1")
    await store(inbox, "evt_2", "sub_2")
    async with inbox.claim() as first:
        assert ids(first) == ["evt_1"]
        await store(inbox, "evt_3")  # a newer hint about it must wait for a look that begins after it
        async with inbox.claim() as second, inbox.claim() as third:
            assert ids(second) == ["evt_2"]
            assert third is None
            await second.done()  # type: ignore[union-attr]
        assert first is not None
        await first.done()
    assert await settle(inbox) == ["evt_3"]


async def test_storing_does_not_wait_for_a_worker(inbox: Inbox) -> None:
    await store(inbox, "evt_1")
    async with inbox.claim() as claim:
        assert ids(claim) == ["evt_1"]
        async with asyncio.timeout(2):
            assert await store(inbox, "evt_1") == Stored.DUPLICATE
            assert await store(inbox, "evt_2") == Stored.NEW


async def test_a_worker_that_dies_leaves_everything_pending_at_once(inbox: Inbox) -> None:
    async def die_before_the_commit() -> None:
        async with inbox.claim() as claim:
            assert claim is not None
            await claim.done()
            raise RuntimeError

    await store(inbox, "evt_1")
    with pytest.raises(RuntimeError):
        await die_before_the_commit()
    assert await settle(inbox) == ["evt_1"]


async def test_a_worker_whose_connection_is_lost_leaves_everything_pending(inbox: Inbox, pool: Pool) -> None:
    async def lose_the_connection() -> None:
        async with inbox.claim() as claim:
            assert claim is not None
            async with pool.connection() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                    " WHERE locktype = 'advisory' AND datname = current_database()"
                )
            await claim.done()

    await store(inbox, "evt_1")
    with pytest.raises(psycopg.OperationalError):
        await lose_the_connection()
    assert await settle(inbox) == ["evt_1"]


async def test_what_failed_is_tried_again_later_and_less_and_less_often(inbox: Inbox, clock: Clock) -> None:
    await store(inbox, "evt_1")
    pauses = []
    for attempt in range(8):
        async with inbox.claim() as claim:
            assert claim is not None
            assert claim.attempts == attempt
            assert await claim.postpone("StripeUnavailable", "no answer")
        pause = 0
        while not await due(inbox):
            clock.advance(seconds=1)
            pause += 1
        pauses.append(pause)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


async def due(inbox: Inbox) -> bool:
    async with inbox.claim() as claim:
        return claim is not None


async def test_a_new_hint_brings_what_is_waiting_with_it(inbox: Inbox) -> None:
    await store(inbox, "evt_1")
    async with inbox.claim() as claim:
        assert claim is not None
        await claim.postpone("ClusterUnavailable", "away")
    await store(inbox, "evt_2")
    assert await settle(inbox) == ["evt_1", "evt_2"]


async def test_after_the_last_attempt_it_is_dead_with_its_reason_until_stripe_sends_it_again(
    inbox: Inbox, clock: Clock, pool: Pool
) -> None:
    await store(inbox, "evt_1")
    async with pool.connection() as connection:
        await connection.execute("UPDATE inbox SET attempts = 4319")
    async with inbox.claim() as claim:
        assert claim is not None
        assert not await claim.postpone("StripeUnavailable", "no answer for days")
    clock.advance(seconds=80_000)
    assert await settle(inbox) == []
    assert (await inbox.backlog()).unserved == {("dead", "StripeUnavailable"): 1}
    assert await store(inbox, "evt_1") == Stored.REVIVED
    assert await settle(inbox) == ["evt_1"]


async def test_a_refusal_rests_until_its_reason_is_gone(inbox: Inbox) -> None:
    for number, reason in enumerate(["UnknownPrice", "UnusableEmail"]):
        await store(inbox, f"evt_{number}", f"sub_{number}")
        async with inbox.claim() as claim:
            assert claim is not None
            await claim.refuse(reason, "told to a person")
    assert await settle(inbox) == []
    assert (await inbox.backlog()).unserved == {("refused", "UnknownPrice"): 1, ("refused", "UnusableEmail"): 1}

    inbox.arrived.clear()
    assert await inbox.revive(["UnknownPrice", "AmbiguousPlan"]) == 1
    assert inbox.arrived.is_set()
    async with inbox.claim() as claim:
        assert ids(claim) == ["evt_0"]
        assert claim is not None
        assert claim.known_reasons == {"UnknownPrice"}  # so that it is not reported a second time


async def test_what_serves_a_subscription_settles_what_was_refused_about_it_before(inbox: Inbox) -> None:
    await store(inbox, "evt_1")
    async with inbox.claim() as claim:
        assert claim is not None
        await claim.refuse("UnknownPrice", "told to a person")
    await store(inbox, "evt_2")
    assert await settle(inbox) == ["evt_1", "evt_2"]
    assert (await inbox.backlog()).unserved == {}


async def test_the_backlog_says_how_much_and_how_old(inbox: Inbox, clock: Clock) -> None:
    await store(inbox, "evt_1")
    clock.advance(seconds=30)
    await store(inbox, "evt_2", "sub_2")
    backlog = await inbox.backlog()
    assert (backlog.pending, backlog.oldest_seconds) == (2, 30)


async def test_four_workers_settle_a_flood_once_each_and_never_two_on_one_subscription(inbox: Inbox) -> None:
    await asyncio.gather(*(store(inbox, f"evt_{number}", f"sub_{number % 20}") for number in range(200)))
    working: set[str] = set()
    settled: list[str] = []

    async def worker() -> None:
        while True:
            async with inbox.claim() as claim:
                if claim is None:
                    return
                assert claim.subject not in working
                working.add(claim.subject)
                await asyncio.sleep(0)
                working.discard(claim.subject)
                settled.extend(ids(claim))
                await claim.done()

    await asyncio.gather(*(worker() for _ in range(4)))
    assert sorted(settled) == sorted(f"evt_{number}" for number in range(200))
