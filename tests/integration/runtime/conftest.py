"""A runtime with a database of its own, which is all that its role owns, and a stand-in for Claude."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claw_dev.simulators.claude.simulator import ClaudeSimulator, simulated_claude
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.integration.runtime.world import Runtime, Tables, owned_tables, running, settings


@pytest.fixture
async def tables(postgres_url: str) -> AsyncIterator[Tables]:
    """An empty database and the role that owns it, and nothing else."""
    async with owned_tables(postgres_url) as owned:
        yield owned


@pytest.fixture
async def claude() -> AsyncIterator[ClaudeSimulator]:
    """A stand-in that answers at once."""
    async with simulated_claude() as simulator:
        yield simulator


@pytest.fixture
def clock() -> Clock:
    """Stands still unless it is moved."""
    return Clock()


@pytest.fixture
def environment(tables: Tables, claude: ClaudeSimulator, tmp_path: Path) -> Settings:
    """What the runtime boots with."""
    return settings(tables.url, claude.url, tmp_path / "workspace")


@pytest.fixture
async def blank(environment: Settings, clock: Clock) -> AsyncIterator[Runtime]:
    """A runtime that nobody has configured yet."""
    async with running(environment, clock) as runtime:
        yield runtime


@pytest.fixture
async def runtime(blank: Runtime) -> Runtime:
    """A runtime of a Pro customer without limits."""
    await blank.configure()
    return blank
