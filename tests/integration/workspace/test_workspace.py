"""The workspace in a real PostgreSQL and on a real disk."""

import asyncio
import logging
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from claw_crds.configuration import RuntimeConfiguration
from claw_crds.v1alpha1 import WorkspaceFile
from claw_runtime.database import Database
from claw_runtime.workspace.content import MAX_CHARACTERS, ContentTooLarge, InvalidContent
from claw_runtime.workspace.disk import MANIFEST
from claw_runtime.workspace.files import Workspace
from claw_runtime.workspace.paths import InvalidPath
from claw_runtime.workspace.writing import WorkspaceConflict
from tests.clock import Clock
from tests.unit.templates.pro_customer import PRO


def on_disk(disk: Path) -> dict[str, str]:
    return {
        str(path.relative_to(disk)): path.read_text("utf-8")
        for path in disk.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


async def stored(workspace: Workspace) -> dict[str, str]:
    entries = [await workspace.read(listing.path) for listing in await workspace.list()]
    return {entry.path: entry.content for entry in entries if entry is not None}


async def etags(workspace: Workspace) -> dict[str, tuple[str, datetime]]:
    return {listing.path: (listing.etag, listing.updated_at) for listing in await workspace.list()}


def in_zone(zone: str) -> RuntimeConfiguration:
    return PRO.model_copy(update={"customer": PRO.customer.model_copy(update={"timezone": zone})})


async def test_a_blank_workspace_gets_its_files_in_the_database_and_on_the_disk(
    workspace: Workspace, disk: Path
) -> None:
    assert await workspace.list() == []
    await workspace.seed(PRO)
    files = await stored(workspace)
    assert set(files) >= {"SOUL.md", "AGENTS.md", "STATE.json", ".env", "memory/2026-11-22.md"}
    assert len(files) == 10
    assert on_disk(disk) == files


async def test_seeding_again_changes_nothing(workspace: Workspace, clock: Clock) -> None:
    await workspace.seed(PRO)
    before = await etags(workspace)
    clock.now += timedelta(days=3)
    await workspace.seed(PRO)
    assert await etags(workspace) == before


async def test_what_was_written_is_never_overwritten_by_a_seeding(workspace: Workspace) -> None:
    await workspace.write("SOUL.md", "mine")
    await workspace.write("memory/2026-01-01.md", "a note")
    own = (WorkspaceFile(path="SOUL.md", content="the spec's"), WorkspaceFile(path="TOOLS.md", content="the spec's"))
    await workspace.seed(PRO.model_copy(update={"workspace_files": own}))
    files = await stored(workspace)
    assert files["SOUL.md"] == "mine"
    assert files["TOOLS.md"] == "the spec's"
    assert "memory/2026-11-22.md" not in files  # it is not the first day


async def test_the_state_follows_the_configuration(workspace: Workspace, disk: Path) -> None:
    await workspace.seed(PRO)
    team = PRO.model_copy(update={"plan": PRO.plan.model_copy(update={"name": "team", "skills": ("*",)})})
    await workspace.seed(team)
    files = await stored(workspace)
    assert '"name": "team"' in files["STATE.json"]
    assert "CLAW_PLAN=team" in files[".env"]
    assert on_disk(disk) == files


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", "2026-11-22"), ("Asia/Tokyo", "2026-11-23"), ("America/New_York", "2026-11-22")]
)
async def test_the_first_day_is_the_customers_day(workspace: Workspace, zone: str, day: str) -> None:
    await workspace.seed(in_zone(zone))
    assert f"memory/{day}.md" in await stored(workspace)
    assert (await workspace.prompt_sections())[-1][0] == f"memory/{day}.md"


async def test_an_unknown_time_zone_is_utc(workspace: Workspace) -> None:
    await workspace.seed(in_zone("Mars/Olympus_Mons"))
    assert "memory/2026-11-22.md" in await stored(workspace)


async def test_two_runtimes_that_seed_at_once_agree(database: Database, tmp_path: Path, clock: Clock) -> None:
    one, other = (Workspace(database, tmp_path / name, clock) for name in ("one", "other"))
    await asyncio.gather(one.seed(PRO), other.seed(PRO), one.seed(PRO))
    assert on_disk(tmp_path / "one") == on_disk(tmp_path / "other") == await stored(one)


async def test_a_lost_disk_is_written_anew(database: Database, workspace: Workspace, disk: Path, clock: Clock) -> None:
    await workspace.seed(PRO)
    await workspace.write("projects/engine.md", "# Engine")
    shutil.rmtree(disk)
    await Workspace(database, disk, clock).seed(PRO)
    assert on_disk(disk) == await stored(workspace)
    assert on_disk(disk)["projects/engine.md"] == "# Engine"


