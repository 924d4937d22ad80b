"""The postgres driver against a real PostgreSQL: what the server holds afterwards, whatever happened on the way."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from claw_operator.external import (
    Marked,
    NameTaken,
    Owner,
    Transient,
    Unauthorized,
)
from claw_operator.external.postgres import PostgresDriver, connection_url
from tests.contract.owners import database_of, new_owner
from tests.contract.postgres_wire import Cut, wire


class Server:
    """What a person with psql would see as the superuser."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def run(self, statement: str, *parameters: object, **names: str) -> list[tuple[Any, ...]]:
        quoted = sql.SQL(statement).format(**{key: sql.Identifier(name) for key, name in names.items()})
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            cursor = await connection.execute(quoted, parameters or None)
            return await cursor.fetchall() if cursor.description else []

    async def things_named(self, name: str) -> list[str]:
        rows = await self.run(
            "SELECT 'role' FROM pg_roles WHERE rolname = %s"
            " UNION SELECT 'database' FROM pg_database WHERE datname = %s",
            name,
            name,
        )
        return sorted(kind for (kind,) in rows)

    async def comments(self, name: str) -> tuple[str | None, str | None]:
        """Those of the role and of the database."""
        ((role, database),) = await self.run(
            "SELECT (SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s),"
            " (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s)",
            name,
            name,
        )
        return role, database

    async def is_closed_to_others(self, name: str) -> bool:
        """Whether nobody but the owner and superusers may connect; also true when there is no such database."""
        rows = await self.run(
            "SELECT 1 FROM pg_database WHERE datname = %s AND datallowconn"
            " AND has_database_privilege('pg_monitor', oid, 'CONNECT')",
            name,
        )
        return not rows


@pytest.fixture
def server(postgres_url: str) -> Server:
    return Server(postgres_url)


@pytest.fixture
async def driver(postgres_url: str) -> AsyncIterator[PostgresDriver]:
    async with aclosing(PostgresDriver(postgres_url)) as driver:
        yield driver


@pytest.fixture
async def owner(driver: PostgresDriver) -> AsyncIterator[Owner]:
    owner = new_owner()
    yield owner
    await driver.delete(owner)


