"""Calls of the API by the day, two processes on one database, and what is written for them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from claw_crds.configuration import PlanConfiguration
from claw_runtime.problems import Problem
from claw_runtime.usage.calls import LARGEST_BLOCK
from claw_runtime.usage.leases import Leases
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.ledgers import Books, database, ledger, plan
from tests.integration.runtime.world import Tables


@pytest.fixture
async def books(tables: Tables, clock: Clock) -> AsyncIterator[Books]:
    """The ledger of one process."""
    async with ledger(tables.url, clock) as opened:
        yield opened


@pytest.fixture
async def others(tables: Tables, books: Books, clock: Clock) -> AsyncIterator[Books]:
    """The ledger of another process on the same database."""
    async with ledger(tables.url, clock) as opened:
        yield opened


async def call(books: Books, of_plan: PlanConfiguration, times: int = 1) -> list[Problem]:
    """Make so many calls at once; the refusals."""
    outcomes = await asyncio.gather(*(books.usage.calls.count(of_plan) for _ in range(times)), return_exceptions=True)
    assert all(outcome is None or isinstance(outcome, Problem) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Problem)]


async def test_two_processes_together_make_no_more_calls_than_the_day_has(
    books: Books, others: Books, tables: Tables
) -> None:
    tight = plan(api_calls_per_day=120)

    refusals = await asyncio.gather(*(call(mine, tight, 100) for mine in (books, others)))

    made = 200 - sum(map(len, refusals))
    assert made <= 120
    assert made >= 120 - 2 * LARGEST_BLOCK // 10  # what the other holds of its last block, at most
    problem = refusals[0][0]
    assert (problem.members["limit_name"], problem.members["limit"]) == ("apiCallsPerDay", 120)
    assert int(problem.headers["Retry-After"]) > 0


async def test_the_next_day_begins_at_nothing_and_a_larger_plan_counts_at_once(books: Books, clock: Clock) -> None:
    clock.now = clock.now.replace(day=10, hour=12)
    small = plan(api_calls_per_day=3)
    assert len(await call(books, small, 5)) == 2
    assert len(await call(books, plan(api_calls_per_day=4), 2)) == 1

    clock.advance(hours=12)

    assert len(await call(books, small, 5)) == 2


async def test_a_block_of_calls_is_one_write(books: Books, tables: Tables) -> None:
    await call(books, plan(), LARGEST_BLOCK)
    written = await tables.value("select xmin::text from api_calls")
    await call(books, plan(), 1)

    assert await tables.value("select xmin::text from api_calls") != written
    written = await tables.value("select xmin::text from api_calls")
    await call(books, plan(), LARGEST_BLOCK - 1)
    assert await tables.value("select xmin::text from api_calls") == written
    assert books.usage.current().api_calls == 2 * LARGEST_BLOCK


async def test_a_clean_stop_books_what_was_made_and_gives_the_rest_back(
    books: Books, tables: Tables, clock: Clock
) -> None:
    async with ledger(tables.url, clock) as stopped:
        await call(stopped, plan(api_calls_per_day=1000), 3)

    assert await tables.value("select calls from api_calls") == 3
    assert (await books.usage.load()).api_calls == 3


async def test_who_goes_on_calling_is_refused_from_memory_for_a_moment(
    books: Books, tables: Tables, clock: Clock
) -> None:
    none = plan(api_calls_per_day=0)
    assert len(await call(books, none)) == 1
    await tables.go_away()

    assert len(await call(books, none, 50)) == 50
    assert not books.database.away
    await tables.come_back()
    clock.advance(seconds=11)
    assert len(await call(books, none)) == 1


async def test_a_reservation_lives_as_long_as_its_process_does(tables: Tables, clock: Clock) -> None:
    async with database(tables.url) as opened:
        books = Books(opened, clock, Leases(opened, clock, every_seconds=0.02))
        slow = await books.usage.reserve(plan(concurrent_streams=1), "main", tokens=1)
        for _ in range(5):  # five minutes of an answer that takes its time
            clock.advance(seconds=60)
            await eventually(lambda: _lives(tables, clock))

        assert len(await _refused_stream(books)) == 1

        await books.usage.give_back(slow)
        assert await _refused_stream(books) == []
        await books.usage.close()


async def _lives(tables: Tables, clock: Clock) -> bool:
    return bool(await tables.value("select bool_and(expires_at > %s) from reservations", clock.now))


async def _refused_stream(books: Books) -> list[Problem]:
    try:
        await books.usage.reserve(plan(concurrent_streams=1), "main", tokens=1)
    except Problem as problem:
        return [problem]
    return []
