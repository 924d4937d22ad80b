"""What people and platforms change behind our back in Railway, and what the driver says of it."""

from collections.abc import AsyncIterator

import pytest

from claw_dev.simulators.railway.pace import Quirks
from claw_dev.simulators.railway.records import Deployment, Status
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_operator.external import ComputeState, Drift, ObservedCompute, Owner
from claw_operator.external.railway import RailwayDriver
from tests.contract.railway_driving import (
    SETTLE,
    deployments_of,
    driver_on,
    running,
    service_of,
    until,
    wanted,
    writes,
)
from tests.eventually import eventually


@pytest.fixture
async def railway() -> AsyncIterator[RailwaySimulator]:
    async with RailwaySimulator() as simulator:
        yield simulator


@pytest.fixture
async def driver(railway: RailwaySimulator) -> AsyncIterator[RailwayDriver]:
    async with driver_on(railway) as driver:
        yield driver


async def drifted(driver: RailwayDriver, owner: Owner) -> ObservedCompute:
    """What is observed once the drift is."""

    async def is_seen() -> ObservedCompute | None:
        observed = await driver.observe(owner)
        return observed if observed is not None and observed.drift is not None else None

    found = await eventually(is_seen)
    assert found is not None
    return found


@pytest.mark.parametrize("deploy", [True, False])
async def test_a_variable_edited_by_hand_is_named_without_its_value(
    railway: RailwaySimulator, driver: RailwayDriver, *, deploy: bool
) -> None:
    desired = wanted()
    await running(driver, desired)
    railway.hand.set_variables(desired.owner.external_name, {"DATABASE_URL": "postgresql://mine"}, deploy=deploy)
    observed = await drifted(driver, desired.owner)
    assert observed.drift == Drift("variable DATABASE_URL", needs_deployment=True)
    await driver.deploy(desired)
    repaired = await until(driver, desired.owner, ComputeState.RUNNING)
    assert repaired.drift is None
    assert service_of(railway, desired.owner).variables["DATABASE_URL"] == (desired.variables or {})["DATABASE_URL"]


