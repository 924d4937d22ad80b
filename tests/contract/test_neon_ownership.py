"""Whose is it? What the Neon driver adopts, leaves alone, and refuses to delete."""

from collections.abc import AsyncIterator

import pytest

from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_operator.external import NameTaken, Owner, Rejected, Transient
from claw_operator.external.neon import NeonDriver
from tests.contract.neon_driving import (
    PROJECT,
    UNTIL,
    customers_branches,
    operating,
)
from tests.contract.neon_world import branch_named, client_of, simulated_neon
from tests.contract.owners import database_of, new_owner
from tests.eventually import eventually


@pytest.fixture
async def neon() -> AsyncIterator[NeonSimulator]:
    async with simulated_neon() as neon:
        yield neon


@pytest.fixture
async def driver(neon: NeonSimulator) -> AsyncIterator[NeonDriver]:
    async with operating(neon) as driver:
        yield driver


async def test_a_strangers_branch_is_neither_adopted_nor_touched(neon: NeonSimulator, driver: NeonDriver) -> None:
    owner, other = new_owner(), new_owner("claw-other")
    async with client_of(neon) as client:
        await client.new_branch(owner.external_name)
        await client.new_branch(other.external_name, {"claw.dev/owner": owner.mark + "x"})
    before = neon.picture()
    for mine in (owner, other):
        assert await driver.observe(mine) is None
        with pytest.raises(NameTaken, match=mine.external_name):
            await driver.create(database_of(mine))
        for call in (driver.issue_credentials, driver.suspend, driver.resume):
            with pytest.raises(Transient):
                await call(mine)
        await driver.archive(mine, UNTIL)
        await driver.delete(mine)
    assert neon.picture() == before
    assert await driver.inventory() == []


async def test_a_strangers_project_of_our_name_is_left_alone(neon: NeonSimulator) -> None:
    owner = new_owner()
    async with client_of(neon) as client:
        answer = await client.post("/projects", {"project": {"name": owner.external_name}})
        await neon.chains.settled()
    async with operating(neon, PROJECT) as driver:
        made = await driver.create(database_of(owner))  # names of projects need not be unique
        assert made.id != answer.json()["project"]["id"]
        await driver.delete(owner)
        assert neon.world.project(answer.json()["project"]["id"]).name == owner.external_name


async def test_a_branch_that_a_person_renamed_is_still_the_instances(neon: NeonSimulator, driver: NeonDriver) -> None:
    owner = new_owner()
    made = await driver.create(database_of(owner))
    async with client_of(neon) as client:
        await client.patch(f"{client.here}/branches/{made.id}", {"branch": {"name": "renamed"}})
        await neon.chains.settled()
    async with operating(neon) as other:
        found = await other.observe(owner)
        assert found is not None
        assert (found.id, found.ready) == (made.id, True)
        await other.delete(owner)
    assert customers_branches(neon) == []


async def test_what_must_not_be_lost_by_mistake_is_not_deleted(neon: NeonSimulator, driver: NeonDriver) -> None:
    owner = new_owner()
    made = await driver.create(database_of(owner))
    here = f"/projects/{neon.project_id}/branches/{made.id}"
    async with client_of(neon) as client, operating(neon) as other:
        child = await client.new_branch("a-persons-copy", parent_id=made.id)
        with pytest.raises(Rejected, match=r"branches of its own \(a-persons-copy\); delete these first"):
            await other.delete(owner)
        await client.delete(f"{client.here}/branches/{child['branch']['id']}")
        await neon.chains.settled()
        await client.patch(here, {"branch": {"protected": True}})
        await neon.chains.settled()
        await eventually(lambda: _is_refused(other, owner, "protected"))
        await client.patch(here, {"branch": {"protected": False}})
        await neon.chains.settled()
    assert [branch.id for branch in customers_branches(neon)] == [made.id]


async def _is_refused(driver: NeonDriver, owner: Owner, why: str) -> bool:
    with pytest.raises(Rejected) as caught:
        await driver.delete(owner)
    return why in str(caught.value)


@pytest.mark.parametrize("mine", [True, False])
async def test_a_root_branch_is_never_deleted_even_with_a_mark(neon: NeonSimulator, mine: bool) -> None:
    owner = new_owner()
    async with client_of(neon) as client, operating(neon) as driver:
        mark = {"claw.dev/owner": owner.mark} if mine else None
        await client.new_branch(owner.external_name, mark, init_source="schema-only")
        if mine:
            with pytest.raises(Rejected, match="root branch"):
                await driver.delete(owner)
        else:
            await driver.delete(owner)
    assert branch_named(neon, owner.external_name).parent_id is None


async def test_of_two_projects_with_one_mark_the_older_one_is_kept(neon: NeonSimulator) -> None:
    owner = new_owner()
    async with operating(neon, PROJECT) as driver:
        first = await driver.create(database_of(owner))
    second = {"name": owner.external_name, "branch": {"annotations": {"claw.dev/owner": owner.mark}}}
    async with client_of(neon) as client:  # as an operator would that knew nothing of the first one
        assert (await client.post("/projects", {"project": second})).status_code == 201
        await neon.chains.settled()
    assert len(customers_branches(neon)) == 2
    async with operating(neon, PROJECT) as driver:
        assert (await driver.create(database_of(owner))).id == first.id
    assert [branch.project_id for branch in customers_branches(neon)] == [first.id]
