"""The database: asleep, away, back, and two runtimes that meet in it."""

import asyncio

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from claw_crds.plan import Limits
from claw_dev.simulators.claude.simulator import simulated_claude
from claw_runtime.database import Database, DatabaseAway
from claw_runtime.migrations import migrate, migrations
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.world import Runtime, Tables, running, settings


async def test_while_the_database_is_away_the_runtime_says_so_and_comes_back_by_itself(
    runtime: Runtime, tables: Tables
) -> None:
    assert (await runtime.chat()).status == 200
    await tables.go_away()

    answers = await asyncio.gather(*(runtime.chat() for _ in range(20)))

    assert {(answer.status, answer.problem) for answer in answers} == {(503, "database-away")}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert (await runtime.get("/health", bearer=None)).status == 200
    assert (await runtime.get("/status")).json["usage"]["messagesUsed"] == 1
    ready = await runtime.get("/ready", bearer=None)
    assert (ready.status, ready.problem) == (503, "database-away")
    report = await runtime.report()
    assert (report["ready"], report["message"]) == (False, "The runtime's database does not answer.")

    await tables.come_back()

    async def reported() -> bool:
        return bool((await runtime.report())["ready"])

    await eventually(reported)
    assert (await runtime.chat()).status == 200
    assert (await runtime.get("/ready", bearer=None)).status == 200
    assert await tables.value("select messages_used from usage") == 2


async def test_lost_connections_are_replaced_without_a_failed_request(runtime: Runtime, tables: Tables) -> None:
    await asyncio.gather(*(runtime.get("/api/memory") for _ in range(20)))
    await tables.go_away()
    await tables.come_back()

    answers = await asyncio.gather(*(runtime.get("/api/memory") for _ in range(20)))

    assert {answer.status for answer in answers} == {200}


async def test_a_runtime_starts_before_its_database_does(environment: Settings, clock: Clock, tables: Tables) -> None:
    await tables.go_away()
    async with running(environment, clock) as runtime:
        assert (await runtime.get("/health", bearer=None)).status == 200

        async def noticed() -> bool:
            return (await runtime.get("/ready", bearer=None)).status == 503 and runtime.services.database.away

        await eventually(noticed)
        report = await runtime.report()
        assert (report["ready"], report["uid"]) == (False, None)
        assert "has not answered yet" in report["message"]

        await tables.come_back()

        await runtime.ready()
        await runtime.configure()
        assert (await runtime.chat()).status == 200


async def test_a_database_that_refuses_is_told_apart_from_one_that_is_away(
    runtime: Runtime, tables: Tables, environment: Settings
) -> None:
    password = str(conninfo_to_dict(tables.url)["password"])
    assert (await runtime.report())["databaseRefuses"] is False
    await tables.change_password("another")
    assert (await runtime.chat()).problem == "database-away"

    async def refused() -> bool:
        report = await runtime.report()
        return report["databaseRefuses"] and not report["ready"]

    await eventually(refused)
    assert (await runtime.report())["message"] == "The runtime's database refuses its credentials."

    await tables.go_away()
    await tables.change_password(password)

    async def merely_away() -> bool:
        report = await runtime.report()
        return report["message"] == "The runtime's database does not answer." and not report["databaseRefuses"]

    await eventually(merely_away)
    await tables.come_back()

    async def ready() -> bool:
        return bool((await runtime.report())["ready"])

    await eventually(ready)
    assert (await runtime.report())["databaseRefuses"] is False


async def test_an_answer_survives_a_database_that_goes_while_it_is_given(
    tables: Tables, clock: Clock, environment: Settings
) -> None:
    async with (
        simulated_claude(pace=0.02) as claude,
        running(settings(tables.url, claude.url, environment.workspace_dir), clock) as runtime,
    ):
        await runtime.configure()
        asking = asyncio.create_task(runtime.chat("Tell me a story. " * 10, stream=True))
        await eventually(claude.calls.all)
        await tables.go_away()
        assert (await runtime.get("/api/memory")).status == 503
        await tables.come_back()

        answer = await asking

        assert [name for name, _ in answer.events][-1] == "done"
        assert await tables.value("select messages_used from usage") == 1
        assert await tables.value("select count(*) from messages") == 2
        assert await tables.value("select count(*) from reservations") == 0


async def test_reading_status_and_usage_never_touches_the_database(runtime: Runtime, tables: Tables) -> None:
    await runtime.chat()
    await tables.go_away()

    assert (await runtime.report())["usage"]["messagesUsed"] == 1
    assert (await runtime.get("/status")).status == 200
    assert not runtime.services.database.away, "nobody has asked the database, so nobody noticed"


async def test_an_idle_runtime_holds_no_connection(tables: Tables) -> None:
    database = Database(tables.url, idle_seconds=0.1)
    await database.open()

    async def work() -> None:
        async with database.connection() as connection:
            await connection.execute("select pg_sleep(0.05)")

    await asyncio.gather(*(work() for _ in range(20)))
    assert await tables.connections() > 1

    async def asleep() -> bool:
        return await tables.connections() == 0

    await eventually(asleep)
    await work()
    await database.close()


async def test_two_runtimes_that_start_at_once_make_one_schema(tables: Tables) -> None:
    first, second = Database(tables.url), Database(tables.url)
    await asyncio.gather(first.open(), second.open())

    versions = await asyncio.gather(*(migrate(database) for database in (first, second) * 5))

    assert set(versions) == {len(migrations())}
    assert await tables.value("select count(*) from schema_migrations") == len(migrations())
    await asyncio.gather(first.close(), second.close())


async def test_two_runtimes_on_one_database_share_one_limit(
    environment: Settings, clock: Clock, tables: Tables
) -> None:
    async with running(environment, clock) as first, running(environment, clock) as second:
        second.key = first.key
        await asyncio.gather(*(each.configure(limits=Limits(messages_per_month=10)) for each in (first, second)))

        answers = await asyncio.gather(*(each.chat() for each in (first, second) for _ in range(25)))

        assert sorted(answer.status for answer in answers) == [200] * 10 + [429] * 40
        assert await tables.value("select messages_used from usage") == 10


async def test_a_newer_schema_is_left_alone(environment: Settings, clock: Clock, tables: Tables) -> None:
    async with running(environment, clock) as first:
        await first.configure()
    await tables.rows("insert into schema_migrations (version, name) values (9999, '9999_later')")

    async with running(environment, clock) as second:
        await second.ready()
        assert await tables.value("select max(version) from schema_migrations") == 9999


async def test_a_failed_migration_leaves_nothing_behind(tables: Tables) -> None:
    await tables.rows("create table memories (id int)")  # somebody else's, in the way
    database = Database(tables.url)
    await database.open()

    with pytest.raises(psycopg.errors.DuplicateTable):
        await migrate(database)

    assert await tables.value("select to_regclass('schema_migrations')") is None
    assert await tables.value("select to_regclass('conversations')") is None
    await database.close()


async def test_a_statement_that_does_not_end_is_ended(tables: Tables) -> None:
    database = Database(tables.url, work_seconds=0.3)
    await database.open()

    with pytest.raises(DatabaseAway):
        async with database.connection() as connection:
            await connection.execute("select pg_sleep(60)")

    await database.wait_until_present(5)
    async with database.connection() as connection:
        await connection.execute("select 1")
    await database.close()
