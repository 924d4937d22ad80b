"""Reading the whole fleet from Neon: every page or nothing, and at a price that is known."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from claw_dev.simulators.faults import FaultKind
from claw_dev.simulators.neon.pace import Pace
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.serving import serving
from claw_operator.external import Owner, Rejected, Transient
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import Isolation
from tests.contract.neon_driving import (
    PROJECT,
    both,
    operating,
    operating_at,
)
from tests.contract.neon_world import fault, simulated_neon
from tests.contract.owners import database_of, new_owner

Json = dict[str, Any]


@pytest.fixture
async def neon() -> AsyncIterator[NeonSimulator]:
    async with simulated_neon() as neon:
        yield neon


@pytest.fixture
async def driver(neon: NeonSimulator) -> AsyncIterator[NeonDriver]:
    async with operating(neon) as driver:
        yield driver


async def test_a_list_that_left_projects_out_proves_no_absence(neon: NeonSimulator) -> None:
    owner, neighbour = new_owner("claw-one"), new_owner("claw-two")
    async with operating(neon, PROJECT) as driver:
        made = await driver.create(database_of(owner))
        await driver.create(database_of(neighbour))
    neon.world.unavailable_projects.add(made.id)
    before = neon.counts()
    async with operating(neon, PROJECT) as driver:
        assert await driver.observe(neighbour) is not None
        for call in (lambda: driver.observe(owner), lambda: driver.create(database_of(owner)), driver.inventory):
            with pytest.raises(Transient, match="in time"):
                await call()
    assert neon.counts() == before


@both
async def test_inventory_and_looks_read_every_page(neon: NeonSimulator, isolation: Isolation) -> None:
    owners = [new_owner(f"claw-{number}") for number in range(5)]
    async with operating(neon, isolation, page_size=2) as driver:
        for owner in owners:
            await driver.create(database_of(owner))
    async with operating(neon, isolation, page_size=2) as driver:
        assert {marked.owner.uid for marked in await driver.inventory()} == {owner.uid for owner in owners}
        assert all([await driver.observe(owner) for owner in owners])
        assert all(marked.archived_until is None for marked in await driver.inventory())


async def test_a_page_that_fails_is_no_reason_to_call_anything_gone(neon: NeonSimulator, driver: NeonDriver) -> None:
    owners = [new_owner(f"claw-{number}") for number in range(4)]
    for owner in owners:
        await driver.create(database_of(owner))
    async with operating(neon, page_size=2) as other:
        neon.faults.add(fault(FaultKind.CUT, "listProjectBranches", skip=1, times=3))
        with pytest.raises(Transient):
            await other.observe(owners[0])
        neon.faults.clear()
        assert await other.observe(owners[0]) is not None


@both
async def test_an_instance_costs_at_most_six_calls_and_a_fleet_at_rest_one_a_page(isolation: Isolation) -> None:
    # A tenth of the real times, so that the polls are as many.
    operations = {"create_branch": 0.05, "start_compute": 0.08, "create_timeline": 0.03, "suspend_compute": 0.04}
    pace = Pace(latency=(0.008, 0.015, 0.06), operations=operations, other_operations=0.05, jitter=0.2, read_lag=0.03)
    owners = [new_owner(f"claw-{number}") for number in range(10)]

    async def provision(driver: NeonDriver, owner: Owner) -> None:
        assert await driver.observe(owner) is None
        assert (await driver.create(database_of(owner))).ready
        await driver.issue_credentials(owner)
        for _ in range(4):  # while the compute is being deployed
            assert await driver.observe(owner) is not None

    async with simulated_neon(pace=pace) as neon:
        async with operating(neon, poll_seconds=0.05, settle_seconds=1.5) as driver:
            await asyncio.gather(*(provision(driver, owner) for owner in owners))
            assert len(neon.calls) <= 6 * len(owners), neon.calls.by_operation()
        async with operating(neon) as driver:
            await asyncio.gather(*(driver.observe(owner, max_age=60) for owner in owners))
            neon.calls.clear()
            for _ in range(3):
                await asyncio.gather(*(driver.observe(owner, max_age=60) for owner in owners))
            assert len(neon.calls) == 0
            await asyncio.gather(*(driver.inventory() for _ in owners))
            assert len(neon.calls) <= 2


OWNER = new_owner()
ENDPOINT = {"id": "ep-calm-sun-1", "branch_id": "br-1", "host": "ep-calm-sun-1.eu.neon.tech", "type": "read_write"}


@asynccontextmanager
async def odd_neon(pagination: Json, uri: str = "") -> AsyncIterator[tuple[NeonDriver, list[str]]]:
    """A driver at a Neon with one branch, which says odd things; and the writes that it got."""
    writes: list[str] = []

    async def branches(_: web.Request) -> web.Response:
        branch = {"id": "br-1", "name": OWNER.external_name, "parent_id": "br-0", "current_state": "of tomorrow"}
        annotations = {"br-1": {"value": {"claw.dev/owner": OWNER.mark}, "object": {}}}
        return web.json_response({"branches": [branch], "annotations": annotations, "pagination": pagination})

    async def endpoints(_: web.Request) -> web.Response:
        return web.json_response({"endpoints": [ENDPOINT]})

    async def connection_uri(_: web.Request) -> web.Response:
        return web.json_response({"uri": uri})

    async def write(request: web.Request) -> web.Response:
        writes.append(request.path)
        return web.json_response({}, status=500)

    app = web.Application()
    app.router.add_get("/projects/p/branches", branches)
    app.router.add_get("/projects/p/endpoints", endpoints)
    app.router.add_get("/projects/p/connection_uri", connection_uri)
    app.router.add_post("/{any:.*}", write)
    async with serving(app) as url, operating_at(url, project_id="p") as driver:
        yield driver, writes


async def test_a_list_that_goes_round_in_circles_is_not_believed() -> None:
    async with odd_neon({"next": "again"}) as (driver, _):
        with pytest.raises(Transient, match="does not end"):
            await driver.observe(OWNER)
        with pytest.raises(Transient, match="does not end"):
            await driver.inventory()


async def test_states_that_nobody_knows_yet_are_lived_with() -> None:
    async with odd_neon({}) as (driver, _):
        found = await driver.observe(OWNER)
        assert found is not None
        assert found.ready


@pytest.mark.parametrize("host", ["ep-other-sea-2.eu.neon.tech", "ep-calm-sun-12.eu.neon.tech"])
async def test_a_connection_url_of_somebody_else_is_refused_before_any_password_is_set(host: str) -> None:
    async with odd_neon({}, uri=f"postgresql://neondb_owner:canary@{host}/neondb") as (driver, writes):
        with pytest.raises(Rejected, match="does not lead to the instance's own endpoint") as caught:
            await driver.issue_credentials(OWNER)
    assert "canary" not in str(caught.value)
    assert writes == []
