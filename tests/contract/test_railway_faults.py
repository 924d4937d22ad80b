"""What goes wrong between us and Railway: lost answers, lagging reads, refusals. Nothing is doubled, nothing lost."""

import time
from collections.abc import Awaitable, Callable

import pytest

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.railway.pace import Pace, Quirks
from claw_dev.simulators.railway.records import Status
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_operator.external import ComputeState, ExternalError, ObservedCompute, Owner, RateLimited, Size, Transient
from claw_operator.external.railway import RailwayDriver
from tests.contract.owners import new_owner
from tests.contract.railway_driving import (
    SETTLE,
    deployments_of,
    driver_on,
    gone,
    one_pass,
    provisioned,
    running,
    service_of,
    until,
    wanted,
    writes,
)
from tests.eventually import eventually

UNANSWERED = [FaultKind.LOST_ANSWER, FaultKind.CUT, FaultKind.DONE_BUT_HTML, FaultKind.HTML]


async def insistently(call: Callable[[], Awaitable[ObservedCompute]]) -> ObservedCompute:
    """The loop's part: after an error, again a moment later."""

    async def done() -> ObservedCompute:
        try:
            return await call()
        except ExternalError as error:
            raise AssertionError from error

    return await eventually(done)


@pytest.mark.parametrize("kind", UNANSWERED)
@pytest.mark.parametrize("operation", ["CreateService", "CreateServiceDomain", "WriteSettings", "Deploy"])
async def test_a_write_without_an_answer_is_made_good_and_never_doubled(operation: str, kind: FaultKind) -> None:
    desired = wanted()
    async with RailwaySimulator() as railway, driver_on(railway) as driver:
        railway.go_wrong(Fault(kind=kind, operation=operation))
        await provisioned(driver, desired)
        counts = railway.counts()
        assert {counts[kind]["created"] for kind in ("Service", "ServiceDomain", "Deployment")} == {1}
        assert deployments_of(railway, desired.owner) == [Status.SUCCESS]


@pytest.mark.parametrize("operation", ["CreateService", "CreateServiceDomain", "WriteSettings", "Deploy"])
async def test_an_operator_that_died_after_a_write_is_succeeded_by_one_that_doubles_nothing(operation: str) -> None:
    desired = wanted()
    async with RailwaySimulator(pace=Pace.quick().but(lag=SETTLE / 2)) as railway:
        async with driver_on(railway) as driver:
            railway.go_wrong(Fault(kind=FaultKind.LOST_ANSWER, operation=operation))
            with pytest.raises(Transient):
                await one_pass(driver, desired)
        async with driver_on(railway) as successor:
            await provisioned(successor, desired)
        counts = railway.counts()
        assert {counts[kind]["created"] for kind in ("Service", "ServiceDomain", "Deployment")} == {1}


@pytest.mark.parametrize("kind", UNANSWERED)
async def test_a_repository_whose_connection_got_no_answer_is_deployed(kind: FaultKind) -> None:
    desired = wanted(image=None, repository="claw-dev/clawdbot")
    async with RailwaySimulator() as railway, driver_on(railway) as driver:
        railway.go_wrong(Fault(kind=kind, operation="ConnectRepository"))
        await provisioned(driver, desired)
        assert deployments_of(railway, desired.owner) == [Status.SUCCESS]
        assert service_of(railway, desired.owner).source["branch"] == "main"


@pytest.mark.parametrize("kind", UNANSWERED)
async def test_a_deletion_without_an_answer_is_carried_outone_pass(kind: FaultKind) -> None:
    desired = wanted()
    async with RailwaySimulator() as railway, driver_on(railway) as driver:
        await running(driver, desired)
        railway.go_wrong(Fault(kind=kind, operation="DeleteService"))
        with pytest.raises(Transient):
            await driver.delete(desired.owner)
        await gone(driver, desired.owner)
        assert railway.services == {}
        assert railway.counts()["Service"] == {"created": 1, "deleted": 1}


