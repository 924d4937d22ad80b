"""The Neon driver against a simulated Neon: one life, who gets in, and what is made.

Where people log in, the simulator's branches are databases in a real PostgreSQL.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_operator.external import Rejected
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import Isolation
from tests.contract.neon_driving import PROJECT, UNTIL, both, customers_branches, endpoint_of, is_gone, operating
from tests.contract.neon_world import KEY, branch_named, client_of, simulated_neon
from tests.contract.owners import database_of, new_owner
from tests.eventually import eventually


@pytest.fixture
async def neon() -> AsyncIterator[NeonSimulator]:
    async with simulated_neon() as neon:
        yield neon


@pytest.fixture
async def real_neon(postgres_url: str) -> AsyncIterator[NeonSimulator]:
    """Its branches are real databases."""
    async with simulated_neon(postgres_url=postgres_url) as neon:
        yield neon


@pytest.fixture
async def driver(neon: NeonSimulator) -> AsyncIterator[NeonDriver]:
    async with operating(neon) as driver:
        yield driver


async def ask(url: str, statement: str = "SELECT 1") -> Any:
    """The first value that the statement gives."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(statement)
        row = await cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@both
async def test_a_whole_life_leaves_nothing_behind(real_neon: NeonSimulator, isolation: Isolation) -> None:
    before = real_neon.picture()
    owner = new_owner()
    async with operating(real_neon, isolation) as driver:
        assert await driver.observe(owner) is None
        made = await driver.create(database_of(owner))
        assert made.ready
        assert made == await driver.create(database_of(owner))
        urls = await driver.issue_credentials(owner)
        assert urlsplit(urls.direct).hostname == made.host
        await ask(urls.direct, "CREATE TABLE memories AS SELECT 42 AS answer")
        assert await ask(urls.pooled or "", "SELECT answer FROM memories") == 42

        suspended = await driver.suspend(owner)
        assert (suspended.suspended, suspended.ready, suspended.id) == (True, False, made.id)
        with pytest.raises(psycopg.OperationalError):
            await ask(urls.direct)
        resumed = await driver.resume(owner)
        assert (resumed.suspended, resumed.ready) == (False, True)
        assert await ask(urls.direct, "SELECT answer FROM memories") == 42

        await driver.archive(owner, UNTIL)
        with pytest.raises(psycopg.OperationalError):
            await ask(urls.direct)
        archived = await driver.observe(owner)
        assert archived is not None
        assert (archived.id, archived.ready, archived.suspended) == (made.id, False, True)

        await driver.delete(owner)
        assert await eventually(lambda: is_gone(driver, owner))
    assert real_neon.picture() == before


@both
async def test_an_archive_tells_the_sweep_until_when_it_is_kept_and_comes_back(
    real_neon: NeonSimulator, isolation: Isolation
) -> None:
    owner = new_owner()
    async with operating(real_neon, isolation) as driver:
        made = await driver.create(database_of(owner))
        url = (await driver.issue_credentials(owner)).direct
        await driver.archive(owner, UNTIL)
        await driver.archive(owner, UNTIL + timedelta(days=30))  # the moment does not move

    async with operating(real_neon, isolation) as driver:  # another process, that knows nothing
        (marked,) = await driver.inventory()
        assert (marked.owner, marked.id) == (owner, made.id)
        assert marked.archived_until is not None
        assert UNTIL < marked.archived_until <= UNTIL + timedelta(days=1)
        await driver.archive(owner, UNTIL + timedelta(days=30))
        assert (await driver.inventory())[0].archived_until == marked.archived_until

        assert (await driver.create(database_of(owner))).ready
        assert (await driver.inventory())[0].archived_until is None
        assert await ask(url) == 1
        await driver.delete(owner)


async def test_the_parents_password_opens_nothing_once_credentials_are_issued(real_neon: NeonSimulator) -> None:
    async with client_of(real_neon) as client, operating(real_neon) as driver:
        parent = branch_named(real_neon, "main")
        parents_password = urlsplit(await client.uri(parent.id)).password or ""
        owner = new_owner()
        made = await driver.create(database_of(owner))
        inherited = await client.uri(made.id)
        assert urlsplit(inherited).password == parents_password
        assert await ask(inherited) == 1

        first = await driver.issue_credentials(owner)
        with pytest.raises(psycopg.OperationalError, match="password"):
            await ask(inherited)
        assert await ask(first.direct) == 1
        second = await driver.issue_credentials(owner)
        with pytest.raises(psycopg.OperationalError, match="password"):
            await ask(first.direct)
        assert await ask(second.direct) == 1
        assert await ask(second.pooled or "") == 1
        await driver.delete(owner)


