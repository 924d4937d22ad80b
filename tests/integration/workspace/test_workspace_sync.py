"""What programs change on the disk, and what becomes of it: restarts, conflicts, links, and what is no file."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from claw_runtime.database import Database
from claw_runtime.workspace.disk import MANIFEST
from claw_runtime.workspace.files import Workspace
from claw_runtime.workspace.mirror import Mirror
from tests.clock import Clock
from tests.unit.templates.pro_customer import PRO


@pytest.fixture(autouse=True)
async def seeded(workspace: Workspace) -> None:
    await workspace.seed(PRO)
    await workspace.write("notes.md", "one")


async def content(workspace: Workspace, path: str = "notes.md") -> str | None:
    entry = await workspace.read(path)
    return entry.content if entry is not None else None


async def lost(workspace: Workspace, path: str = "notes.md") -> list[str]:
    """The texts that came too late."""
    versions = [version for version in await workspace.history(path) if version.ended == "lost"]
    entries = [await workspace.version(path, version.id) for version in versions]
    return [entry.content for entry in entries if entry is not None]


async def test_what_a_program_writes_edits_and_deletes_is_taken_in(workspace: Workspace, disk: Path) -> None:
    (disk / "notes.md").write_text("two")
    (disk / "projects").mkdir()
    (disk / "projects" / "new.md").write_text("new")
    (disk / "TOOLS.md").unlink()
    await workspace.sync(everything=False)
    assert await content(workspace) == "two"
    assert await content(workspace, "projects/new.md") == "new"
    assert await content(workspace, "TOOLS.md") is None
    entry = await workspace.read("notes.md")
    assert entry is not None
    assert entry.author == "disk"
    assert [version.author for version in await workspace.history("notes.md")] == ["customer"]


async def test_our_own_writing_is_no_news(workspace: Workspace, disk: Path, database: Database) -> None:
    await workspace.write("a/b.md", "x")
    await workspace.delete("notes.md", "*")
    before = (disk / MANIFEST).stat().st_ino
    await database.close()  # it would be noticed if anybody asked
    await workspace.sync(everything=False)
    assert (disk / MANIFEST).stat().st_ino == before


async def test_what_is_taken_in_is_not_written_back(workspace: Workspace, disk: Path) -> None:
    (disk / "notes.md").write_text("two")
    inode = (disk / "notes.md").stat().st_ino
    await workspace.sync(everything=False)
    await workspace.sync()
    assert (disk / "notes.md").stat().st_ino == inode


async def test_when_both_have_changed_the_database_wins_and_the_disks_text_is_kept(
    workspace: Workspace, disk: Path, database: Database, tmp_path: Path, clock: Clock
) -> None:
    await Workspace(database, tmp_path / "another disk", clock).write("notes.md", "the database's")
    (disk / "notes.md").write_text("the disk's")
    await workspace.sync(everything=False)
    assert await content(workspace) == (disk / "notes.md").read_text() == "the database's"
    assert await lost(workspace) == ["the disk's"]
    await workspace.sync()
    assert len(await lost(workspace)) == 1


async def test_a_write_that_overtakes_a_program_keeps_its_text(workspace: Workspace, disk: Path) -> None:
    (disk / "notes.md").write_text("the program's")
    (disk / "fresh.md").write_text("the program's")
    for path in ("notes.md", "fresh.md"):
        await workspace.write(path, "the customer's")
        assert (disk / path).read_text() == "the customer's"
        assert await lost(workspace, path) == ["the program's"]
    await workspace.sync()
    assert await content(workspace) == "the customer's"


async def test_a_deletion_that_overtakes_a_program_keeps_its_text(workspace: Workspace, disk: Path) -> None:
    (disk / "notes.md").write_text("the program's")
    await workspace.delete("notes.md", "*")
    assert not (disk / "notes.md").exists()
    assert await lost(workspace) == ["the program's"]


async def test_a_restart_tells_what_changed_meanwhile_on_either_side(
    workspace: Workspace, disk: Path, database: Database, tmp_path: Path, clock: Clock
) -> None:
    await workspace.write("other.md", "one")
    await workspace.write("both.md", "one")
    (disk / "notes.md").write_text("the disk's")
    (disk / "both.md").write_text("the disk's")
    (disk / "MEMORY.md").unlink()
    elsewhere = Workspace(database, tmp_path / "another disk", clock)
    await elsewhere.write("other.md", "the database's")
    await elsewhere.write("both.md", "the database's")
    await elsewhere.delete("USER.md", "*")

    restarted = Workspace(database, disk, clock)
    await restarted.seed(PRO)
    assert await content(restarted) == "the disk's"
    assert (disk / "other.md").read_text() == (disk / "both.md").read_text() == "the database's"
    assert await lost(restarted, "both.md") == ["the disk's"]
    assert await content(restarted, "MEMORY.md") is None
    assert not (disk / "USER.md").exists()


@pytest.mark.parametrize("everything", [True, False])
async def test_a_disk_that_vanishes_deletes_nothing_and_is_written_anew(
    workspace: Workspace, disk: Path, everything: bool
) -> None:
    files = {listing.path for listing in await workspace.list()}
    shutil.rmtree(disk)
    await workspace.sync(everything=everything)
    assert {listing.path for listing in await workspace.list()} == files
    assert all((disk / path).is_file() for path in files)


async def test_a_write_onto_a_new_disk_deletes_nothing_later(workspace: Workspace, disk: Path) -> None:
    files = {listing.path for listing in await workspace.list()}
    shutil.rmtree(disk)
    await workspace.write("notes.md", "two")
    await workspace.sync(everything=False)
    await workspace.sync()
    assert {listing.path for listing in await workspace.list()} == files
    assert all((disk / path).is_file() for path in files)


@pytest.mark.parametrize("manifest", ["", "{", '{"files": {"notes.md": 1}}', "[]", '{"files": null}'])
async def test_a_manifest_that_cannot_be_read_is_none(workspace: Workspace, disk: Path, manifest: str) -> None:
    (disk / MANIFEST).write_text(manifest)
    (disk / "TOOLS.md").unlink()
    await workspace.sync(everything=False)
    assert (disk / "TOOLS.md").is_file()
    (disk / "TOOLS.md").unlink()
    await workspace.sync(everything=False)
    assert await content(workspace, "TOOLS.md") is None


@pytest.mark.parametrize("trap", ["pipe", "link", "folder"])
async def test_a_trap_in_the_manifests_place_neither_hangs_nor_leads_out(
    workspace: Workspace, disk: Path, tmp_path: Path, trap: str
) -> None:
    files = {listing.path for listing in await workspace.list()}
    (disk / MANIFEST).rename(tmp_path / "elsewhere.json")
    if trap == "pipe":
        os.mkfifo(disk / MANIFEST)
    elif trap == "link":
        (disk / MANIFEST).symlink_to(tmp_path / "elsewhere.json")
    else:
        (disk / MANIFEST).mkdir()
    async with asyncio.timeout(5):
        await workspace.sync(everything=False)
        await workspace.write("notes.md", "two")
    assert {listing.path for listing in await workspace.list()} == files
    assert (disk / "notes.md").read_text() == "two"


async def test_no_link_on_the_disk_is_followed(workspace: Workspace, disk: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    before = {listing.path for listing in await workspace.list()}
    (disk / "notes.md").unlink()
    (disk / "notes.md").symlink_to(tmp_path / "secret.md")
    (disk / "stolen.md").symlink_to(tmp_path / "secret.md")
    shutil.rmtree(disk / "memory")
    (disk / "memory").symlink_to(tmp_path)
    await workspace.sync(everything=False)
    await workspace.sync()
    assert {listing.path for listing in await workspace.list()} == before
    assert await content(workspace) == "one"


async def test_what_is_no_text_of_the_workspace_stays_where_it_is(
    workspace: Workspace, disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (disk / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    (disk / "large.md").write_text("x" * 900_000)
    (disk / "Notes.md").write_text("one more in another spelling")
    (disk / ".hidden").write_text("x")
    (disk / "nul.md").write_text("a\x00b")
    os.mkfifo(disk / "pipe.md")
    before = {listing.path for listing in await workspace.list()}
    async with asyncio.timeout(5):
        await workspace.sync(everything=False)
        await workspace.sync(everything=False)
        await workspace.sync()
    assert {listing.path for listing in await workspace.list()} == before
    assert (disk / "large.md").exists()
    assert (disk / "Notes.md").exists()
    told = [record for record in caplog.records if "cannot be taken in" in record.getMessage()]
    assert [record.__dict__["files"] for record in told] == [4]
    assert "picture" not in caplog.text

    (disk / "large.md").write_text("short")
    await workspace.sync(everything=False)
    assert await content(workspace, "large.md") == "short"


async def test_the_systems_files_are_put_right(workspace: Workspace, disk: Path) -> None:
    state = (disk / "STATE.json").read_text()
    (disk / "STATE.json").write_text('{"plan": "everything"}')
    (disk / ".env").unlink()
    await workspace.sync(everything=False)
    assert (disk / "STATE.json").read_text() == state
    assert (disk / ".env").is_file()
    assert await workspace.history("STATE.json") == []


async def test_a_disk_full_of_files_is_left_alone(
    workspace: Workspace, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claw_runtime.workspace.disk._MAX_VISITED", 20)
    for number in range(30):
        (disk / f"{number}.md").write_text("x")
    (disk / "notes.md").unlink()
    await workspace.sync(everything=False)
    assert await content(workspace) == "one"


async def test_a_write_that_is_cut_short_is_made_up_for(
    workspace: Workspace, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[frozenset[str]] = []
    workspace.subscribe(heard.append)
    entered = asyncio.Event()
    follow = Mirror.follow

    async def slow(mirror: Mirror, *given: Any) -> None:
        entered.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(Mirror, "follow", slow)
    writing = asyncio.create_task(workspace.write("notes.md", "two"))
    await entered.wait()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    monkeypatch.setattr(Mirror, "follow", follow)
    assert await content(workspace) == "two"
    assert heard == [frozenset({"notes.md"})]
    assert (disk / "notes.md").read_text() == "one"
    await workspace.sync(everything=False)
    assert (disk / "notes.md").read_text() == "two"