async def test_what_a_dead_operator_made_is_not_taken_for_gone_before_it_can_be_seen() -> None:
    owner = new_owner()
    async with RailwaySimulator(pace=Pace.quick().but(lag=0.5)) as railway:
        railway.hand.make(railway.environment.id, railway.project.id, owner.external_name, CLAW_OWNER=owner.mark)
        async with driver_on(railway, settle_seconds=1.0) as driver:
            with pytest.raises(Transient, match="not certain yet"):
                await driver.delete(owner)
            await gone(driver, owner)
        assert railway.services == {}


async def test_a_deletion_that_this_process_made_ends_as_soon_as_it_shows() -> None:
    async with RailwaySimulator() as railway:
        desired = wanted()
        async with driver_on(railway) as before:
            await running(before, desired)
        async with driver_on(railway, settle_seconds=1000.0) as after:  # it has just begun, and knows nothing
            await eventually(lambda: _is_deleted(after, desired.owner))
        assert railway.services == {}


async def _is_deleted(driver: RailwayDriver, owner: Owner) -> bool:
    await driver.delete(owner)
    return await driver.observe(owner) is None


async def test_a_service_that_may_have_been_made_is_not_taken_for_gone_before_it_can_be_seen() -> None:
    desired = wanted()
    async with RailwaySimulator(pace=Pace.quick().but(lag=0.5)) as railway:
        passed = 0.0
        async with driver_on(railway, settle_seconds=1.0, monotonic=lambda: time.monotonic() + passed) as driver:
            passed = 60.0  # long enough to have seen all that another operator made
            railway.go_wrong(Fault(kind=FaultKind.LOST_ANSWER, operation="CreateService"))
            with pytest.raises(Transient, match="does not show it yet"):
                await driver.create(desired)
            with pytest.raises(Transient, match="not certain yet"):
                await driver.delete(desired.owner)
            await gone(driver, desired.owner)
        assert railway.services == {}


async def test_a_service_too_new_to_be_deleted_is_not_taken_for_gone() -> None:
    desired = wanted()
    pace = Pace.quick().but(lag=0.5)
    async with RailwaySimulator(pace=pace) as railway, driver_on(railway, settle_seconds=1.0) as driver:
        await driver.create(desired)
        railway.go_wrong(
            Fault(kind=FaultKind.REFUSED_IN_BODY, operation="DeleteService", message="ServiceInstance not found")
        )
        with pytest.raises(Transient, match="not found"):
            await driver.delete(desired.owner)
        await gone(driver, desired.owner)
        assert railway.services == {}


async def test_lagging_reads_do_not_hide_what_was_just_written() -> None:
    desired = wanted()
    async with RailwaySimulator(pace=Pace.quick().but(lag=SETTLE * 0.8, write_lag=0.03)) as railway:
        async with driver_on(railway) as driver:
            await driver.create(desired)
            made = await driver.observe(desired.owner)
            assert made is not None
            assert made.state is ComputeState.EMPTY
            deploying = await driver.deploy(desired)
            seen = await driver.observe(desired.owner)
            assert seen == deploying
            await until(driver, desired.owner, ComputeState.RUNNING)
            await gone(driver, desired.owner)
        assert railway.counts()["Deployment"]["created"] == 1
        assert railway.services == {}


async def test_a_fleet_of_many_pages_is_read_whole() -> None:
    owners = [new_owner() for _ in range(7)]
    async with RailwaySimulator(quirks=Quirks(page_limit=3)) as railway, driver_on(railway) as driver:
        for owner in owners:
            railway.hand.make(railway.environment.id, railway.project.id, owner.external_name, CLAW_OWNER=owner.mark)
        await eventually(lambda: _listed(driver, len(owners)))
        assert {marked.owner.uid for marked in await driver.inventory()} == {owner.uid for owner in owners}


async def test_a_list_that_does_not_go_on_proves_no_absence() -> None:
    quirks = Quirks(page_limit=2, cursor_stands_still=True)
    async with RailwaySimulator(quirks=quirks) as railway, driver_on(railway) as driver:
        for owner in [new_owner() for _ in range(5)]:
            railway.hand.make(railway.environment.id, railway.project.id, owner.external_name, CLAW_OWNER=owner.mark)

        async def is_refused() -> bool:
            try:
                await driver.observe(new_owner())
            except Transient as error:
                return "not complete" in str(error)
            return False

        await eventually(is_refused)
        with pytest.raises(Transient, match="not complete"):
            await driver.inventory()
        with pytest.raises(Transient, match="not complete"):
            await driver.delete(new_owner())