async def ask(url: str, statement: str) -> Any:
    """The first value that the statement gives in the database of the URL."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(statement)
        row = await cursor.fetchone() if cursor.description else None
        return row[0] if row else None


async def fails(url: str, call: Callable[[PostgresDriver, Any], Awaitable[object]], argument: object) -> bool:
    """Whether the call fails for an operator of its own, which is gone afterwards. It may fail in one way only."""
    async with aclosing(PostgresDriver(url)) as driver:
        try:
            await call(driver, argument)
        except Transient:
            return True
        return False


def in_database(url: str, database: str) -> str:
    return make_conninfo(url, dbname=database)


async def test_role_and_database_bear_name_and_mark_and_little_else(
    server: Server, driver: PostgresDriver, owner: Owner
) -> None:
    observed = await driver.create(database_of(owner))

    assert observed.ready
    assert observed.host == conninfo_to_dict(server.url)["host"]
    assert observed.size_bytes is not None
    assert observed.size_bytes > 0
    name = owner.external_name
    assert await server.comments(name) == (owner.mark, owner.mark)
    assert await server.run(
        "SELECT rolcanlogin, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls,"
        " rolconnlimit BETWEEN 1 AND 50 FROM pg_roles WHERE rolname = %s",
        name,
    ) == [(True, False, True)]
    assert await server.run("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", name) == [(name,)]


async def test_the_role_can_make_tables_in_its_own_database(driver: PostgresDriver, owner: Owner) -> None:
    await driver.create(database_of(owner))
    url = (await driver.issue_credentials(owner)).direct
    await ask(url, "CREATE TABLE memories (id int)")
    assert await ask(url, "SELECT count(*) FROM memories") == 0


async def test_no_other_role_gets_in(driver: PostgresDriver, owner: Owner, server: Server) -> None:
    await driver.create(database_of(owner))
    neighbour = new_owner("claw-neighbour")
    try:
        await driver.create(database_of(neighbour))
        url = (await driver.issue_credentials(neighbour)).direct
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            await ask(in_database(url, owner.external_name), "SELECT 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await ask(url, f'SET ROLE "{owner.external_name}"')
    finally:
        await driver.delete(neighbour)


async def test_without_a_password_nobody_logs_in(driver: PostgresDriver, owner: Owner, postgres_url: str) -> None:
    await driver.create(database_of(owner))
    name = owner.external_name
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await ask(make_conninfo(postgres_url, user=name, dbname=name, password="guessed"), "SELECT 1")


async def test_no_password_is_sent_to_the_server_or_logged(
    postgres_url: str, owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with wire(postgres_url) as line:
        async with aclosing(PostgresDriver(line.url, new_password=lambda: "canary-password")) as driver:
            await driver.create(database_of(owner))
            url = (await driver.issue_credentials(owner)).direct
        assert "canary-password" in url
        assert b"SCRAM-SHA-256$" in line.sent
        assert b"canary-password" not in line.sent
        assert str(conninfo_to_dict(postgres_url)["password"]).encode() not in line.sent
    assert "canary-password" not in caplog.text


async def test_a_hostile_password_is_quoted_in_the_url(postgres_url: str, owner: Owner) -> None:
    async with aclosing(PostgresDriver(postgres_url, new_password=lambda: "a/b@c:d?e#f%20'\" +&=é")) as driver:
        await driver.create(database_of(owner))
        assert await ask((await driver.issue_credentials(owner)).direct, "SELECT 1") == 1


@pytest.mark.parametrize(
    ("admin", "expected"),
    [
        ("postgresql://a:b@db.example:6543/postgres", {"host": "db.example", "port": "6543"}),
        ("postgresql://a:b@db.example/postgres", {"host": "db.example", "port": "5432"}),
        ("postgresql://a:b@[::1]:5433/postgres", {"host": "::1", "port": "5433"}),
        ("host=/var/run/postgresql user=a", {"host": "/var/run/postgresql", "port": "5432"}),
        ("host=one,two port=1,2 user=a", {"host": "one,two", "port": "1,2"}),
        (
            "postgresql://a:b@h/p?sslmode=verify-full&sslrootcert=/a%20b.pem&sslkey=/secret.key&options=-cx%3D1",
            {"host": "h", "port": "5432", "sslmode": "verify-full", "sslrootcert": "/a b.pem"},
        ),
    ],
)
def test_the_url_leads_to_the_admins_server_and_carries_nothing_else_of_the_admin(
    admin: str, expected: dict[str, str]
) -> None:
    url = connection_url(admin, "claw-x", "p w")
    assert url.startswith("postgresql://")
    assert conninfo_to_dict(url) == {"user": "claw-x", "password": "p w", "dbname": "claw-x"} | expected


async def test_many_creations_at_once_make_one_of_each(postgres_url: str, server: Server) -> None:
    # Two operators, each with four sessions, and every owner asked for twice.
    drivers = [PostgresDriver(postgres_url), PostgresDriver(postgres_url)]
    owners = [new_owner(f"claw-{number}") for number in range(5)]
    try:
        made = await asyncio.gather(*(driver.create(database_of(owner)) for driver in drivers for owner in owners))
        assert [one.id for one in made[:5]] == [one.id for one in made[5:]]
        assert len({one.id for one in made}) == 5
        for owner in owners:
            assert await server.is_closed_to_others(owner.external_name)
    finally:
        await asyncio.gather(*(drivers[0].delete(owner) for owner in owners))
        for driver in drivers:
            await driver.aclose()


@pytest.mark.parametrize("how", list(Cut))
async def test_a_creation_cut_at_any_statement_is_finished_by_the_next(
    postgres_url: str, server: Server, driver: PostgresDriver, how: Cut
) -> None:
    async with wire(postgres_url) as line:
        for at in count(1):
            owner = new_owner()
            try:
                line.cut(at, how)
                if not await fails(line.url, PostgresDriver.create, database_of(owner)):
                    assert at > 5, "the wire was never cut where it matters"
                    break
                assert await server.is_closed_to_others(owner.external_name), (at, how)
                seen = await driver.observe(owner)
                finished = await driver.create(database_of(owner))
                assert finished.ready, (at, how)
                assert seen in (None, finished), (at, how)
                assert await server.comments(owner.external_name) == (owner.mark, owner.mark), (at, how)
                assert await server.is_closed_to_others(owner.external_name), (at, how)
                assert await ask((await driver.issue_credentials(owner)).direct, "SELECT 1") == 1, (at, how)
            finally:
                await driver.delete(owner)


@pytest.mark.parametrize("how", list(Cut))
async def test_a_deletion_cut_at_any_statement_is_seen_and_finished_by_the_next(
    postgres_url: str, server: Server, driver: PostgresDriver, how: Cut
) -> None:
    async with wire(postgres_url) as line:
        for at in count(1):
            owner = new_owner()
            await driver.create(database_of(owner))
            line.cut(at, how)
            was_cut = await fails(line.url, PostgresDriver.delete, owner)
            left = await server.things_named(owner.external_name)
            assert (await driver.observe(owner) is None) == (left == []), (at, how)
            await driver.delete(owner)
            assert await server.things_named(owner.external_name) == [], (at, how)
            if not was_cut:
                assert at > 5, "the wire was never cut where it matters"
                break


async def test_deletion_ends_sessions_and_takes_what_the_role_left_elsewhere(
    driver: PostgresDriver, server: Server, postgres_url: str
) -> None:
    owner = new_owner()
    await driver.create(database_of(owner))
    url = (await driver.issue_credentials(owner)).direct
    # Any role may make large objects wherever it may connect; they would keep the role from being dropped.
    left = [await ask(in_database(url, database), "SELECT lo_create(0)") for database in ("postgres", "template1")]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as session:
        await session.execute("CREATE TABLE t (id int)")
        await driver.delete(owner)
        with pytest.raises(psycopg.OperationalError):
            await session.execute("SELECT 1")
    assert await server.things_named(owner.external_name) == []
    assert await server.run("SELECT 1 FROM pg_largeobject_metadata WHERE oid = ANY(%s::oid[])", left) == []


UNTIL = datetime(2026, 12, 22, 7, 30, tzinfo=UTC)


async def test_an_archive_keeps_the_data_and_lets_nobody_in(
    driver: PostgresDriver, server: Server, owner: Owner, postgres_url: str
) -> None:
    created = await driver.create(database_of(owner))
    url = (await driver.issue_credentials(owner)).direct
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as session:
        await session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await driver.archive(owner, UNTIL)
        with pytest.raises(psycopg.OperationalError):
            await session.execute("SELECT 1")

    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        await ask(url, "SELECT 1")
    observed = await driver.observe(owner)
    assert observed is not None
    assert (observed.id, observed.ready, observed.message) == (created.id, False, "The database is archived.")
    mark = f"{owner.mark},state=archived,until=2026-12-22T07:30:00Z"
    assert await server.comments(owner.external_name) == (mark, mark)
    assert await ask(in_database(postgres_url, owner.external_name), "SELECT answer FROM kept") == 42
    await driver.archive(owner, UNTIL + timedelta(days=1))  # once more changes nothing
    assert await server.comments(owner.external_name) == (mark, mark)
    assert not (await driver.create(database_of(owner))).ready
    with pytest.raises(Transient, match="resumed first"):
        await driver.issue_credentials(owner)

    assert (await driver.resume(owner)).ready
    assert await server.comments(owner.external_name) == (owner.mark, owner.mark)
    assert await ask(url, "SELECT answer FROM kept") == 42
    await driver.archive(owner, UNTIL)
    await driver.delete(owner)
    assert await server.things_named(owner.external_name) == []


async def test_suspending_ends_sessions_and_an_archive_is_not_made_less_of_by_it(
    driver: PostgresDriver, server: Server, owner: Owner
) -> None:
    await driver.create(database_of(owner))
    url = (await driver.issue_credentials(owner)).direct
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as session:
        suspended = await driver.suspend(owner)
        with pytest.raises(psycopg.OperationalError):
            await session.execute("SELECT 1")
    assert (suspended.suspended, suspended.message) == (True, "The database is suspended.")
    await driver.archive(owner, UNTIL)
    before = await server.comments(owner.external_name)
    assert (await driver.suspend(owner)).message == "The database is archived."
    assert await server.comments(owner.external_name) == before


async def test_the_inventory_has_what_a_lost_call_left_and_nothing_of_strangers(
    driver: PostgresDriver, server: Server, owner: Owner
) -> None:
    unmarked, copied = new_owner(), new_owner()
    await server.run("CREATE ROLE {name}", name=unmarked.external_name)
    await server.run("CREATE ROLE {name}", name=copied.external_name)
    await server.run(f"COMMENT ON ROLE {{name}} IS '{owner.mark}'", name=copied.external_name)
    await server.run("CREATE ROLE {name}", name=owner.external_name)
    await server.run(f"COMMENT ON ROLE {{name}} IS '{owner.mark},state=creating'", name=owner.external_name)
    try:
        ours = {unmarked, copied, owner}
        assert [m for m in await driver.inventory() if m.owner in ours] == [Marked(owner, "")]
    finally:
        for stranger in (unmarked, copied):
            await server.run("DROP ROLE {name}", name=stranger.external_name)


STRANGERS = {
    "a role without a mark": ("CREATE ROLE {name} LOGIN",),
    "a role of another instance": ("CREATE ROLE {name}", "COMMENT ON ROLE {name} IS 'claw.dev/instance=claw/b,uid=1'"),
    "a database": ("CREATE DATABASE {name} TEMPLATE template0",),
    "both, without a mark": ("CREATE ROLE {name}", "CREATE DATABASE {name} OWNER {name} TEMPLATE template0"),
}


@pytest.mark.parametrize("statements", STRANGERS.values(), ids=STRANGERS.keys())
async def test_a_strangers_thing_is_neither_adopted_nor_deleted(
    driver: PostgresDriver, server: Server, statements: tuple[str, ...]
) -> None:
    owner = new_owner()
    name = owner.external_name
    try:
        for statement in statements:
            await server.run(statement, name=name)
        before = await server.things_named(name), await server.comments(name)

        with pytest.raises(NameTaken, match=name):
            await driver.create(database_of(owner))
        assert await driver.observe(owner) is None
        await driver.delete(owner)
        await driver.archive(owner, UNTIL)
        with pytest.raises(Transient):
            await driver.issue_credentials(owner)
        assert (await server.things_named(name), await server.comments(name)) == before
    finally:
        await server.run("DROP DATABASE IF EXISTS {name}", name=name)
        await server.run("DROP ROLE IF EXISTS {name}", name=name)


async def test_a_strangers_database_under_our_role_stays_when_the_role_goes(
    driver: PostgresDriver, server: Server
) -> None:
    owner = new_owner()
    name = owner.external_name
    await driver.create(database_of(owner))
    await server.run("DROP DATABASE {name}", name=name)
    await server.run("CREATE DATABASE {name} TEMPLATE template0", name=name)
    try:
        assert await driver.observe(owner) is None
        with pytest.raises(NameTaken):
            await driver.create(database_of(owner))
        await driver.delete(owner)
        assert await server.things_named(name) == ["database"]
    finally:
        await server.run("DROP DATABASE {name}", name=name)


async def test_an_owner_who_rewrites_the_comment_on_its_database_stays_the_owner(
    driver: PostgresDriver, owner: Owner, server: Server
) -> None:
    created = await driver.create(database_of(owner))
    url = (await driver.issue_credentials(owner)).direct
    await ask(url, f"COMMENT ON DATABASE \"{owner.external_name}\" IS 'mine'")
    assert (await driver.create(database_of(owner))).id == created.id
    await driver.delete(owner)
    assert await server.things_named(owner.external_name) == []


async def test_a_lost_database_is_gone_and_its_successor_is_another_one(
    driver: PostgresDriver, owner: Owner, server: Server
) -> None:
    lost = await driver.create(database_of(owner))
    await server.run("DROP DATABASE {name}", name=owner.external_name)
    assert await driver.observe(owner) is None
    found = await driver.create(database_of(owner))
    assert found.ready
    assert found.id != lost.id
    assert await server.is_closed_to_others(owner.external_name)


async def test_an_admin_that_is_no_superuser_can_do_it_all(server: Server, postgres_url: str) -> None:
    owner, admin = new_owner(), new_owner().external_name
    await server.run("CREATE ROLE {admin} LOGIN CREATEDB CREATEROLE PASSWORD 'limited'", admin=admin)
    driver = PostgresDriver(make_conninfo(postgres_url, user=admin, password="limited"))
    try:
        assert (await driver.create(database_of(owner))).ready
        url = (await driver.issue_credentials(owner)).direct
        await ask(in_database(url, "postgres"), "SELECT lo_create(0)")
        await driver.archive(owner, UNTIL)
        await driver.delete(owner)
        assert await server.things_named(owner.external_name) == []
    finally:
        await driver.aclose()
        await server.run("DROP ROLE {admin}", admin=admin)


async def test_an_admin_without_rights_is_told_so(server: Server, postgres_url: str) -> None:
    admin = new_owner().external_name
    await server.run("CREATE ROLE {admin} LOGIN PASSWORD 'nobody'", admin=admin)
    driver = PostgresDriver(make_conninfo(postgres_url, user=admin, password="nobody"))
    try:
        with pytest.raises(Unauthorized, match=r"claw-test.*permission denied to create role"):
            await driver.create(database_of(new_owner()))
    finally:
        await driver.aclose()
        await server.run("DROP ROLE {admin}", admin=admin)


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"user": "nobody-here"}, {"dbname": "not-there"}])
async def test_a_wrong_address_needs_a_person(postgres_url: str, wrong: dict[str, str]) -> None:
    driver = PostgresDriver(make_conninfo(postgres_url, **wrong))
    with pytest.raises(Unauthorized, match="CLAW_POSTGRES_ADMIN_URL"):
        await driver.observe(new_owner())


async def test_a_server_that_is_away_is_not_a_database_that_is_gone(unused_port: int) -> None:
    driver = PostgresDriver(f"postgresql://postgres:canary@127.0.0.1:{unused_port}/postgres")
    with pytest.raises(Transient, match="look for the database of claw-test") as raised:
        await driver.observe(new_owner())
    assert "canary" not in str(raised.value)


async def test_a_server_that_never_answers_costs_the_deadline_and_no_more(unused_port: int) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", unused_port):
        driver = PostgresDriver(f"postgresql://postgres@127.0.0.1:{unused_port}/postgres", deadline=0.2)
        started = time.monotonic()
        with pytest.raises(Transient, match="within"):
            await driver.observe(new_owner())
        assert time.monotonic() - started < 5


async def test_lost_sessions_are_replaced_without_an_error(postgres_url: str) -> None:
    async with wire(postgres_url) as line, aclosing(PostgresDriver(line.url)) as driver:
        await asyncio.gather(*(driver.observe(new_owner()) for _ in range(8)))
        line.hang_up()
        assert await asyncio.gather(*(driver.observe(new_owner()) for _ in range(8))) == [None] * 8


async def test_sessions_to_the_server_are_bounded(postgres_url: str, server: Server) -> None:
    url = make_conninfo(postgres_url, application_name="bounded")
    async with aclosing(PostgresDriver(url, connections=2)) as driver:
        await asyncio.gather(*(driver.observe(new_owner()) for _ in range(20)))
        ((sessions,),) = await server.run("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bounded'")
        assert 1 <= sessions <= 2


async def test_a_busy_name_is_waited_for_and_then_reported(
    postgres_url: str, driver: PostgresDriver, owner: Owner
) -> None:
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as session:
        await session.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [owner.external_name])
        async with aclosing(PostgresDriver(postgres_url, deadline=0.5)) as impatient:
            with pytest.raises(Transient, match="create the database of claw-test"):
                await impatient.create(database_of(owner))
    assert (await driver.create(database_of(owner))).ready


@pytest.fixture
async def unused_port() -> int:
    async with await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0) as probe:
        port: int = probe.sockets[0].getsockname()[1]
        return port