async def test_a_file_is_written_read_and_replaced(workspace: Workspace, disk: Path, clock: Clock) -> None:
    assert await workspace.read("notes.md") is None
    first = await workspace.write("notes.md", "one")
    assert await workspace.read("notes.md") == first
    clock.now += timedelta(seconds=1)
    second = await workspace.write("notes.md", "two 日本語")
    assert (second.content, second.updated_at) == ("two 日本語", clock.now)
    assert second.etag != first.etag
    assert on_disk(disk) == {"notes.md": "two 日本語"}

    clock.now += timedelta(seconds=1)
    assert await workspace.write("notes.md", "two 日本語") == second  # nothing changed


async def test_of_two_writers_who_read_the_same_the_second_is_told(workspace: Workspace, disk: Path) -> None:
    read = await workspace.write("notes.md", "one")
    results = await asyncio.gather(
        *(workspace.write("notes.md", text, if_match=read.etag) for text in ("mine", "yours")), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["WorkspaceConflict", "WorkspaceEntry"]
    assert on_disk(disk) == await stored(workspace)


async def test_a_file_that_is_expected_but_missing_is_a_conflict(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceConflict):
        await workspace.write("notes.md", "one", if_match="0" * 32)
    assert await workspace.list() == []


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".hidden", "a//b", "", "STATE.json", ".env"])
async def test_a_path_that_is_not_the_writers_is_refused(workspace: Workspace, path: str) -> None:
    with pytest.raises(InvalidPath):
        await workspace.write(path, "x")
    assert await workspace.list() == []


async def test_a_name_is_a_file_or_a_folder_and_never_both(workspace: Workspace) -> None:
    await workspace.write("a/b", "x")
    await workspace.write("ab", "x")
    for path in ("a", "a/b/c"):
        with pytest.raises(InvalidPath, match="a file or a folder"):
            await workspace.write(path, "x")


async def test_a_text_that_cannot_be_kept_is_refused(workspace: Workspace) -> None:
    await workspace.write("large.md", "é" * MAX_CHARACTERS)
    with pytest.raises(ContentTooLarge):
        await workspace.write("large.md", "é" * (MAX_CHARACTERS + 1))
    for content in ("a\x00b", "a\ud800b"):
        with pytest.raises(InvalidContent):
            await workspace.write("odd.md", content)


async def test_a_link_on_the_disk_leads_nobody_out(workspace: Workspace, disk: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    plant_links(disk, outside)
    await workspace.write("memory/note.md", "x")
    await workspace.write("memory/deep/note.md", "x")
    await workspace.write("file.md", "x")
    assert on_disk(outside) == {"file.md": "untouched"}
    assert (disk / "file.md").read_text() == "x"
    assert set(await stored(workspace)) == {"memory/note.md", "memory/deep/note.md", "file.md"}


def plant_links(disk: Path, outside: Path) -> None:
    outside.mkdir()
    disk.mkdir()
    (outside / "file.md").write_text("untouched")
    (disk / "memory").symlink_to(outside)
    (disk / "file.md").symlink_to(outside / "file.md")


async def test_a_disk_that_refuses_costs_the_copy_and_is_told_once(
    workspace: Workspace, disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "claw_runtime.workspace.mirror")
    await asyncio.to_thread(disk.write_text, "a file where the folder should be")
    await workspace.seed(PRO)
    await workspace.write("notes.md", "x")
    assert "notes.md" in await stored(workspace)
    await asyncio.to_thread(disk.unlink)
    await workspace.write("notes.md", "y")
    assert on_disk(disk)["notes.md"] == "y"
    assert [record.getMessage() for record in caplog.records] == [
        "the workspace cannot be copied to the disk",
        "the workspace is copied to the disk again",
    ]


async def test_one_file_that_the_disk_refuses_does_not_keep_the_others_from_it(
    workspace: Workspace, disk: Path
) -> None:
    (disk / "SOUL.md").mkdir(parents=True)
    await workspace.seed(PRO)
    files = on_disk(disk)
    assert len(files) == 9
    assert not any(Path(path).name.startswith(".") for path in files if path != ".env")


async def test_the_prompt_is_made_of_what_is_stored(workspace: Workspace) -> None:
    await workspace.seed(PRO)
    await workspace.write("SOUL.md", "I am new here.")
    sections = dict(await workspace.prompt_sections())
    assert sections["SOUL.md"] == "I am new here."
    assert next(iter(sections)) == "AGENTS.md"
    assert "projects/engine.md" not in sections
