"""Another plan, another size: endpoints and quotas at Neon are changed in place, by one writer for each project."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from claw_dev.simulators.faults import FaultKind
from claw_dev.simulators.neon.records import Endpoint
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_operator.external import DesiredDatabase, Owner
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import Isolation
from tests.contract.neon_driving import BRANCH, PROJECT, both, customers_branches, endpoint_of, in_the_end, operating
from tests.contract.neon_world import client_of, fault, simulated_neon
from tests.contract.owners import database_of, new_owner
from tests.eventually import eventually

GIBIBYTE = 2**30


@pytest.fixture
async def neon() -> AsyncIterator[NeonSimulator]:
    async with simulated_neon() as neon:
        yield neon


def larger(owner: Owner, cpu_millis: int = 2000) -> DesiredDatabase:
    return replace(database_of(owner), cpu_millis=cpu_millis, storage_bytes=GIBIBYTE)


def quota(owner: Owner, storage_bytes: int) -> DesiredDatabase:
    return replace(database_of(owner), storage_bytes=storage_bytes)


def endpoint(neon: NeonSimulator) -> Endpoint:
    """The only customer's."""
    (branch,) = customers_branches(neon)
    return endpoint_of(neon, branch)


def changes(neon: NeonSimulator) -> list[str]:
    """The requests that changed an endpoint or a project, in their order."""
    return [call.operation for call in neon.calls if call.operation in ("updateProjectEndpoint", "updateProject")]


@both
async def test_a_database_gets_the_size_of_its_new_plan_in_place(neon: NeonSimulator, isolation: Isolation) -> None:
    owner = new_owner()
    async with operating(neon, isolation) as driver:
        made = await driver.create(database_of(owner))
        before = endpoint(neon)
        resized = await driver.adjust(larger(owner))
        after = endpoint(neon)
        assert (after.id, after.min_cu, after.max_cu) == (before.id, 0.25, 2)
        assert resized == await driver.observe(owner)
        assert (resized.id, resized.host, resized.ready) == (made.id, made.host, True)
        operations = neon.world.operations_of(after.project_id)
        assert operations
        assert all(operation.status.is_final for operation in operations), "they were awaited"

        expected = ["updateProjectEndpoint"] if isolation is BRANCH else ["updateProject", "updateProjectEndpoint"]
        assert changes(neon) == expected
        await driver.adjust(larger(owner))
        await driver.adjust(larger(owner, 1001))  # the next larger size is the same
        assert changes(neon) == expected


async def test_a_project_gets_another_quota_and_keeps_its_other_settings(neon: NeonSimulator) -> None:
    owner = new_owner()
    async with operating(neon, PROJECT) as driver, client_of(neon) as person:
        made = await driver.create(database_of(owner))
        await person.patch(f"/projects/{made.id}", {"project": {"settings": {"quota": {"written_data_bytes": 5}}}})
        await driver.adjust(quota(owner, GIBIBYTE))
        project = neon.world.project(made.id)
        assert project.quota == {"logical_size_bytes": GIBIBYTE, "written_data_bytes": 5}
        assert endpoint(neon).max_cu == 0.25
        await driver.adjust(larger(owner))
        assert neon.world.project(made.id).endpoint_settings["autoscaling_limit_max_cu"] == 2, "for endpoints to come"


async def test_a_quota_is_not_lowered_below_the_data(neon: NeonSimulator) -> None:
    owner = new_owner()
    async with operating(neon, PROJECT) as driver:
        made = await driver.create(quota(owner, 3 * GIBIBYTE))
        (branch,) = customers_branches(neon)

        async def left_with(size: int | None) -> int:
            """The quota after a change to a smaller plan, while the data takes that much."""
            neon.world.branches.put(replace(branch, logical_size=size))
            await eventually(lambda: _is_seen(driver, owner, size))
            await driver.adjust(quota(owner, GIBIBYTE))
            seen = await driver.observe(owner)
            assert seen is not None
            assert seen.is_sized_for(quota(owner, GIBIBYTE)), "so that it is not tried again and again"
            return neon.world.project(made.id).quota["logical_size_bytes"]

        assert await left_with(2 * GIBIBYTE) == 3 * GIBIBYTE
        assert await left_with(GIBIBYTE) == GIBIBYTE
        assert await left_with(2 * GIBIBYTE) == GIBIBYTE
        await driver.adjust(quota(owner, 2 * GIBIBYTE))
        assert neon.world.project(made.id).quota["logical_size_bytes"] == 2 * GIBIBYTE


