"""The ledger under concurrency, crashes and the turn of the month: what was used is counted, and limits hold."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from claw_crds.configuration import PlanConfiguration
from claw_runtime.problems import Problem
from claw_runtime.usage.leases import LEASE
from claw_runtime.usage.ledger import Reservation
from tests.clock import Clock
from tests.integration.runtime.ledgers import Books, ledger, plan, spent
from tests.integration.runtime.world import Row, Tables


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


async def refused(books: Books, of_plan: PlanConfiguration, tokens: int = 1, **wish: Any) -> dict[str, Any]:
    """The problem that a reservation ends in."""
    with pytest.raises(Problem) as caught:
        await books.usage.reserve(of_plan, "main", tokens=tokens, **wish)
    return caught.value.document(None) | {"retryAfter": caught.value.headers.get("Retry-After")}


async def month(tables: Tables) -> Row:
    (row,) = await tables.rows("select messages_used, input_tokens, output_tokens, api_calls from usage")
    return row


async def days(tables: Tables) -> list[Row]:
    return await tables.rows(
        "select day, model, purpose, messages, calls, input_tokens, output_tokens, cost_micros from usage_daily"
        " order by day, model, purpose"
    )


async def test_two_hundred_at_once_in_two_processes_get_exactly_what_the_plan_has(
    books: Books, others: Books, tables: Tables
) -> None:
    tight = plan(messages_per_month=17)
    wishes = [(books, others)[number % 2].usage.reserve(tight, "main", tokens=1) for number in range(200)]

    outcomes = await asyncio.gather(*wishes, return_exceptions=True)

    assert len([one for one in outcomes if isinstance(one, Reservation)]) == 17
    problems = [one for one in outcomes if isinstance(one, Problem)]
    assert len(problems) == 183
    assert {(problem.members["limit"], problem.members["used"]) for problem in problems} == {(17, 17)}
    assert (await month(tables))["messages_used"] == 17


async def test_tokens_of_answers_in_flight_are_held_so_together_they_stay_within_the_month(
    books: Books, others: Books, tables: Tables
) -> None:
    tight = plan(tokens_per_month=10_000)

    async def turn(of: Books) -> int:
        reservation = await of.usage.reserve(tight, "main", tokens=400)
        assert reservation.room is not None
        assert reservation.room >= 400
        await of.settle(reservation, spent(reservation.room - 50, 50))  # it uses all that it may
        return reservation.room

    outcomes = await asyncio.gather(
        *(turn((books, others)[number % 2]) for number in range(100)), return_exceptions=True
    )

    answered = [one for one in outcomes if isinstance(one, int)]
    used = await month(tables)
    assert used["input_tokens"] + used["output_tokens"] == sum(answered)
    assert 10_000 - 400 < sum(answered) <= 10_000
    assert (await refused(books, tight, 400))["limitName"] == "tokensPerMonth"


async def test_as_many_streams_at_the_same_time_as_the_plan_says(books: Books, others: Books) -> None:
    two = plan(concurrent_streams=2)
    first = await books.usage.reserve(two, "main", tokens=1)
    second = await others.usage.reserve(two, "main", tokens=1)

    problem = await refused(books, two)
    assert (problem["limitName"], problem["limit"], problem["used"]) == ("concurrentStreams", 2, 2)
    assert int(problem["retryAfter"]) <= 10
    background = await books.usage.reserve(two, "main", source="heartbeat", tokens=1)

    await books.settle(first, spent())
    await others.usage.give_back(second)
    await books.usage.give_back(background)
    outcomes = await asyncio.gather(
        *((books, others)[number % 2].usage.reserve(two, "main", tokens=1) for number in range(50)),
        return_exceptions=True,
    )
    assert len([one for one in outcomes if isinstance(one, Reservation)]) == 2


async def test_a_crash_gives_the_message_and_the_stream_back_and_counts_the_tokens_of_the_first_call(
    books: Books, others: Books, tables: Tables, clock: Clock
) -> None:
    tight = plan(messages_per_month=1, concurrent_streams=1, tokens_per_month=1000)
    lost = await books.usage.reserve(tight, "main", tokens=300)
    await books.usage.close()  # the process is gone: nobody renews
    assert (await refused(others, tight))["limitName"] == "messagesPerMonth"

    clock.advance(seconds=LEASE.total_seconds())
    reservation = await others.usage.reserve(tight, "main", tokens=300)

    assert await month(tables) == {"messages_used": 1, "input_tokens": 300, "output_tokens": 0, "api_calls": 0}
    (day,) = await days(tables)
    assert (day["day"], day["model"], day["purpose"]) == (lost.day, "unknown", "chat")
    assert (day["messages"], day["input_tokens"], day["cost_micros"]) == (0, 300, None)
    assert reservation.room == 300  # what it needs; the crashed one's is counted, so 700 were left
    assert await tables.value("select count(*) from reservations") == 1


async def test_one_that_was_taken_for_a_crash_and_is_settled_after_all_is_counted_once(
    books: Books, others: Books, tables: Tables, clock: Clock
) -> None:
    slow = await books.usage.reserve(plan(), "main", tokens=300)
    clock.advance(minutes=16)
    await others.usage.load()
    assert (await month(tables))["messages_used"] == 0

    await books.settle(slow, spent(40, 2))

    assert await month(tables) == {"messages_used": 1, "input_tokens": 40, "output_tokens": 2, "api_calls": 0}
    assert [(day["model"], day["messages"], day["input_tokens"]) for day in await days(tables)] == [
        ("sonnet", 1, 40),
        ("unknown", 0, 0),
    ]


async def test_giving_back_counts_what_was_spent_and_a_second_time_nothing(books: Books, tables: Tables) -> None:
    failed = await books.usage.reserve(plan(), "main", tokens=300)

    await books.usage.give_back(failed, spent(80, 3))
    await books.usage.give_back(failed, spent(80, 3))

    assert await month(tables) == {"messages_used": 0, "input_tokens": 80, "output_tokens": 3, "api_calls": 0}
    (day,) = await days(tables)
    assert (day["messages"], day["calls"], day["input_tokens"], day["output_tokens"]) == (0, 1, 80, 3)

    answered = await books.usage.reserve(plan(), "main", tokens=300)
    await books.settle(answered, spent())
    await books.usage.give_back(answered, spent())
    assert (await month(tables))["messages_used"] == 1


async def test_who_goes_while_it_is_reserved_leaves_nothing_behind(books: Books, tables: Tables) -> None:
    for patience in range(200):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience / 20_000):
                reservation = await books.usage.reserve(plan(), "main", tokens=1)
            await books.usage.give_back(reservation)

    assert await tables.value("select count(*) from reservations") == 0
    assert await tables.value("select coalesce(sum(messages_used), 0) from usage") == 0


async def test_a_turn_is_booked_where_it_began_and_the_new_month_begins_at_nothing(
    books: Books, tables: Tables, clock: Clock
) -> None:
    clock.now = clock.now.replace(month=11, day=30, hour=23, minute=59, second=58, microsecond=0)
    one = plan(messages_per_month=1)
    old = await books.usage.reserve(one, "main", tokens=1)
    clock.advance(seconds=5)
    new = await books.usage.reserve(one, "main", tokens=1)

    await books.settle(old, spent(7, 1))
    await books.settle(new, spent(9, 2))

    assert await tables.rows("select messages_used as m, input_tokens as t from usage order by period_start") == [
        {"m": 1, "t": 7},
        {"m": 1, "t": 9},
    ]
    assert [(day["day"].day, day["input_tokens"]) for day in await days(tables)] == [(30, 7), (1, 9)]
    assert books.usage.current().input_tokens == 9


async def test_each_model_and_purpose_has_its_row_with_what_it_cost(books: Books, tables: Tables) -> None:
    reservation = await books.usage.reserve(plan(), "main", tokens=1)
    await books.settle(
        reservation, (*spent(100, 10), *spent(50, 20, model="haiku", purpose="compaction"), *spent(1, 1))
    )

    assert [
        (day["model"], day["purpose"], day["messages"], day["calls"], day["input_tokens"], day["cost_micros"])
        for day in await days(tables)
    ] == [
        ("haiku", "compaction", 0, 1, 50, 50 * 300 + 20 * 1500),
        ("sonnet", "chat", 1, 2, 101, 101 * 300 + 11 * 1500),
    ]


async def test_a_turn_that_nobody_asked_for_is_no_message(books: Books, tables: Tables) -> None:
    beat = await books.usage.reserve(plan(messages_per_month=0), "main", source="heartbeat", tokens=1)

    await books.settle(beat, spent(purpose="heartbeat"))

    assert await month(tables) == {"messages_used": 0, "input_tokens": 10, "output_tokens": 5, "api_calls": 0}
    (day,) = await days(tables)
    assert (day["purpose"], day["messages"]) == ("heartbeat", 0)


async def test_whatever_order_they_end_in_the_days_add_up_to_the_month(
    books: Books, others: Books, tables: Tables
) -> None:
    async def turn(number: int) -> None:
        mine = (books, others)[number % 2]
        source = "heartbeat" if number % 5 == 0 else "chat"
        purpose = "heartbeat" if number % 5 == 0 else "chat"
        reservation = await mine.usage.reserve(plan(), "main", source=source, tokens=10)  # type: ignore[arg-type]
        entries = spent(number, 1, model=("sonnet", "haiku")[number % 2], purpose=purpose)  # type: ignore[arg-type]
        if number % 3 == 0:
            await mine.usage.give_back(reservation, entries)
        else:
            await mine.settle(reservation, entries)

    await asyncio.gather(*(turn(number) for number in range(60)))

    (sums,) = await tables.rows(
        "select sum(messages)::int as m, sum(input_tokens)::int as i, sum(output_tokens)::int as o from usage_daily"
    )
    used = await month(tables)
    assert (sums["m"], sums["i"], sums["o"]) == (used["messages_used"], used["input_tokens"], used["output_tokens"])
    assert used["input_tokens"] == sum(range(60))
    assert await tables.value("select count(*) from reservations") == 0
