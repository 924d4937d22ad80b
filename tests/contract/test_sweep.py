"""The sweep over both simulated providers: what was left behind goes, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import httpx
import pytest

from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_operator.drivers import Drivers
from claw_operator.external import Owner, RuntimeClient
from claw_operator.external.budget import Budget
from claw_operator.external.http import Api
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import NeonOptions
from claw_operator.external.railway import RailwayDriver
from claw_operator.kube import Kube
from claw_operator.metrics import Metrics
from claw_operator.orphans import Policy
from claw_operator.store import Store
from claw_operator.sweep import Sweeper
from claw_operator.workqueue import Result, WorkQueue
from tests.contract import neon_world, railway_world
from tests.contract.neon_world import client_of, simulated_neon
from tests.contract.owners import FLEET, database_of, new_owner
from tests.contract.railway_driving import driver_on, running, wanted
from tests.eventually import eventually
from tests.unit.operator.api_server import INSTANCES
from tests.unit.operator.examples import body
from tests.unit.operator.listing import ListingApiServer


class Providers:
    """Two simulated accounts, a cluster and a sweeper that takes an hour for a moment."""

    def __init__(
        self,
        railway: RailwaySimulator,
        neon: NeonSimulator,
        api: ListingApiServer,
        kube: Kube,
        computes: RailwayDriver,
        databases: NeonDriver,
    ) -> None:
        self.railway, self.neon, self.api = railway, neon, api
        self.computes, self.databases = computes, databases
        self.metrics = Metrics()
        self.ahead = timedelta()
        """How far the sweeper's calendar is ahead of everybody else's."""
        self._seconds = 0.0
        self._sweeper = Sweeper(
            kube=kube,
            drivers=Drivers({"railway": computes}, {"neon": databases}, cast(RuntimeClient, None)),
            store=Store(),
            queue=WorkQueue(self._never, random=lambda: 0.5),
            metrics=self.metrics,
            policy=Policy(fleet=FLEET, namespace="claw"),
            clock=lambda: datetime.now(UTC) + self.ahead,
            monotonic=lambda: self._seconds,
            sleep=self._sleep,
        )

    async def make(self, owner: Owner, *, instance: bool) -> Owner:
        """Both things of the owner, and its instance or none."""
        if instance:
            self.api.put(f"{INSTANCES}/{owner.name}", body(metadata={"name": owner.name, "uid": owner.uid}))
        await asyncio.gather(running(self.computes, wanted(owner)), self.databases.create(database_of(owner)))
        return owner

    async def sweep(self) -> None:
        """One sweep, with what it deletes."""
        began = self._seconds
        await self._sweeper.delete(await self._sweeper.sweep(), until=began + 600)
        self._seconds = max(began + 600, self._seconds)

    def services(self) -> set[str]:
        """What really is at Railway, by name."""
        return set(self.railway.services)

    def branches(self) -> set[str]:
        """What really is at Neon, by name."""
        return {branch.name for branch in self.neon.world.branches_of(self.neon.project_id)}

    def orphans(self) -> tuple[float | None, float | None]:
        """What the metric says of Railway and Neon."""
        value = self.metrics.registry.get_sample_value
        return value("claw_orphans", {"driver": "railway"}), value("claw_orphans", {"driver": "neon"})

    async def _never(self, _: str) -> Result:
        raise AssertionError("no pass runs here")

    async def _sleep(self, seconds: float) -> None:
        self._seconds += seconds


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    async with AsyncExitStack() as stack:
        railway = await stack.enter_async_context(RailwaySimulator())
        neon = await stack.enter_async_context(simulated_neon())
        api = await stack.enter_async_context(ListingApiServer().serving())
        client = await stack.enter_async_context(api.client())
        session = await stack.enter_async_context(httpx.AsyncClient())
        computes = await stack.enter_async_context(driver_on(railway))
        budget = Budget("Neon", per_second=10_000, burst=10_000)
        options = NeonOptions(
            key=neon_world.KEY, url=neon.url, project_id=neon.project_id, poll_seconds=0.01, settle_seconds=0.15
        )
        databases = NeonDriver(Api(session, budget, provider="neon", random=lambda: 0.5), options)
        stack.push_async_callback(databases.aclose)
        yield Providers(railway, neon, cast(ListingApiServer, api), Kube(client), computes, databases)


async def test_orphans_go_and_live_instances_strangers_archives_and_other_fleets_stay(providers: Providers) -> None:
    live = [await providers.make(new_owner(f"live-{n}"), instance=True) for n in range(3)]
    orphan = await providers.make(new_owner("orphan"), instance=False)
    other = await providers.make(replace(new_owner("other"), fleet=orphan.uid), instance=False)
    archived = new_owner("archived")
    await providers.databases.create(database_of(archived))
    await providers.databases.archive(archived, datetime.now(UTC) + timedelta(days=30))
    (archive,) = {name for name in providers.branches() if name.startswith(archived.external_name)}
    # Strangers that have names as ours, and no mark.
    stranger = new_owner("stranger").external_name
    async with client_of(providers.neon) as neon:
        await neon.new_branch(stranger)
    async with httpx.AsyncClient() as http:
        await railway_world.Client(providers.railway, http, providers.railway.token.secret).create(stranger)

    async def found() -> bool:
        await providers.sweep()
        return providers.orphans() == (1, 1)

    await eventually(found)
    assert orphan.external_name in providers.services() & providers.branches(), "reported, and not deleted yet"

    async def deleted() -> bool:
        await providers.sweep()
        return orphan.external_name not in providers.services() | providers.branches()

    await eventually(deleted)
    for _ in range(10):
        await providers.sweep()
    expected = {stranger, other.external_name, *(owner.external_name for owner in live)}
    assert providers.services() == expected
    assert providers.branches() == expected | {"main", archive}
    assert providers.orphans() == (0, 0)
    assert providers.metrics.registry.get_sample_value("claw_archived", {"driver": "neon"}) == 1


async def test_an_archive_is_deleted_when_its_time_is_over(providers: Providers) -> None:
    owner = new_owner("archived")
    await providers.databases.create(database_of(owner))
    await providers.databases.archive(owner, datetime.now(UTC) + timedelta(days=30))
    for _ in range(10):
        await providers.sweep()
    assert len(providers.branches()) == 2, "kept"
    providers.ahead = timedelta(days=32)

    async def gone() -> bool:
        await providers.sweep()
        return providers.branches() == {"main"}

    await eventually(gone)
    assert providers.orphans() == (0, 0)
