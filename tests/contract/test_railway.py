"""The life of a service on Railway, as the loop lives it, against a simulated Railway."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from claw_crds import configuration as wire
from claw_dev.simulators.railway.pace import Pace
from claw_dev.simulators.railway.records import Environment, Status
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_dev.simulators.railway.tokens import TokenKind
from claw_operator.external import ComputeState, NameTaken, Rejected, Size, Transient, Unauthorized
from claw_operator.external.railway import RailwayDriver
from tests.contract.owners import new_owner
from tests.contract.railway_driving import (
    IMAGE,
    deployments_of,
    driver_on,
    gone,
    provisioned,
    running,
    service_of,
    until,
    wanted,
    writes,
)
from tests.eventually import eventually


@pytest.fixture
async def railway() -> AsyncIterator[RailwaySimulator]:
    async with RailwaySimulator(pace=Pace.quick()) as simulator:
        yield simulator


@pytest.fixture
async def driver(railway: RailwaySimulator) -> AsyncIterator[RailwayDriver]:
    async with driver_on(railway) as driver:
        yield driver


async def test_a_service_is_made_empty_with_its_address_and_its_owner_mark(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    assert await driver.observe(desired.owner) is None
    made = await driver.create(desired)
    assert made.state is ComputeState.EMPTY
    assert made.url.startswith("http://")
    assert made.fingerprint is None
    service = service_of(railway, desired.owner)
    assert service.variables == {"CLAW_OWNER": desired.owner.mark}
    assert railway.counts() == {
        kind: {"created": 1, "deleted": 0}
        for kind in ("Environment", "Instance", "Project", "Service", "ServiceDomain")
    }
    assert writes(railway) == ["CreateService", "CreateServiceDomain"]


async def test_a_deployment_brings_variables_source_limits_and_health_check(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted(sleep_when_idle=True)
    compute = await running(driver, desired)
    assert compute.fingerprint == desired.fingerprint
    assert compute.size == desired.size
    assert compute.drift is None
    service = service_of(railway, desired.owner)
    assert service.variables["DATABASE_URL"] == (desired.variables or {})["DATABASE_URL"]
    assert service.variables[wire.ENV_FINGERPRINT] == desired.fingerprint
    assert service.source["image"] == IMAGE
    assert service.settings["healthcheckPath"] == wire.HEALTH_PATH
    assert service.settings["numReplicas"] == 1
    assert service.settings["sleepApplication"] is True
    assert service.limits is not None
    assert service.limits["cpu"] == 0.5
    assert deployments_of(railway, desired.owner) == [Status.SUCCESS]
    assert writes(railway) == ["CreateService", "CreateServiceDomain", "WriteSettings", "Deploy"]


async def test_a_new_fingerprint_is_deployed_anew_and_the_address_stays(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    first = wanted()
    before = await running(driver, first)
    second = wanted(first.owner, variables={"DATABASE_URL": "postgresql://other@db.example/claw"})
    deploying = await driver.deploy(second)
    assert deploying.state is ComputeState.DEPLOYING
    assert deploying.fingerprint == second.fingerprint
    after = await until(driver, first.owner, ComputeState.RUNNING)
    assert (after.id, after.url) == (before.id, before.url)
    assert after.deployment_id != before.deployment_id
    await eventually(lambda: deployments_of(railway, first.owner) == [Status.REMOVED, Status.SUCCESS])
    assert await driver.create(second) == after


async def test_what_other_processes_see_is_what_this_one_saw(railway: RailwaySimulator, driver: RailwayDriver) -> None:
    desired = wanted()
    here = await running(driver, desired)
    async with driver_on(railway) as another:
        assert await another.observe(desired.owner) == here


async def test_another_size_needs_no_deployment(railway: RailwaySimulator, driver: RailwayDriver) -> None:
    desired = wanted()
    await running(driver, desired)
    larger = wanted(desired.owner, size=Size(2000, 2**31))
    assert (await driver.adjust(larger)).size == larger.size
    limits = service_of(railway, desired.owner).limits
    assert limits is not None
    assert limits["cpu"] == 2
    assert deployments_of(railway, desired.owner) == [Status.SUCCESS]
    async with driver_on(railway) as another:
        compute = await until(another, desired.owner, ComputeState.RUNNING)
    assert compute.size == larger.size
    assert compute.drift is None


async def test_a_suspended_service_keeps_its_address_and_is_deployed_again(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    before = await running(driver, desired)
    await driver.suspend(desired.owner)
    stopped = await until(driver, desired.owner, ComputeState.STOPPED)
    assert stopped.url == before.url
    assert deployments_of(railway, desired.owner) == [Status.REMOVED]
    asked = len(writes(railway))
    assert (await driver.suspend(desired.owner)).state is ComputeState.STOPPED
    assert len(writes(railway)) == asked

    await driver.deploy(desired)
    assert (await until(driver, desired.owner, ComputeState.RUNNING)).url == before.url
    assert deployments_of(railway, desired.owner) == [Status.REMOVED, Status.SUCCESS]


async def test_a_deployment_that_is_under_way_can_be_suspended(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    await driver.create(desired)
    await driver.deploy(desired)
    await driver.suspend(desired.owner)
    await until(driver, desired.owner, ComputeState.STOPPED)
    assert deployments_of(railway, desired.owner) == [Status.REMOVED]


async def test_a_service_that_sleeps_is_well_and_says_that_it_sleeps() -> None:
    pace = Pace.quick().but(sleeps_after=0.05)
    async with RailwaySimulator(pace=pace, runtimes="stand-in") as railway, driver_on(railway) as driver:
        desired = wanted(sleep_when_idle=True)
        await running(driver, desired)

        async def sleeps() -> bool:
            observed = await driver.observe(desired.owner)
            return observed is not None and observed.state is ComputeState.RUNNING and observed.asleep is True

        await eventually(sleeps)


async def test_a_deleted_service_is_gone_and_its_neighbour_is_not(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired, neighbour = wanted(), wanted()
    await running(driver, desired)
    await driver.create(neighbour)
    await gone(driver, desired.owner)
    assert list(railway.services) == [neighbour.owner.external_name]
    assert writes(railway).count("DeleteService") == 1
    await gone(driver, desired.owner)
    assert writes(railway).count("DeleteService") == 1


async def test_a_service_without_an_address_is_no_compute_and_still_removed(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    owner = new_owner()
    railway.hand.make(railway.environment.id, railway.project.id, owner.external_name, CLAW_OWNER=owner.mark)
    await eventually(lambda: _is_listed(driver, 1))
    assert await driver.observe(owner) is None
    await gone(driver, owner)
    assert railway.services == {}


async def test_a_strangers_service_of_our_name_is_never_touched(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    railway.hand.make(railway.environment.id, railway.project.id, desired.owner.external_name)
    await eventually(lambda: _sees_services(railway))
    assert await driver.observe(desired.owner) is None
    with pytest.raises(NameTaken, match="owner mark"):
        await eventually(lambda: driver.create(desired))
    with pytest.raises(NameTaken):
        await driver.delete(desired.owner)
    assert writes(railway) == []
    assert service_of(railway, desired.owner).variables == {}


async def test_many_ask_for_one_service_and_get_one(railway: RailwaySimulator, driver: RailwayDriver) -> None:
    desired = wanted()
    made = await asyncio.gather(*(driver.create(desired) for _ in range(5)))
    assert len({compute.id for compute in made}) == 1
    assert railway.counts()["Service"]["created"] == railway.counts()["ServiceDomain"]["created"] == 1


@pytest.mark.parametrize("connecting_deploys", [True, False])
async def test_a_repository_is_connected_once_and_deployed_once_from_its_branch(
    railway: RailwaySimulator, driver: RailwayDriver, *, connecting_deploys: bool
) -> None:
    railway.world.quirks.connect_deploys = connecting_deploys
    desired = wanted(image=None, repository="claw-dev/clawdbot", ref="stable")
    await provisioned(driver, desired)
    assert deployments_of(railway, desired.owner) == [Status.SUCCESS]
    source = service_of(railway, desired.owner).source
    assert (source["repo"], source["branch"]) == ("claw-dev/clawdbot", "stable")
    again = wanted(desired.owner, image=None, repository="claw-dev/clawdbot", ref="stable", variables={"A": "1"})
    await provisioned(driver, again)
    assert writes(railway).count("ConnectRepository") == 1


async def test_a_private_image_is_pulled_with_the_registrys_credentials(railway: RailwaySimulator) -> None:
    desired = wanted(image="registry.example/private")
    async with driver_on(railway, registry_username="claw", registry_password="hush") as driver:
        assert (await running(driver, desired)).state is ComputeState.RUNNING


async def test_a_custom_domain_comes_and_goes(railway: RailwaySimulator, driver: RailwayDriver) -> None:
    desired = wanted(domain="chat.example.com")
    await running(driver, desired)
    observed = (await driver.adjust(desired)).domain
    assert observed is not None
    assert observed.name == "chat.example.com"
    assert observed.records[0].startswith("CNAME chat -> ")
    async with driver_on(railway) as another:
        assert (await until(another, desired.owner, ComputeState.RUNNING)).domain == observed
        await another.adjust(desired)
        assert railway.counts()["CustomDomain"]["created"] == 1
        assert (await another.adjust(wanted(desired.owner))).domain is None
    assert railway.counts()["CustomDomain"]["deleted"] == 1


async def test_a_template_in_a_variable_is_refused_before_anything_is_written(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted(variables={"NOTE": "${{Postgres.DATABASE_URL}}"})
    await driver.create(desired)
    with pytest.raises(Rejected, match="NOTE"):
        await driver.deploy(desired)
    assert writes(railway) == ["CreateService", "CreateServiceDomain"]


async def test_nothing_is_deployed_into_a_service_that_was_never_made(driver: RailwayDriver) -> None:
    desired = wanted()
    for call in (driver.deploy(desired), driver.adjust(desired), driver.suspend(desired.owner)):
        with pytest.raises(Transient, match="has to be created first"):
            await call


@pytest.mark.parametrize("kind", list(TokenKind))
async def test_every_kind_of_token_works_with_its_header(kind: TokenKind) -> None:
    async with RailwaySimulator(token_kind=kind) as railway, driver_on(railway) as driver:
        desired = wanted()
        await running(driver, desired)
        await gone(driver, desired.owner)
        assert railway.services == {}
        assert {call.token_kind for call in railway.calls} == {kind.value}
        assert all(call.has_query_string for call in railway.calls)


async def test_a_wrong_token_is_unknown_and_never_gone(railway: RailwaySimulator) -> None:
    async with driver_on(railway, token="another") as driver:
        for call in (driver.observe(new_owner()), driver.delete(new_owner()), driver.inventory()):
            with pytest.raises(Unauthorized, match="RAILWAY_TOKEN"):
                await call


async def test_a_project_with_two_environments_needs_to_be_told_which(railway: RailwaySimulator) -> None:
    other = railway.world.make(Environment, project_id=railway.project.id, name="staging")
    async with driver_on(railway) as driver:
        with pytest.raises(Rejected, match="production, staging: set RAILWAY_ENVIRONMENT_ID"):
            await driver.observe(new_owner())
    async with driver_on(railway, environment_id=other.id) as driver:
        assert await driver.observe(new_owner()) is None


async def test_the_inventory_has_what_bears_a_mark_and_nothing_else(
    railway: RailwaySimulator, driver: RailwayDriver
) -> None:
    desired = wanted()
    compute = await driver.create(desired)
    railway.hand.make(railway.environment.id, railway.project.id, "postgres", POSTGRES_USER="claw")
    await eventually(lambda: _is_listed(driver, 1))
    (marked,) = await driver.inventory()
    assert (marked.owner, marked.id, marked.archived_until) == (desired.owner, compute.id, None)


async def test_railway_tells_no_changes_and_can_be_closed_twice(driver: RailwayDriver) -> None:
    assert [uid async for uid in driver.changes()] == []
    await driver.aclose()
    await driver.aclose()


def _sees_services(railway: RailwaySimulator) -> bool:
    return all(railway.world.is_seen(service) for service in railway.services.values())


async def _is_listed(driver: RailwayDriver, count: int) -> bool:
    return len(await driver.inventory()) == count
