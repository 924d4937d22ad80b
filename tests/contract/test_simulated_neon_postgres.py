"""With a PostgreSQL server, the branches of the simulated Neon are real databases."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from claw_dev.simulators.neon.simulator import NeonSimulator
from tests.contract.neon_world import ROLE, Client, branch_named, client_of, simulated_neon
from tests.eventually import eventually


@pytest.fixture
async def neon(postgres_url: str) -> AsyncIterator[NeonSimulator]:
    async with simulated_neon(postgres_url=postgres_url) as running:
        yield running


@pytest.fixture
async def client(neon: NeonSimulator) -> AsyncIterator[Client]:
    async with client_of(neon) as ready:
        yield ready


async def run(uri: str, statement: str) -> list[tuple[object, ...]]:
    """What the statement returns, over a connection of its own."""
    async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as connection:
        cursor = await connection.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []


async def refuses(uri: str) -> bool:
    """Whether nobody gets in with it."""
    try:
        await run(uri, "SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


async def default_uri(client: Client) -> str:
    return await client.uri(client.neon.world.default_branch(client.neon.project_id).id)


async def test_a_branch_is_a_copy_with_the_parents_rows_which_its_own_role_owns(client: Client) -> None:
    parent = await default_uri(client)
    await run(parent, "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('from the parent')")
    child = await client.uri((await client.new_branch("claw-a"))["branch"]["id"])
    await run(child, "ALTER TABLE notes ADD COLUMN more text; INSERT INTO notes VALUES ('from the child')")
    assert await run(child, "SELECT text FROM notes ORDER BY 1") == [("from the child",), ("from the parent",)]
    assert await run(parent, "SELECT * FROM notes") == [("from the parent",)]
    await run(parent, "CREATE TABLE still_its_owner ()")


async def test_whoever_knows_the_parents_password_gets_into_the_child_until_it_is_reset(client: Client) -> None:
    parent = urlsplit(await default_uri(client))
    branch_id = (await client.new_branch("claw-a"))["branch"]["id"]
    inherited = await client.uri(branch_id)
    assert urlsplit(inherited).password == parent.password
    async with await psycopg.AsyncConnection.connect(inherited) as open_connection:
        await client.post(f"{client.here}/branches/{branch_id}/roles/{ROLE}/reset_password")
        await client.neon.chains.settled()
        with pytest.raises(psycopg.OperationalError):
            await open_connection.execute("SELECT 1")
    assert await refuses(inherited)
    assert await run(await client.uri(branch_id), "SELECT 1") == [(1,)]


async def test_a_schema_only_branch_has_tables_without_rows(client: Client) -> None:
    await run(await default_uri(client), "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('secret')")
    made = await client.new_branch("claw-a", init_source="schema-only")
    assert await run(await client.uri(made["branch"]["id"]), "SELECT * FROM notes") == []


async def test_a_disabled_compute_throws_everybody_out_and_lets_nobody_in(client: Client) -> None:
    made = await client.new_branch("claw-a")
    uri = await client.uri(made["branch"]["id"])
    endpoint = f"{client.here}/endpoints/{made['endpoints'][0]['id']}"
    async with await psycopg.AsyncConnection.connect(uri) as open_connection:
        await client.patch(endpoint, {"endpoint": {"disabled": True}})
        await client.neon.chains.settled()
        with pytest.raises(psycopg.OperationalError):
            await open_connection.execute("SELECT 1")
    assert await refuses(uri)
    await client.patch(endpoint, {"endpoint": {"disabled": False}})
    await client.neon.chains.settled()
    assert await run(uri, "SELECT 1") == [(1,)]


async def test_one_branch_is_closed_to_the_role_of_another(client: Client) -> None:
    first = await client.uri((await client.new_branch("claw-a"))["branch"]["id"])
    second = await client.uri((await client.new_branch("claw-b"))["branch"]["id"])
    assert await refuses(urlunsplit(urlsplit(first)._replace(path=urlsplit(second).path)))


async def test_the_size_of_a_branch_is_that_of_its_databases(client: Client) -> None:
    branch_id = (await client.new_branch("claw-a"))["branch"]["id"]
    filled = "CREATE TABLE filled AS SELECT repeat('x', 500) FROM generate_series(1, 10000)"
    await run(await client.uri(branch_id), filled)
    size = (await client.get(f"{client.here}/branches/{branch_id}")).json()["branch"]["logical_size"]

    async def has_grown() -> bool:
        seen = (await client.get(f"{client.here}/branches/{branch_id}")).json()["branch"]["logical_size"]
        return bool(seen > 10_000_000)

    await eventually(has_grown)
    assert size > 0


async def test_a_deleted_branch_takes_its_database_along(client: Client, postgres_url: str) -> None:
    made = await client.new_branch("claw-a")
    uri = await client.uri(made["branch"]["id"])
    async with await psycopg.AsyncConnection.connect(uri):
        await client.delete(f"{client.here}/branches/{made['branch']['id']}")
        await client.neon.chains.settled()
    name = urlsplit(uri).path.removeprefix("/")
    assert await run(postgres_url, f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == []
    with pytest.raises(StopIteration):
        branch_named(client.neon, "claw-a")


async def test_the_server_is_left_as_it_was_found(postgres_url: str) -> None:
    everything = "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1"
    before = await run(postgres_url, everything)
    async with simulated_neon(postgres_url=postgres_url) as neon, client_of(neon) as client:
        await client.new_branch("claw-a")
        await client.post("/projects", {"project": {"name": "claw-b"}})
    assert await run(postgres_url, everything) == before