@both
async def test_a_project_that_stores_no_passwords_tells_the_new_one_all_the_same(
    postgres_url: str, isolation: Isolation
) -> None:
    simulated = simulated_neon(store_passwords=False, postgres_url=postgres_url)
    async with simulated as neon, operating(neon, isolation) as driver:
        owner = new_owner()
        made = await driver.create(database_of(owner))
        urls = await driver.issue_credentials(owner)
        (branch,) = customers_branches(neon)
        assert neon.lets_in(branch.id, "neondb_owner", urlsplit(urls.direct).password or "")
        assert urlsplit(urls.direct).hostname == made.host
        await driver.delete(owner)


async def test_a_branch_without_endpoint_gets_one(neon: NeonSimulator, driver: NeonDriver) -> None:
    owner = new_owner()
    async with client_of(neon) as client:
        body = {"branch": {"name": owner.external_name}, "annotation_value": {"claw.dev/owner": owner.mark}}
        made = (await client.post(f"{client.here}/branches", body)).json()["branch"]
        await neon.chains.settled()
        found = await driver.observe(owner)
        assert found is not None
        assert (found.id, found.ready, found.suspended) == (made["id"], False, True)
        assert (await driver.create(database_of(owner))).ready

        endpoint = endpoint_of(neon, branch_named(neon, owner.external_name))
        assert (await client.delete(f"{client.here}/endpoints/{endpoint.id}")).status_code == 200
        await neon.chains.settled()
    async with operating(neon) as other:
        lost = await other.observe(owner)
        assert lost is not None
        assert lost.suspended
        assert (await other.resume(owner)).ready
    assert len(neon.world.endpoints_of(made["id"])) == 1


async def test_a_branch_that_vanished_is_seen_to_be_gone(neon: NeonSimulator, driver: NeonDriver) -> None:
    owner, neighbour = new_owner("claw-one"), new_owner("claw-two")
    made = await driver.create(database_of(owner))
    await driver.create(database_of(neighbour))
    async with client_of(neon) as client:
        await client.delete(f"{client.here}/branches/{made.id}")
        await neon.chains.settled()
    assert await eventually(lambda: is_gone(driver, owner))
    assert await driver.observe(neighbour, max_age=60) is not None


@pytest.mark.parametrize("by", ["id", "name"])
async def test_branches_are_made_from_the_template_that_was_told(neon: NeonSimulator, by: str) -> None:
    async with client_of(neon) as client:
        await client.new_branch("template")
    template = branch_named(neon, "template")
    owner = new_owner()
    async with operating(neon, parent_branch=template.id if by == "id" else "template") as driver:
        await driver.create(database_of(owner))
    assert branch_named(neon, owner.external_name).parent_id == template.id


async def test_a_template_that_is_missing_or_a_customers_is_refused(neon: NeonSimulator, driver: NeonDriver) -> None:
    customer = new_owner()
    await driver.create(database_of(customer))
    for parent, words in (("nowhere", "no branch nowhere"), (customer.external_name, "is a customer's")):
        async with operating(neon, parent_branch=parent) as other:
            with pytest.raises(Rejected, match=words):
                await other.create(database_of(new_owner()))
    assert len(customers_branches(neon)) == 1


async def test_what_is_made_has_the_size_of_the_plan_and_no_end(neon: NeonSimulator) -> None:
    owner, sleepy = new_owner("claw-one"), new_owner("claw-two")
    async with operating(neon) as driver, operating(neon, suspend_timeout_seconds=600) as other:
        await driver.create(database_of(owner))
        await other.create(database_of(sleepy))
    branch, second = branch_named(neon, owner.external_name), branch_named(neon, sleepy.external_name)
    assert branch.expires_at is None
    endpoint = endpoint_of(neon, branch)
    assert (endpoint.min_cu, endpoint.max_cu) == (0.25, 0.25)
    timeouts = [endpoint_of(neon, one).suspend_timeout_seconds for one in (branch, second)]
    assert timeouts == [0, 600]


async def test_a_project_has_the_quota_and_the_region_of_its_instance(neon: NeonSimulator) -> None:
    owner = new_owner()
    async with operating(neon, PROJECT, region="aws-eu-central-1") as driver:
        made = await driver.create(database_of(owner))
    project = neon.world.project(made.id)
    assert project.region_id == "aws-eu-central-1"
    assert project.quota == {"logical_size_bytes": database_of(owner).storage_bytes}
    assert project.endpoint_settings["autoscaling_limit_max_cu"] == 0.25


async def test_no_secret_shows_where_others_read(
    neon: NeonSimulator, driver: NeonDriver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    owner = new_owner()
    made = await driver.create(database_of(owner))
    urls = await driver.issue_credentials(owner)
    password = urlsplit(urls.direct).password or ""
    assert password
    for text in (caplog.text, repr(urls), repr(made)):
        assert password not in text
        assert KEY not in text
