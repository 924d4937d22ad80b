"""A workspace in a real PostgreSQL and on a real disk, without a runtime around it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from claw_runtime.database import Database
from claw_runtime.migrations import migrate
from claw_runtime.workspace.files import Workspace
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 22, 23, 30, tzinfo=UTC))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    await migrate(database)
    yield database
    await database.close()


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
async def workspace(database: Database, disk: Path, clock: Clock) -> Workspace:
    return Workspace(database, disk, clock)
