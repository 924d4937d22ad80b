"""Two simulated providers and, for each test, an operator that has an account with both."""

from collections.abc import AsyncIterator

import pytest

from claw_dev.cluster import ControlPlane
from claw_dev.kubectl import Kubectl
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.railway.simulator import RailwaySimulator
from tests.contract.neon_world import simulated_neon
from tests.integration.clouds.clouds import Clouds


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
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, railway: RailwaySimulator, neon: NeonSimulator
) -> Clouds:
    """An operator for the test's own namespace, not yet running."""
    return Clouds(control_plane, kubectl, namespace, railway, neon)
