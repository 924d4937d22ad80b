"""Storage: measured when something is written, refused with a word, and free again when enough was deleted."""

from collections.abc import AsyncIterator

import pytest

from claw_crds.configuration import PlanConfiguration
from claw_runtime.database import Database
from claw_runtime.problems import Problem
from claw_runtime.usage.storage import EVERY, EVERY_WHEN_FULL, Storage
from tests.clock import Clock
from tests.integration.runtime.ledgers import database
from tests.integration.runtime.world import Runtime, Tables

MIB = 2**20


@pytest.fixture
async def opened(tables: Tables) -> AsyncIterator[Database]:
    """A database with our schema."""
    async with database(tables.url) as opened:
        yield opened


def plan(storage_bytes: int | None) -> PlanConfiguration:
    return PlanConfiguration(name="pro", display_name="Pro", storage_bytes=storage_bytes)


async def fill(tables: Tables, mebibytes: int) -> None:
    """Keep so much that no compression makes it smaller: in short rows, and in long ones, which are kept elsewhere."""
    for size in (1, 16):
        await tables.rows(
            """insert into conversations (id, agent_id, title, created_at, updated_at)
               select gen_random_uuid(), n::text,
                      (select string_agg(gen_random_uuid()::text, '') from generate_series(1, %s) where n > 0),
                      now(), now() from generate_series(1, %s) n""",
            28 * size,
            mebibytes * 1024 // size // 2,
        )


async def is_refused(storage: Storage, limit: int, adding: int = 0) -> bool:
    try:
        await storage.check(plan(limit), adding)
    except Problem as problem:
        return (problem.kind.slug, problem.kind.status) == ("storage-full", 507)
    return False


async def test_who_deletes_enough_can_write_again_although_the_files_stay(
    opened: Database, tables: Tables, clock: Clock
) -> None:
    storage = Storage(opened, clock)
    empty = await tables.value("select pg_database_size(current_database())")
    limit = (empty + 4 * MIB) * 20 // 19
    assert not await is_refused(storage, limit)

    await fill(tables, 6)
    clock.advance(seconds=EVERY.total_seconds())
    assert await is_refused(storage, limit)
    used = storage.used_bytes
    assert used is not None
    assert abs(used - await tables.value("select pg_database_size(current_database())")) < 1.5 * MIB

    await tables.rows("delete from conversations where mod(agent_id::int, 3) > 0")
    clock.advance(seconds=EVERY_WHEN_FULL.total_seconds())
    assert not await is_refused(storage, limit)
    assert await tables.value("select pg_database_size(current_database())") > limit


async def test_what_is_written_between_two_measurements_is_added_up(opened: Database, clock: Clock) -> None:
    storage = Storage(opened, clock)
    await storage.check(plan(100 * MIB))
    assert storage.used_bytes is not None
    limit = (storage.used_bytes + 3 * MIB) * 20 // 19

    assert not await is_refused(storage, limit, 2 * MIB)
    assert await is_refused(storage, limit, 2 * MIB)

    clock.advance(seconds=EVERY_WHEN_FULL.total_seconds())  # nothing of it was written in the end
    assert not await is_refused(storage, limit, 2 * MIB)


async def test_it_is_measured_once_a_minute_and_without_a_limit_never(
    opened: Database, tables: Tables, clock: Clock
) -> None:
    unlimited, storage = Storage(opened, clock), Storage(opened, clock)
    await storage.check(plan(100 * MIB))
    await tables.go_away()

    for _ in range(5):
        await unlimited.check(plan(None), 10 * MIB)
        await storage.check(plan(100 * MIB))

    assert not opened.away
    assert unlimited.used_bytes is None
    await tables.come_back()


async def test_a_full_instance_answers_reads_and_refuses_what_would_be_kept(runtime: Runtime) -> None:
    kept = await runtime.post("/api/memory", {"content": "Bello is a dog."})
    await runtime.configure(storage_bytes=1)

    refusals = [
        await runtime.post("/api/memory", {"content": "Felix is a cat."}),
        await runtime.chat(),
        await runtime.call("PUT", "/api/workspace/notes.md", json={"content": "x"}),
    ]

    assert {(answer.status, answer.problem, answer.json["limitName"]) for answer in refusals} == {
        (507, "storage-full", "storage")
    }
    assert all(answer.json["used"] > answer.json["limit"] == 1 for answer in refusals)
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refusals)
    assert (await runtime.get("/api/memory")).status == 200
    assert (await runtime.get("/api/usage")).json["storageBytes"]["remaining"] == 0
    assert (await runtime.call("DELETE", f"/api/memory/{kept.json['id']}")).status == 204
