"""A runtime whose customer may connect Google, and a stand-in for Google with that customer's account."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claw_dev.simulators.claude.simulator import ClaudeSimulator
from claw_dev.simulators.google.simulator import GoogleSimulator, simulated_google
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.integration.runtime.google.world import GoogleWorld, with_google
from tests.integration.runtime.world import Tables, running, settings

OFFERED = ("chat", "memory", "gmail", "calendar")


@pytest.fixture
async def google(clock: Clock) -> AsyncIterator[GoogleSimulator]:
    """Ada's account."""
    async with simulated_google(clock=clock) as simulator:
        yield simulator


@pytest.fixture
def environment(tables: Tables, claude: ClaudeSimulator, google: GoogleSimulator, tmp_path: Path) -> Settings:
    """What the runtime boots with: everything that Google needs."""
    return with_google(settings(tables.url, claude.url, tmp_path / "workspace"), google)


@pytest.fixture
async def world(environment: Settings, clock: Clock, google: GoogleSimulator) -> AsyncIterator[GoogleWorld]:
    """A runtime that is not connected yet."""
    async with running(environment, clock) as runtime:
        await runtime.configure(offered=OFFERED)
        yield GoogleWorld(runtime, google)


@pytest.fixture
async def connected(world: GoogleWorld) -> GoogleWorld:
    """A runtime that may use mail and calendar, and is told of changes."""
    await world.connect("gmail", "calendar")
    await world.watching()
    return world
