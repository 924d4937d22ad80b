"""What a pass opens, for whom, how often and until when."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from claw_webhook.database import Pool
from claw_webhook.front.passes import Passes, PassKind
from tests.clock import Clock

HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 22, 12, 0, tzinfo=UTC))


@pytest.fixture
async def passes(pool: Pool, clock: Clock) -> Passes:
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO customers VALUES ('cus_ada', 'ada@example.com', 'Ada', NULL, 'UTC', 'en', now(), now())"
        )
    return Passes(pool, clock=clock)


async def test_a_pass_is_for_one_purpose_and_opens_nothing_else(passes: Passes) -> None:
    token = await passes.issue(PassKind.SIGN_IN, "cus_ada", lifetime=HOUR)
    for other in (PassKind.SESSION, PassKind.EXPORT):
        assert await passes.look(token, other) is None
        assert await passes.use(token, other) is None
    assert await passes.look(token, PassKind.SIGN_IN) is not None
    assert await passes.look("x" * 43, PassKind.SIGN_IN) is None


async def test_of_many_who_use_a_pass_at_the_same_time_one_gets_in(passes: Passes) -> None:
    token = await passes.issue(PassKind.SIGN_IN, "cus_ada", lifetime=HOUR)
    used = await asyncio.gather(*(passes.use(token, PassKind.SIGN_IN) for _ in range(8)))
    assert sum(found is not None for found in used) == 1
    assert await passes.look(token, PassKind.SIGN_IN) is None


async def test_a_pass_expires(passes: Passes, clock: Clock) -> None:
    token = await passes.issue(PassKind.SESSION, "cus_ada", lifetime=HOUR)
    clock.now += HOUR - timedelta(seconds=1)
    assert await passes.look(token, PassKind.SESSION) is not None
    clock.now += timedelta(seconds=1)
    assert await passes.look(token, PassKind.SESSION) is None
    assert await passes.use(token, PassKind.SESSION) is None


async def test_the_passes_of_somebody_who_was_erased_open_nothing(passes: Passes, pool: Pool) -> None:
    token = await passes.issue(PassKind.SESSION, "cus_ada", lifetime=HOUR)
    async with pool.connection() as connection:
        await connection.execute("UPDATE customers SET erased_at = now()")
    assert await passes.look(token, PassKind.SESSION) is None


async def test_what_has_expired_is_swept_away(passes: Passes, pool: Pool, clock: Clock) -> None:
    for _ in range(3):
        await passes.issue(PassKind.SIGN_IN, "cus_ada", lifetime=HOUR)
        clock.now += 2 * HOUR
    kept = await passes.issue(PassKind.SIGN_IN, "cus_ada", lifetime=HOUR)
    async with pool.connection() as connection:
        rows = await (await connection.execute("SELECT * FROM passes")).fetchall()
    assert len(rows) == 1
    assert await passes.look(kept, PassKind.SIGN_IN) is not None