async def test_variables_that_were_added_and_removed_by_hand_are_put_right(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    await running(driver, desired)
    name = desired.owner.external_name
    railway.hand.set_variables(name, {"DATABASE_URL": None, "DEBUG": "1", "RAILWAY_RUN_UID": "0"}, deploy=False)
    observed = await drifted(driver, desired.owner)
    assert observed.drift == Drift("variable DATABASE_URL, variable DEBUG", needs_deployment=True)
    await driver.deploy(desired)
    await until(driver, desired.owner, ComputeState.RUNNING)
    assert "DEBUG" not in service_of(railway, desired.owner).variables


async def test_replicas_scaled_by_hand_are_drift(railway: RailwaySimulator, driver: RailwayDriver) -> None:
    desired = wanted()
    await running(driver, desired)
    railway.hand.scale(desired.owner.external_name, 3)
    assert (await drifted(driver, desired.owner)).drift == Drift("replicas", needs_deployment=True)
    await driver.deploy(desired)
    await until(driver, desired.owner, ComputeState.RUNNING)
    assert service_of(railway, desired.owner).settings["numReplicas"] == 1


async def test_a_renamed_service_is_found_by_its_mark_and_named_back(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    before = await running(driver, desired)
    railway.hand.rename(desired.owner.external_name, "my own name")
    observed = await drifted(driver, desired.owner)
    assert observed.id == before.id
    assert observed.drift == Drift("name", needs_deployment=False)
    assert (await driver.adjust(desired)).drift is None
    assert list(railway.services) == [desired.owner.external_name]
    assert deployments_of(railway, desired.owner) == [Status.SUCCESS]


async def test_a_service_without_our_note_is_drift_and_not_taken_for_deployed_as_wished(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    await running(driver, desired)
    railway.hand.set_variables(desired.owner.external_name, {"CLAW_SETTINGS": None}, deploy=False)
    assert (await drifted(driver, desired.owner)).drift == Drift("variable CLAW_SETTINGS", needs_deployment=True)


async def test_a_service_deleted_by_hand_is_gone_and_made_again(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    before = await running(driver, desired)
    await railway.hand.delete(desired.owner.external_name)
    await eventually(lambda: _is_absent(driver, desired.owner))
    after = await running(driver, desired)
    assert after.id != before.id


async def test_what_a_person_duplicates_is_deleted_with_the_original(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    before = await running(driver, desired)
    copied = service_of(railway, desired.owner).variables
    railway.hand.make(railway.environment.id, railway.project.id, "copy", **copied)
    await eventually(lambda: _count(driver, 2))
    observed = await driver.observe(desired.owner)
    assert observed is not None
    assert observed.id == before.id
    await eventually(lambda: _is_deleted(driver, desired.owner))
    assert railway.services == {}


async def test_a_failed_deployment_says_why_without_secrets_and_asks_for_its_logs_once(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted(image="registry.example/broken")
    await driver.create(desired)
    await driver.deploy(desired)
    failed = await until(driver, desired.owner, ComputeState.FAILED)
    assert failed.fingerprint == desired.fingerprint
    assert failed.message == (
        "The deployment failed. It said: Failed to pull image registry.example/broken: manifest unknown"
    )
    (deployment,) = railway.world.all(Deployment)
    deployment.log.append("later: password=hunter2 " + "and much more " * 50)
    async with driver_on(railway) as another:
        message = (await until(another, desired.owner, ComputeState.FAILED)).message
        assert "hunter2" not in message
        assert len(message) <= 300
        asked = [call.operation for call in railway.calls].count("DeploymentLogs")
        for _ in range(3):
            await another.observe(desired.owner)
        assert [call.operation for call in railway.calls].count("DeploymentLogs") == asked


async def test_a_build_that_fails_is_told_by_its_own_log(railway: RailwaySimulator, driver: RailwayDriver) -> None:
    desired = wanted(image=None, repository="claw-dev/broken")
    await driver.create(desired)
    await driver.deploy(desired)
    failed = await until(driver, desired.owner, ComputeState.FAILED)
    assert "could not determine how to build the app" in failed.message


async def test_a_failed_deployment_is_followed_by_another(railway: RailwaySimulator, driver: RailwayDriver) -> None:
    broken = wanted(image="registry.example/broken")
    await driver.create(broken)
    await driver.deploy(broken)
    await until(driver, broken.owner, ComputeState.FAILED)
    await driver.deploy(wanted(broken.owner))
    await until(driver, broken.owner, ComputeState.RUNNING)
    assert deployments_of(railway, broken.owner) == [Status.FAILED, Status.SUCCESS]


async def test_a_crash_is_seen_and_one_that_railway_mends_is_none(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    await running(driver, desired)
    railway.hand.look_crashed(desired.owner.external_name)
    async with driver_on(railway) as another:
        assert (await until(another, desired.owner, ComputeState.RUNNING)).state is ComputeState.RUNNING
    railway.hand.crash(desired.owner.external_name)
    crashed = await until(driver, desired.owner, ComputeState.CRASHED)
    assert crashed.message.startswith("The process has ended.")


@pytest.mark.parametrize("detour", [Status.QUEUED, Status.WAITING])
async def test_a_deployment_that_waits_is_under_way(detour: Status) -> None:
    desired = wanted()
    async with RailwaySimulator(quirks=Quirks(detour=detour)) as railway, driver_on(railway) as driver:
        await driver.create(desired)
        assert (await driver.deploy(desired)).state is ComputeState.DEPLOYING
        await until(driver, desired.owner, ComputeState.RUNNING)


async def test_a_deployment_that_needs_approval_says_so() -> None:
    desired = wanted()
    quirks = Quirks(detour=Status.NEEDS_APPROVAL)
    async with RailwaySimulator(quirks=quirks) as railway, driver_on(railway) as driver:
        await driver.create(desired)
        await driver.deploy(desired)
        assert "approval" in (await until(driver, desired.owner, ComputeState.FAILED)).message


async def test_settings_without_a_deployment_are_taken_for_one_on_its_way_and_then_deployed(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    await running(driver, desired)
    noted = service_of(railway, desired.owner)
    deployment = railway.hand.live(desired.owner.external_name)
    note = noted.variables["CLAW_SETTINGS"].replace('"after":null', f'"after":"{deployment.id}"')
    railway.hand.set_variables(desired.owner.external_name, {"CLAW_SETTINGS": note}, deploy=False)
    async with driver_on(railway, settle_seconds=SETTLE * 2) as successor:
        first = await successor.observe(desired.owner)
        assert first is not None
        assert (first.state, first.fingerprint) == (ComputeState.DEPLOYING, desired.fingerprint)
        assert (await until(successor, desired.owner, ComputeState.RUNNING)).fingerprint is None
        await successor.deploy(desired)
        assert (await until(successor, desired.owner, ComputeState.RUNNING)).fingerprint == desired.fingerprint
    assert deployments_of(railway, desired.owner)[-1] is Status.SUCCESS


async def test_a_settled_fleet_is_read_once_for_all(railway: RailwaySimulator, driver: RailwayDriver) -> None:
    fleet = [wanted() for _ in range(5)]
    for desired in fleet:
        await running(driver, desired)
    await eventually(lambda: _all_shown(driver, [desired.owner for desired in fleet]))
    changed, asked = len(writes(railway)), len(railway.calls)
    for desired in fleet:
        assert await driver.observe(desired.owner, max_age=60) is not None
    assert len(railway.calls) - asked <= 1
    assert len(writes(railway)) == changed


async def _all_shown(driver: RailwayDriver, owners: list[Owner]) -> bool:
    observed = [await driver.observe(owner) for owner in owners]
    return all(one is not None and one.state is ComputeState.RUNNING for one in observed)


async def _is_absent(driver: RailwayDriver, owner: Owner) -> bool:
    return await driver.observe(owner) is None


async def _is_deleted(driver: RailwayDriver, owner: Owner) -> bool:
    await driver.delete(owner)
    return await driver.observe(owner) is None


async def _count(driver: RailwayDriver, count: int) -> bool:
    return len(await driver.inventory()) == count
