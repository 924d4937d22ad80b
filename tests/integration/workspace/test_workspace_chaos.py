"""Customer, assistant, programs and restarts at random: in the end everybody sees the same, and no word is lost."""

import random
from pathlib import Path

import pytest

from claw_runtime.database import Database
from claw_runtime.workspace.disk import MANIFEST
from claw_runtime.workspace.files import Workspace
from tests.clock import Clock
from tests.unit.templates.pro_customer import PRO

PATHS = ("a.md", "b.md", "sub/a.md", "sub/b.md")
STEPS = 60


def on_disk(disk: Path) -> dict[str, str]:
    return {str(path.relative_to(disk)): path.read_text() for path in disk.rglob("*.md")}


async def everything_ever(workspace: Workspace) -> set[str]:
    """Every text that is there, or that can be restored."""
    texts = {entry.content for entry in await workspace.everything()}
    for path in PATHS:
        for version in await workspace.history(path):
            if (entry := await workspace.version(path, version.id)) is not None:
                texts.add(entry.content)
    return texts


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_what_happens(
    database: Database, disk: Path, tmp_path: Path, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    here, elsewhere = Workspace(database, disk, clock), Workspace(database, tmp_path / "other disk", clock)
    await here.seed(PRO)
    written: set[str] = set()
    unseen: dict[str, str] = {}
    """What programs wrote since anybody looked: they may overwrite or delete their own words."""

    for number in range(STEPS):
        path, text = chance.choice(PATHS), f"text {number}"
        what = chance.choice(
            ["customer", "customer", "agent", "elsewhere", "delete", "program", "program", "rm", "sync"]
        )
        place = disk / path
        if what in ("customer", "agent", "elsewhere"):
            await (elsewhere if what == "elsewhere" else here).write(
                path, text, author="agent" if what == "agent" else "customer"
            )
            written.add(text)
        elif what == "delete" and await here.read(path) is not None:
            await here.delete(path, "*")
        elif what == "program":
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
            unseen[path] = text
        elif what == "rm":
            place.unlink(missing_ok=True)
            unseen.pop(path, None)
        elif what == "sync":
            await here.sync(everything=False)
            written |= set(unseen.values())
            unseen.clear()
        if chance.random() < 0.1:
            here = Workspace(database, disk, clock)
            await here.seed(PRO)
            written |= set(unseen.values())
            unseen.clear()

    await here.sync()
    files = {entry.path: entry.content for entry in await here.everything() if entry.path.endswith(".md")}
    assert on_disk(disk) == files
    assert written | set(unseen.values()) <= await everything_ever(here)
    before = (disk / MANIFEST).read_text()
    await here.sync()
    assert (disk / MANIFEST).read_text() == before