async def test_a_husk_without_an_instance_disturbs_nobody() -> None:
    desired, husk = wanted(), new_owner()
    async with RailwaySimulator() as railway, driver_on(railway) as driver:
        railway.hand.make(railway.environment.id, railway.project.id, husk.external_name, CLAW_OWNER=husk.mark)
        await railway.hand.delete(husk.external_name, leaving_husk=True)
        await running(driver, desired)
        await gone(driver, husk)
        assert list(railway.services) == [desired.owner.external_name]


async def test_a_service_that_is_not_to_be_seen_yet_gets_its_address_all_the_same() -> None:
    async with RailwaySimulator(pace=Pace.quick().but(write_lag=0.03)) as railway, driver_on(railway) as driver:
        await driver.create(wanted())
        assert railway.counts()["ServiceDomain"]["created"] == 1


async def test_an_address_that_lost_a_race_is_asked_for_again() -> None:
    message = "Failed to create service domain, please try again"
    async with RailwaySimulator() as railway, driver_on(railway) as driver:
        railway.go_wrong(
            Fault(kind=FaultKind.REFUSED_IN_BODY, operation="CreateServiceDomain", message=message, times=3)
        )
        assert (await driver.create(wanted())).url
        assert writes(railway).count("CreateServiceDomain") == 4


async def test_settings_that_were_not_written_are_not_deployed() -> None:
    desired = wanted()
    async with RailwaySimulator() as railway, driver_on(railway) as driver:
        await driver.create(desired)
        railway.go_wrong(
            Fault(kind=FaultKind.REFUSED_IN_BODY, operation="WriteSettings", message="Something went wrong")
        )
        with pytest.raises(Transient, match="write the settings of claw-test"):
            await driver.deploy(desired)
        assert "Deploy" not in writes(railway)


@pytest.mark.parametrize("kind", [FaultKind.ERROR, FaultKind.CLOUDFLARE])
async def test_a_provider_that_asks_for_patience_gets_it(kind: FaultKind) -> None:
    async with RailwaySimulator() as railway, driver_on(railway) as driver:
        railway.go_wrong(Fault(kind=kind, status=429, retry_after=1 if kind is FaultKind.ERROR else None))
        with pytest.raises(RateLimited) as limited:
            await driver.create(wanted())
        assert limited.value.retry_after >= 1
        assert railway.services == {}


async def test_a_gateway_that_stumbles_once_is_asked_again() -> None:
    async with RailwaySimulator() as railway, driver_on(railway) as driver:
        railway.go_wrong(Fault(kind=FaultKind.REFUSED_IN_BODY, operation="Fleet", message="Problem processing request"))
        assert await driver.observe(new_owner()) is None


async def test_not_authorized_is_not_gone() -> None:
    desired = wanted()
    async with RailwaySimulator() as railway:
        async with driver_on(railway) as driver:
            await running(driver, desired)
        async with driver_on(railway) as driver:
            railway.go_wrong(
                Fault(kind=FaultKind.REFUSED_IN_BODY, operation="Fleet", message="Not Authorized", times=None)
            )
            with pytest.raises(ExternalError, match="Not Authorized"):
                await driver.observe(desired.owner)
            with pytest.raises(ExternalError, match="Not Authorized"):
                await driver.delete(desired.owner)
        assert service_of(railway, desired.owner).exists


async def test_a_size_whose_answer_was_lost_is_written_once_more() -> None:
    desired = wanted()
    async with RailwaySimulator() as railway, driver_on(railway) as driver:
        await running(driver, desired)
        larger = wanted(desired.owner, size=Size(1000, 2**30))
        railway.go_wrong(Fault(kind=FaultKind.LOST_ANSWER, operation="WriteLimits"))
        assert (await insistently(lambda: driver.adjust(larger))).size == larger.size
        assert deployments_of(railway, desired.owner) == [Status.SUCCESS]


async def _listed(driver: RailwayDriver, count: int) -> bool:
    return len(await driver.inventory()) == count
