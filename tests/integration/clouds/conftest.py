"""Two simulated providers and, for each test, an operator that has an account with both."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from threading import Thread

import pytest

from claw_dev.cluster import ControlPlane
from claw_dev.kubectl import Kubectl
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.railway.simulator import RailwaySimulator
from tests.contract.neon_world import simulated_neon
from tests.integration.clouds.clouds import Clouds


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[asyncio.AbstractEventLoop]:
    """Another thread's event loop. It outlives every operator: connections that are closed take a moment to end."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="operator")
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
async def railway() -> AsyncIterator[RailwaySimulator]:
    """A Railway whose services answer the operator."""
    async with RailwaySimulator(runtimes="stand-in") as railway:
        yield railway


@pytest.fixture
async def neon() -> AsyncIterator[NeonSimulator]:
    """A Neon whose branches exist in its memory only."""
    async with simulated_neon() as neon:
        yield neon


@pytest.fixture
def clouds(
    control_plane: ControlPlane,
    kubectl: Kubectl,
    namespace: str,
    railway: RailwaySimulator,
    neon: NeonSimulator,
    elsewhere: asyncio.AbstractEventLoop,
) -> Clouds:
    """An operator for the test's own namespace, not yet running."""
    return Clouds(control_plane, kubectl, namespace, railway, neon, elsewhere)
