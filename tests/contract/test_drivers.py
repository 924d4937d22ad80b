"""What the loop relies on, whoever the provider is. Every driver has to keep this; its own tests are beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path

import psycopg
import pytest

from claw_operator.external import ComputeDriver, ComputeState, DatabaseDriver, Owner, Transient
from claw_operator.external.local import LocalDriver
from claw_operator.external.postgres import PostgresDriver
from tests.contract.owners import compute_of, database_of, new_owner
from tests.eventually import eventually

DATABASE_DRIVERS: dict[str, Callable[[str], AbstractAsyncContextManager[DatabaseDriver]]] = {
    "postgres": lambda url: aclosing(PostgresDriver(url)),
}
COMPUTE_DRIVERS: dict[str, Callable[[Path], AbstractAsyncContextManager[ComputeDriver]]] = {
    "local": lambda directory: aclosing(LocalDriver(directory, ("sleep", "1000"))),
}


@pytest.fixture(params=DATABASE_DRIVERS)
async def databases(request: pytest.FixtureRequest, postgres_url: str) -> AsyncIterator[DatabaseDriver]:
    async with DATABASE_DRIVERS[request.param](postgres_url) as driver:
        yield driver


@pytest.fixture(params=COMPUTE_DRIVERS)
async def computes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ComputeDriver]:
    async with COMPUTE_DRIVERS[request.param](tmp_path / "instances") as driver:
        yield driver


def test_a_driver_goes_by_the_name_that_a_spec_calls_it(databases: DatabaseDriver, computes: ComputeDriver) -> None:
    assert databases.name in DATABASE_DRIVERS
    assert computes.name in COMPUTE_DRIVERS


async def test_a_database_is_made_once_opened_and_removed(databases: DatabaseDriver) -> None:
    owner, neighbour = new_owner("claw-one"), new_owner("claw-two")
    assert await databases.observe(owner) is None
    await databases.delete(owner)  # nothing to do is no error

    made = await asyncio.gather(*(databases.create(database_of(owner)) for _ in range(3)))
    assert len({database.id for database in made}) == 1
    await eventually(lambda: _is_ready(databases, owner))
    other = await databases.create(database_of(neighbour))
    assert other.id != made[0].id

    old, new = await databases.issue_credentials(owner), await databases.issue_credentials(owner)
    async with await psycopg.AsyncConnection.connect(new) as session:
        await session.execute("CREATE TABLE memories (content text)")
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(old)
    again = await databases.create(database_of(owner))
    async with await psycopg.AsyncConnection.connect(new) as session:  # creating again changed nothing
        await session.execute("SELECT content FROM memories")
    assert again.id == made[0].id

    await databases.delete(owner)
    await eventually(lambda: _is_gone(databases, owner))
    assert await databases.observe(neighbour) is not None
    await databases.delete(neighbour)


async def test_an_archived_database_lets_nobody_in_and_can_be_deleted(databases: DatabaseDriver) -> None:
    owner = new_owner()
    await databases.archive(owner)  # nothing to keep is no error
    await databases.create(database_of(owner))
    await eventually(lambda: _is_ready(databases, owner))
    url = await databases.issue_credentials(owner)
    await databases.archive(owner)
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(url)
    archived = await databases.observe(owner)
    assert archived is not None
    assert not archived.ready
    await databases.delete(owner)
    await eventually(lambda: _is_gone(databases, owner))


async def test_there_are_no_credentials_for_nothing(databases: DatabaseDriver) -> None:
    with pytest.raises(Transient):
        await databases.issue_credentials(new_owner())


async def test_a_compute_is_made_once_deployed_and_removed(computes: ComputeDriver) -> None:
    owner, neighbour = new_owner("claw-one"), new_owner("claw-two")
    assert await computes.observe(owner) is None
    await computes.delete(owner)  # nothing to do is no error

    made = await asyncio.gather(*(computes.create(compute_of(owner)) for _ in range(3)))
    assert {compute.state for compute in made} == {ComputeState.EMPTY}
    assert len({(compute.id, compute.url) for compute in made}) == 1
    other = await computes.create(compute_of(neighbour))
    assert other.url != made[0].url

    first, second = compute_of(owner, A="1"), compute_of(owner, A="2")
    for desired in (first, second):
        await computes.deploy(desired)
        await eventually(lambda: _is_running(computes, owner))
        running = await computes.observe(owner)
        assert running is not None
        assert running.fingerprint == desired.fingerprint
        assert (running.id, running.url) == (made[0].id, made[0].url)
        assert running.deployment_id
    assert await computes.create(second) == running  # creating again changes nothing
    assert (await computes.resize(second)).state is ComputeState.RUNNING

    await computes.delete(owner)
    await eventually(lambda: _is_gone(computes, owner))
    assert await computes.observe(neighbour) is not None
    await computes.delete(neighbour)


async def _is_ready(databases: DatabaseDriver, owner: Owner) -> bool:
    observed = await databases.observe(owner)
    return observed is not None and observed.ready


async def _is_running(computes: ComputeDriver, owner: Owner) -> bool:
    observed = await computes.observe(owner)
    return observed is not None and observed.state is ComputeState.RUNNING


async def _is_gone(driver: DatabaseDriver | ComputeDriver, owner: Owner) -> bool:
    return await driver.observe(owner) is None