async def _is_seen(driver: NeonDriver, owner: Owner, size: int | None) -> bool:
    observed = await driver.observe(owner)
    return observed is not None and observed.size_bytes == size


@both
async def test_a_database_that_sleeps_is_asleep_again_afterwards(neon: NeonSimulator, isolation: Isolation) -> None:
    owner = new_owner()
    async with operating(neon, isolation) as driver, client_of(neon) as person:
        await driver.create(database_of(owner))
        path = f"/projects/{endpoint(neon).project_id}/endpoints/{endpoint(neon).id}"
        await person.post(f"{path}/suspend")
        await neon.chains.settled()
        assert (await driver.adjust(larger(owner))).ready
        assert (endpoint(neon).state, endpoint(neon).max_cu) == ("idle", 2)


@both
async def test_the_size_that_another_operator_gave_is_seen_and_is_not_given_again(
    neon: NeonSimulator, isolation: Isolation
) -> None:
    owner = new_owner()
    async with operating(neon, isolation) as driver:
        await driver.create(database_of(owner))
        await driver.adjust(larger(owner))
    async with operating(neon, isolation) as other:
        observed = await other.observe(owner)
        assert observed is not None
        assert observed.size is not None
        assert observed.is_sized_for(larger(owner))
        assert not observed.is_sized_for(database_of(owner))
        known = len(changes(neon))
        await other.adjust(larger(owner))
        assert len(changes(neon)) == known


async def test_limits_that_a_person_chose_are_no_plans_and_are_put_right(neon: NeonSimulator) -> None:
    owner = new_owner()
    async with operating(neon) as driver, client_of(neon) as person:
        await driver.create(database_of(owner))
        chosen = {"endpoint": {"autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 4}}
        await person.patch(f"{person.here}/endpoints/{endpoint(neon).id}", chosen)
        await neon.chains.settled()
    async with operating(neon) as driver:
        observed = await driver.observe(owner)
        assert observed is not None
        assert observed.size is not None
        assert not observed.is_sized_for(larger(owner, 4000))
        await driver.adjust(database_of(owner))
    assert (endpoint(neon).min_cu, endpoint(neon).max_cu) == (0.25, 0.25)


@pytest.mark.parametrize(
    ("isolation", "operation"),
    [(BRANCH, "updateProjectEndpoint"), (PROJECT, "updateProject"), (PROJECT, "updateProjectEndpoint")],
)
@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.DONE_BUT_HTML])
async def test_a_change_that_was_not_answered_is_finished_by_the_next_try(
    neon: NeonSimulator, isolation: Isolation, operation: str, kind: FaultKind
) -> None:
    owner = new_owner()
    async with operating(neon, isolation) as driver:
        await driver.create(database_of(owner))
        neon.faults.add(fault(kind, operation))
        resized = await in_the_end(lambda: driver.adjust(larger(owner)))
        assert resized.size is not None
        assert resized.is_sized_for(larger(owner))
    assert endpoint(neon).max_cu == 2
    if isolation is PROJECT:
        assert neon.world.project(endpoint(neon).project_id).quota == {"logical_size_bytes": GIBIBYTE}


async def test_plans_of_many_instances_change_at_once_through_the_one_project(neon: NeonSimulator) -> None:
    owners = [new_owner(f"claw-{number}") for number in range(6)]
    async with operating(neon) as one, operating(neon) as two:
        for owner in owners:
            await one.create(database_of(owner))
        neon.faults.add(fault(FaultKind.ERROR, "updateProjectEndpoint", status=423, times=3))
        drivers = [one, two] * 3
        pairs = zip(drivers, owners, strict=True)
        await asyncio.gather(*(driver.adjust(larger(owner)) for driver, owner in pairs))
    assert {endpoint_of(neon, branch).max_cu for branch in customers_branches(neon)} == {2}
