"""Neon on its bad days: whatever happens on the way, the same exists in the end, and once."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from claw_dev.simulators.faults import FaultKind
from claw_dev.simulators.neon.pace import Pace
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.neon.world import PlanLimits
from claw_operator.external import ConnectionUrls, Owner, RateLimited, Rejected, Transient, Unauthorized
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import Isolation
from tests.contract.neon_driving import (
    BRANCH,
    PROJECT,
    UNTIL,
    both,
    customers_branches,
    endpoint_of,
    in_the_end,
    operating,
    operating_at,
)
from tests.contract.neon_world import fault, simulated_neon
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


WRITES = {
    BRANCH: ["createProjectBranch", "updateProjectBranch", "deleteProjectBranch"],
    PROJECT: ["createProject", "updateProject", "deleteProject"],
}
OF_BOTH = ["resetProjectBranchRolePassword", "updateProjectEndpoint"]


@pytest.mark.parametrize(
    ("isolation", "operation"), [(isolation, name) for isolation, names in WRITES.items() for name in names + OF_BOTH]
)
@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.CUT, FaultKind.HTML, FaultKind.DONE_BUT_HTML])
async def test_a_write_without_answer_is_neither_doubled_nor_lost(
    neon: NeonSimulator, isolation: Isolation, operation: str, kind: FaultKind
) -> None:
    before, counted = neon.picture(), neon.counts()
    owner = new_owner()
    neon.faults.add(fault(kind, operation, status=502))
    async with operating(neon, isolation) as driver:
        await in_the_end(lambda: driver.create(database_of(owner)))
        (branch,) = customers_branches(neon)
        await in_the_end(lambda: driver.issue_credentials(owner))
        await in_the_end(lambda: driver.suspend(owner))
        assert endpoint_of(neon, branch).disabled
        await in_the_end(lambda: driver.resume(owner))
        assert not endpoint_of(neon, branch).disabled
        await in_the_end(lambda: driver.archive(owner, UNTIL))
        (marked,) = await driver.inventory()
        assert marked.archived_until is not None
        await in_the_end(lambda: driver.delete(owner))
    assert not neon.faults.waiting()
    assert neon.picture() == before
    made = {name: count - counted[name] for name, count in neon.counts().items()}
    assert (made["branches created"], made["endpoints created"]) == (1, 1)


@both
async def test_a_process_that_dies_after_creating_is_followed_by_one_that_adopts(
    neon: NeonSimulator, isolation: Isolation
) -> None:
    owner = new_owner()
    creation = "createProjectBranch" if isolation is BRANCH else "createProject"
    neon.faults.add(fault(FaultKind.HELD_ANSWER, creation))
    async with operating(neon, isolation) as driver:
        creating = asyncio.create_task(driver.create(database_of(owner)))
        await eventually(lambda: customers_branches(neon))
        creating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creating
    async with operating(neon, isolation) as driver:
        adopted = await driver.create(database_of(owner))
        assert adopted.ready
    (branch,) = customers_branches(neon)
    assert adopted.id in (branch.id, branch.project_id)
    assert len(neon.world.endpoints_of(branch.id)) == 1


@both
async def test_reads_that_lag_make_nothing_look_gone_and_nothing_twice(isolation: Isolation) -> None:
    pace = Pace(latency=(0.0, 0.001, 0.002), other_operations=0.01, read_lag=0.1)
    async with simulated_neon(pace=pace) as neon:
        owner, lost = new_owner("claw-one"), new_owner("claw-two")
        async with operating(neon, isolation, settle_seconds=0.3) as driver:
            await driver.create(database_of(owner))
            assert await driver.observe(owner) is not None
            await driver.issue_credentials(owner)
            assert (await driver.suspend(owner)).suspended
            seen = await driver.observe(owner)
            assert seen is not None
            assert seen.suspended
            operation = "createProjectBranch" if isolation is BRANCH else "createProject"
            neon.faults.add(fault(FaultKind.LOST_ANSWER, operation))
            await in_the_end(lambda: driver.create(database_of(lost)))
        assert len(customers_branches(neon)) == 2


async def test_many_instances_of_two_operators_queue_for_the_one_project(neon: NeonSimulator) -> None:
    owners = [new_owner(f"claw-{number}") for number in range(8)]

    async def provision(driver: NeonDriver, owner: Owner) -> ConnectionUrls:
        await in_the_end(lambda: driver.create(database_of(owner)))
        return await in_the_end(lambda: driver.issue_credentials(owner))

    async with operating(neon) as one, operating(neon) as other:
        await asyncio.gather(*(provision(driver, owner) for driver in (one, other) for owner in owners))
        branches = customers_branches(neon)
        assert sorted(branch.name for branch in branches) == sorted(owner.external_name for owner in owners)
        assert all(len(neon.world.endpoints_of(branch.id)) == 1 for branch in branches)
        assert any(call.status == 423 for call in neon.calls), "they never met"
        await asyncio.gather(*(in_the_end(partial(one.delete, owner)) for owner in owners))
    assert customers_branches(neon) == []


async def test_a_project_that_stays_busy_is_told_in_plain_words(neon: NeonSimulator) -> None:
    neon.faults.add(fault(FaultKind.ERROR, "createProjectBranch", status=423, times=None))
    async with operating(neon, patience_seconds=0.05) as driver:
        with pytest.raises(Transient, match="claw-test yet: the Neon project is busy"):
            await driver.create(database_of(new_owner()))


async def test_a_limit_of_the_plan_is_told_with_what_to_do() -> None:
    async with simulated_neon(plan=PlanLimits(branches=1)) as neon, operating(neon) as driver:
        with pytest.raises(Rejected, match="as many branches as its plan allows; free some, or raise the limit"):
            await driver.create(database_of(new_owner()))


async def test_a_wrong_key_is_told_as_such(neon: NeonSimulator) -> None:
    async with operating(neon, key="napi_wrong") as driver:
        with pytest.raises(Unauthorized, match="NEON_API_KEY"):
            await driver.observe(new_owner())


async def test_patience_that_neon_asks_for_is_passed_on(neon: NeonSimulator, driver: NeonDriver) -> None:
    neon.faults.add(fault(FaultKind.ERROR, "createProjectBranch", status=429, retry_after=7.0))
    with pytest.raises(RateLimited) as caught:
        await driver.create(database_of(new_owner()))
    assert caught.value.retry_after >= 7


async def test_an_operation_that_fails_is_told_and_the_branch_is_not_doubled(
    neon: NeonSimulator, driver: NeonDriver
) -> None:
    owner = new_owner()
    neon.chains.fail("start_compute")
    with pytest.raises(Transient, match=f"create the database of {owner.name} and did not manage it: start_compute"):
        await driver.create(database_of(owner))
    await driver.create(database_of(owner))
    assert len(customers_branches(neon)) == 1


async def test_looks_at_operations_that_fail_do_not_matter(neon: NeonSimulator, driver: NeonDriver) -> None:
    neon.faults.add(fault(FaultKind.HTML, "listProjectOperations", status=503, times=4))
    assert (await driver.create(database_of(new_owner()))).ready


async def test_a_project_that_does_not_exist_is_told_with_what_to_set(neon: NeonSimulator) -> None:
    async with operating_at(neon.url, project_id="nowhere-1") as driver:
        with pytest.raises(Rejected, match="does not know the project nowhere-1; set NEON_PROJECT_ID"):
            await driver.observe(new_owner())


async def test_a_role_that_does_not_exist_is_told_with_what_to_set(neon: NeonSimulator) -> None:
    owner = new_owner()
    async with operating(neon, role="nobody") as driver:
        await driver.create(database_of(owner))
        with pytest.raises(Rejected, match="role nobody and the database neondb for claw-test; set NEON_ROLE"):
            await driver.issue_credentials(owner)


async def test_who_came_first_gets_in_before_everybodys_database_is_made() -> None:
    owners = [new_owner(f"claw-{number}") for number in range(6)]
    pace = Pace(latency=(0.0, 0.001, 0.002), other_operations=0.03)
    made_when_issued: list[int] = []

    async with simulated_neon(pace=pace) as neon, operating(neon) as driver:

        async def provision(owner: Owner) -> None:
            await driver.create(database_of(owner))
            await driver.issue_credentials(owner)
            made_when_issued.append(len(customers_branches(neon)))

        await asyncio.gather(*(provision(owner) for owner in owners))
    assert made_when_issued[0] <= 3


@both
async def test_a_database_that_a_dead_process_left_half_made_is_seen_to_become_ready(isolation: Isolation) -> None:
    pace = Pace(latency=(0.0, 0.001, 0.002), other_operations=0.7)
    owner = new_owner()
    async with simulated_neon(pace=pace) as neon:
        async with operating(neon, isolation, poll_seconds=0.02) as dead:
            creating = asyncio.create_task(dead.create(database_of(owner)))
            await eventually(lambda: customers_branches(neon))
            creating.cancel()
            with pytest.raises(asyncio.CancelledError):
                await creating
        async with operating(neon, isolation, poll_seconds=0.02) as driver:
            half_made = await driver.observe(owner)
            assert half_made is not None
            assert not half_made.ready
            assert await eventually(lambda: _is_ready(driver, owner))


async def _is_ready(driver: NeonDriver, owner: Owner) -> bool:
    observed = await driver.observe(owner)
    return observed is not None and observed.ready


async def test_a_process_that_starts_beside_a_dead_ones_project_waits_until_it_can_be_seen() -> None:
    pace = Pace(latency=(0.0, 0.001, 0.002), other_operations=0.01, read_lag=0.2)
    owner = new_owner()
    async with simulated_neon(pace=pace) as neon:
        neon.faults.add(fault(FaultKind.HELD_ANSWER, "createProject"))
        async with operating(neon, PROJECT) as dead:
            creating = asyncio.create_task(dead.create(database_of(owner)))
            await eventually(lambda: customers_branches(neon))
            creating.cancel()
            with pytest.raises(asyncio.CancelledError):
                await creating
        async with operating(neon, PROJECT, settle_seconds=0.4) as driver:
            assert (await driver.create(database_of(owner))).ready
        assert len(customers_branches(neon)) == 1
