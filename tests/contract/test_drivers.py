"""What the loop relies on, whoever the provider is. Every driver has to keep this; its own tests are beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import httpx
import psycopg
import pytest

from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_operator.external import (
    ComputeDriver,
    ComputeState,
    DatabaseDriver,
    DesiredDatabase,
    Marked,
    Owner,
    Transient,
)
from claw_operator.external.budget import Budget
from claw_operator.external.http import Api
from claw_operator.external.local import LocalDriver
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import Isolation, NeonOptions
from claw_operator.external.postgres import PostgresDriver
from claw_operator.external.railway import RailwayDriver
from claw_operator.external.railway.options import RailwayOptions
from tests.contract.neon_world import KEY, simulated_neon
from tests.contract.owners import compute_of, database_of, new_owner
from tests.contract.railway_world import TOKEN
from tests.eventually import eventually

# For drivers whose simulator takes milliseconds.
POLL_SECONDS = 0.01
SETTLE_SECONDS = 0.2


@asynccontextmanager
async def _neon(postgres_url: str, isolation: Isolation) -> AsyncIterator[DatabaseDriver]:
    async with simulated_neon(postgres_url=postgres_url) as neon, httpx.AsyncClient(trust_env=False) as session:
        api = Api(session, _no_limit("Neon"), provider="neon", random=Random(1).random)
        options = NeonOptions(
            url=neon.url,
            key=KEY,
            isolation=isolation,
            project_id=neon.project_id if isolation is Isolation.BRANCH else None,
            locked_pause_seconds=(0.01, 0.02),
            poll_seconds=POLL_SECONDS,
            settle_seconds=SETTLE_SECONDS,
        )
        async with aclosing(NeonDriver(api, options, random=Random(1).random)) as driver:
            yield driver


@asynccontextmanager
async def _railway(_: Path) -> AsyncIterator[ComputeDriver]:
    async with RailwaySimulator(token=TOKEN) as railway, httpx.AsyncClient(trust_env=False) as session:
        api = Api(session, _no_limit("Railway"), provider="railway", random=Random(1).random)
        options = RailwayOptions(
            url=railway.url,
            token=TOKEN,
            project_id=railway.project.id,
            domain_scheme="http",
            poll_seconds=POLL_SECONDS,
            settle_seconds=SETTLE_SECONDS,
        )
        async with aclosing(RailwayDriver(api, options, random=Random(1).random)) as driver:
            yield driver


def _no_limit(account: str) -> Budget:
    return Budget(account, per_second=10_000, burst=10_000)


DATABASE_DRIVERS: dict[str, Callable[[str], AbstractAsyncContextManager[DatabaseDriver]]] = {
    "postgres": lambda url: aclosing(PostgresDriver(url)),
    "neon by branch": partial(_neon, isolation=Isolation.BRANCH),
    "neon by project": partial(_neon, isolation=Isolation.PROJECT),
}
COMPUTE_DRIVERS: dict[str, Callable[[Path], AbstractAsyncContextManager[ComputeDriver]]] = {
    "local": lambda directory: aclosing(LocalDriver(directory, ("sleep", "1000"))),
    "railway": _railway,
}


@pytest.fixture(params=DATABASE_DRIVERS)
async def databases(request: pytest.FixtureRequest, postgres_url: str) -> AsyncIterator[DatabaseDriver]:
    async with DATABASE_DRIVERS[request.param](postgres_url) as driver:
        assert request.param.startswith(driver.name)
        yield driver


@pytest.fixture(params=COMPUTE_DRIVERS)
async def computes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ComputeDriver]:
    async with COMPUTE_DRIVERS[request.param](tmp_path / "instances") as driver:
        assert request.param.startswith(driver.name)
        yield driver


async def test_a_database_is_made_once_opened_and_removed(databases: DatabaseDriver) -> None:
    owner, neighbour = new_owner("claw-one"), new_owner("claw-two")
    assert await databases.observe(owner) is None
    await databases.delete(owner)  # nothing to do is no error

    made = await asyncio.gather(*(databases.create(database_of(owner)) for _ in range(3)))
    assert len({database.id for database in made}) == 1
    await eventually(lambda: _is_ready(databases, owner))
    other = await databases.create(database_of(neighbour))
    assert other.id != made[0].id

    old, new = (await databases.issue_credentials(owner)).direct, (await databases.issue_credentials(owner)).direct
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


async def test_a_suspended_database_lets_nobody_in_until_it_is_resumed(databases: DatabaseDriver) -> None:
    owner = new_owner()
    with pytest.raises(Transient):
        await databases.suspend(owner)
    created = await databases.create(database_of(owner))
    await eventually(lambda: _is_ready(databases, owner))
    url = (await databases.issue_credentials(owner)).direct
    async with await psycopg.AsyncConnection.connect(url) as session:
        await session.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    for _ in range(2):  # once more changes nothing
        await databases.suspend(owner)
        await eventually(lambda: _is_suspended(databases, owner))
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(url)
    suspended = await databases.observe(owner)
    assert suspended is not None
    assert (suspended.id, suspended.ready, bool(suspended.message)) == (created.id, False, True)

    for _ in range(2):
        await databases.resume(owner)
        await eventually(lambda: _is_ready(databases, owner))
    async with await psycopg.AsyncConnection.connect(url) as session:  # with the password that it had
        cursor = await session.execute("SELECT answer FROM kept")
        assert await cursor.fetchone() == (42,)
    await databases.delete(owner)


async def test_a_database_takes_on_the_size_of_another_plan_and_keeps_what_is_in_it(databases: DatabaseDriver) -> None:
    owner = new_owner()
    small = database_of(owner)
    large = replace(small, cpu_millis=2000, storage_bytes=2**30)
    with pytest.raises(Transient):
        await databases.adjust(small)
    created = await databases.create(small)
    await eventually(lambda: _is_ready(databases, owner))
    url = (await databases.issue_credentials(owner)).direct
    async with await psycopg.AsyncConnection.connect(url) as session:
        await session.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    for size, other in ((large, small), (large, small), (small, large)):  # once more changes nothing
        adjusted = await databases.adjust(size)
        assert (adjusted.id, adjusted.ready, adjusted.suspended) == (created.id, True, False)
        await eventually(partial(_has_size, databases, size))
        seen = await databases.observe(owner)
        assert seen is not None
        assert seen.size is None or not seen.is_sized_for(other)
    async with await psycopg.AsyncConnection.connect(url) as session:
        cursor = await session.execute("SELECT answer FROM kept")
        assert await cursor.fetchone() == (42,)
    await databases.delete(owner)


async def test_an_archived_database_lets_nobody_in_and_can_be_deleted(databases: DatabaseDriver) -> None:
    owner, until = new_owner(), datetime.now(UTC) + timedelta(days=30)
    await databases.archive(owner, until)  # nothing to keep is no error
    await databases.create(database_of(owner))
    await eventually(lambda: _is_ready(databases, owner))
    url = (await databases.issue_credentials(owner)).direct
    await databases.archive(owner, until)
    await databases.archive(owner, until + timedelta(days=30))
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(url)
    (archive,) = await eventually(lambda: _marked(databases, owner))
    assert archive.archived_until is not None
    assert abs(archive.archived_until - until) < timedelta(days=1)
    await databases.delete(owner)
    await eventually(lambda: _is_gone(databases, owner))
    await eventually(lambda: _are_gone(databases, owner))


async def test_the_inventory_of_databases_has_each_of_ours_once(databases: DatabaseDriver) -> None:
    owner, neighbour = new_owner("claw-one"), replace(new_owner("claw-two"), fleet="")
    made = [await databases.create(database_of(each)) for each in (owner, neighbour)]
    expected = [Marked(owner, made[0].id), Marked(neighbour, made[1].id)]
    await eventually(lambda: _are_listed(databases, expected))
    for each in (owner, neighbour):
        await databases.delete(each)
    await eventually(lambda: _are_gone(databases, owner, neighbour))


async def test_there_are_no_credentials_for_nothing(databases: DatabaseDriver) -> None:
    with pytest.raises(Transient):
        await databases.issue_credentials(new_owner())


async def test_a_compute_is_made_once_deployed_and_removed(computes: ComputeDriver) -> None:
    owner, neighbour = new_owner("claw-one"), new_owner("claw-two")
    assert await computes.observe(owner) is None
    await eventually(lambda: _is_deleted(computes, owner))  # nothing to do is no error

    made = await asyncio.gather(*(computes.create(compute_of(owner)) for _ in range(3)))
    assert {compute.state for compute in made} == {ComputeState.EMPTY}
    assert len({(compute.id, compute.url) for compute in made}) == 1
    other = await computes.create(compute_of(neighbour))
    assert other.url != made[0].url

    first, second = compute_of(owner, A="1"), compute_of(owner, A="2")
    for desired in (first, second):
        await computes.deploy(desired)
        await eventually(lambda: _is(computes, owner, ComputeState.RUNNING))
        running = await computes.observe(owner)
        assert running is not None
        assert running.fingerprint == desired.fingerprint
        assert (running.id, running.url) == (made[0].id, made[0].url)
        assert running.deployment_id
    assert await computes.create(second) == running  # creating again changes nothing
    assert (await computes.adjust(second)).state is ComputeState.RUNNING

    await computes.delete(owner)
    await eventually(lambda: _is_gone(computes, owner))
    assert await computes.observe(neighbour) is not None
    await computes.delete(neighbour)


async def test_a_suspended_compute_keeps_its_address_and_runs_again_when_it_is_deployed(
    computes: ComputeDriver,
) -> None:
    owner = new_owner()
    desired = compute_of(owner)
    with pytest.raises(Transient):
        await computes.suspend(owner)
    created = await computes.create(desired)
    await computes.deploy(desired)
    await eventually(lambda: _is(computes, owner, ComputeState.RUNNING))

    for _ in range(2):  # once more changes nothing
        await computes.suspend(owner)
        await eventually(lambda: _is(computes, owner, ComputeState.STOPPED))
    stopped = await computes.observe(owner)
    assert stopped is not None
    assert (stopped.id, stopped.url) == (created.id, created.url)

    await computes.deploy(desired)
    await eventually(lambda: _is(computes, owner, ComputeState.RUNNING))
    await computes.delete(owner)


async def test_a_domain_of_the_customers_own_is_told_with_what_it_still_needs(computes: ComputeDriver) -> None:
    owner = new_owner()
    desired = compute_of(owner)
    await computes.create(desired)
    assert (await computes.deploy(desired)).domain is None
    await eventually(lambda: _is(computes, owner, ComputeState.RUNNING))
    wished = replace(desired, domain="chat.example.com")
    for adjusted in (await computes.adjust(wished), await computes.adjust(wished), await computes.observe(owner)):
        assert adjusted is not None
        assert adjusted.state is ComputeState.RUNNING
        assert adjusted.domain is not None
        assert adjusted.domain.name == "chat.example.com"
        assert "chat" in adjusted.domain.records[0]
    assert (await computes.adjust(desired)).domain is None
    await computes.delete(owner)


async def test_the_inventory_of_computes_has_each_of_ours_once(computes: ComputeDriver) -> None:
    assert await computes.inventory() == []
    owner, neighbour = new_owner("claw-one"), replace(new_owner("claw-two"), fleet="")
    made = [await computes.create(compute_of(each)) for each in (owner, neighbour)]
    expected = [Marked(owner, made[0].id), Marked(neighbour, made[1].id)]
    await eventually(lambda: _are_listed(computes, expected))
    for each in (owner, neighbour):
        await computes.delete(each)
    await eventually(lambda: _are_gone(computes, owner, neighbour))


async def _is_ready(databases: DatabaseDriver, owner: Owner) -> bool:
    observed = await databases.observe(owner)
    return observed is not None and observed.ready


async def _has_size(databases: DatabaseDriver, desired: DesiredDatabase) -> bool:
    """Whether it has, as far as the driver can tell."""
    observed = await databases.observe(desired.owner)
    return observed is not None and observed.is_sized_for(desired)


async def _is_suspended(databases: DatabaseDriver, owner: Owner) -> bool:
    observed = await databases.observe(owner)
    return observed is not None and observed.suspended


async def _is(computes: ComputeDriver, owner: Owner, state: ComputeState) -> bool:
    observed = await computes.observe(owner)
    return observed is not None and observed.state is state


async def _is_deleted(driver: DatabaseDriver | ComputeDriver, owner: Owner) -> bool:
    """Whether a deletion went through. It may be too early to know that nothing is left."""
    try:
        await driver.delete(owner)
    except Transient:
        return False
    return True


async def _is_gone(driver: DatabaseDriver | ComputeDriver, owner: Owner) -> bool:
    return await driver.observe(owner) is None


async def _marked(driver: DatabaseDriver | ComputeDriver, *owners: Owner) -> list[Marked]:
    """What the inventory has of these owners, in their order."""
    inventory = await driver.inventory()
    return [marked for owner in owners for marked in inventory if marked.owner == owner]


async def _are_listed(driver: DatabaseDriver | ComputeDriver, expected: list[Marked]) -> bool:
    return await _marked(driver, *(marked.owner for marked in expected)) == expected


async def _are_gone(driver: DatabaseDriver | ComputeDriver, *owners: Owner) -> bool:
    return await _marked(driver, *owners) == []
