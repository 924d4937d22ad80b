"""The stack's PostgreSQL, and the database of the customers in it."""

import secrets
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import sql

from claw_dev.postgres import create_owned_database, drop_database, is_reachable, with_database


@pytest.fixture
async def owned(postgres_url: str) -> AsyncIterator[tuple[str, str]]:
    """The name of a database with an owner of its own, and the owner's URL."""
    name = f"owned_{secrets.token_hex(4)}"
    yield name, await create_owned_database(postgres_url, name, "first/password")
    await drop_database(postgres_url, name)
    await run(postgres_url, sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


async def run(url: str, statement: sql.Composed | sql.SQL) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(statement)


async def test_the_owner_can_do_everything_in_its_database(owned: tuple[str, str]) -> None:
    _, url = owned

    await run(url, sql.SQL("CREATE TABLE customers (id text)"))


async def test_no_other_role_can_connect(owned: tuple[str, str], postgres_url: str) -> None:
    name, _ = owned
    stranger = f"stranger_{secrets.token_hex(4)}"
    role = sql.Identifier(stranger)
    await run(postgres_url, sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'known'").format(role))

    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            await run(with_database(postgres_url, name, user=stranger, password="known"), sql.SQL("SELECT 1"))
    finally:
        await run(postgres_url, sql.SQL("DROP ROLE {}").format(role))


async def test_a_wrong_password_is_refused(owned: tuple[str, str], postgres_url: str) -> None:
    name, _ = owned

    assert not await is_reachable(with_database(postgres_url, name, user=name, password="guess"))


async def test_a_database_that_exists_keeps_its_data_and_its_owner_gets_the_new_password(
    owned: tuple[str, str], postgres_url: str
) -> None:
    name, before = owned
    await run(before, sql.SQL("CREATE TABLE kept ()"))

    after = await create_owned_database(postgres_url, name, "second")

    await run(after, sql.SQL("SELECT * FROM kept"))
    assert not await is_reachable(before)


async def test_upper_and_lower_case_follow_unicode(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute("SELECT lower('ÄÖÜ')")
        assert await cursor.fetchone() == ("äöü",)


async def test_a_server_that_is_not_there_is_not_reachable() -> None:
    assert not await is_reachable("postgresql://nobody:x@127.0.0.1:1/postgres")
