"""The disk is watched: what a program writes there is in the database soon after."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claw_runtime.database import Database
from claw_runtime.workspace.files import Workspace
from claw_runtime.workspace.watching import held, identity_of
from tests.clock import Clock
from tests.eventually import eventually
from tests.unit.templates.pro_customer import PRO


@pytest.fixture
async def watched(database: Database, disk: Path, clock: Clock) -> AsyncIterator[Workspace]:
    workspace = Workspace(database, disk, clock, quiet_seconds=0.05)
    await workspace.seed(PRO)
    yield workspace
    await workspace.close()


async def holds(workspace: Workspace, path: str, content: str | None) -> None:
    async def read() -> bool:
        entry = await workspace.read(path)
        return (entry.content if entry is not None else None) == content

    await eventually(read)


async def test_what_a_program_writes_moves_and_deletes_is_in_the_database_soon(watched: Workspace, disk: Path) -> None:
    heard: list[frozenset[str]] = []
    watched.subscribe(heard.append)
    (disk / "notes.md").write_text("one")
    await holds(watched, "notes.md", "one")
    (disk / "notes.md").rename(disk / "garden.md")
    await holds(watched, "garden.md", "one")
    await holds(watched, "notes.md", None)
    (disk / "garden.md").unlink()
    await holds(watched, "garden.md", None)
    assert heard[0] == {"notes.md"}
    assert await watched.read("SOUL.md") is not None


async def test_a_folder_that_comes_later_is_watched_too(watched: Workspace, disk: Path) -> None:
    (disk / "projects").mkdir()
    (disk / "projects" / "a.md").write_text("a")
    await holds(watched, "projects/a.md", "a")
    (disk / "projects" / "a.md").write_text("b, and more")
    await holds(watched, "projects/a.md", "b, and more")


async def test_a_disk_that_vanishes_comes_back_and_is_watched_again(watched: Workspace, disk: Path) -> None:
    (disk / "notes.md").write_text("one")
    await holds(watched, "notes.md", "one")
    shutil.rmtree(disk)
    await eventually((disk / "notes.md").is_file)
    assert await watched.read("SOUL.md") is not None

    async def taken_in() -> bool:
        (disk / "again.md").write_text("x")
        return await watched.read("again.md") is not None

    await eventually(taken_in)


async def test_a_disk_in_the_place_of_another_is_another_one_whatever_its_number(tmp_path: Path) -> None:
    """Disks give the number of what is gone to the next one that is made, often at once."""
    for number in range(50):
        disk = tmp_path / str(number)
        disk.mkdir()
        with held(disk) as identity:
            assert identity_of(disk) == identity
            disk.rmdir()
            assert identity_of(disk) is None
            disk.mkdir()
            assert identity_of(disk) != identity


async def test_a_folder_that_is_a_link_is_not_walked_through(
    database: Database, disk: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    link(disk)
    workspace = Workspace(database, disk, clock, quiet_seconds=0.05)
    caplog.set_level(logging.WARNING, "claw_runtime.workspace.watching")
    await workspace.seed(PRO)
    await eventually(lambda: "is not watched" in caplog.text)
    await workspace.write("notes.md", "works")
    await workspace.close()


def link(disk: Path) -> None:
    disk.mkdir()
    (disk / "root").symlink_to("/")


async def test_it_ends_although_the_database_is_away(database: Database, disk: Path, clock: Clock) -> None:
    workspace = Workspace(database, disk, clock, quiet_seconds=0.05)
    await workspace.seed(PRO)
    await database.close()
    (disk / "notes.md").write_text("nobody can take this in")
    async with asyncio.timeout(10):
        await workspace.close()
