"""Snapshots in a place like S3, which checks every signature and sometimes fails."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.s3.simulator import S3Simulator, simulated_s3
from claw_runtime.problems import Problem
from claw_runtime.workspace import snapshots as module
from claw_runtime.workspace.archive import unpack
from claw_runtime.workspace.files import Workspace
from claw_runtime.workspace.s3 import Address
from claw_runtime.workspace.snapshots import Rhythm, Snapshots
from tests.clock import Clock
from tests.eventually import eventually
from tests.unit.templates.pro_customer import PRO

OWNER = "uid-1"
FOLDER = f"claws/{OWNER}/"
EAGER = Rhythm(quiet=0.05, longest=0.5, retries=(0.05, 0.05))


@pytest.fixture
async def s3() -> AsyncIterator[S3Simulator]:
    async with simulated_s3() as simulator:
        yield simulator


def address(s3: S3Simulator) -> Address:
    return Address(s3.bucket, "claws", s3.url, s3.key_id, s3.secret)


def snapshots_of(workspace: Workspace, s3: S3Simulator, clock: Clock, rhythm: Rhythm | None = None) -> Snapshots:
    return Snapshots(workspace, address(s3), lambda: OWNER, clock, rhythm=rhythm)


@pytest.fixture
async def snapshots(workspace: Workspace, s3: S3Simulator, clock: Clock) -> Snapshots:
    await workspace.seed(PRO)
    return snapshots_of(workspace, s3, clock, Rhythm(quiet=600))


async def contents(workspace: Workspace) -> dict[str, str]:
    return {entry.path: entry.content for entry in await workspace.everything()}


async def test_a_snapshot_holds_the_workspace_and_is_listed(
    workspace: Workspace, snapshots: Snapshots, s3: S3Simulator
) -> None:
    await workspace.write("notes/Küche 2.md", "Roses.")
    taken = await snapshots.take()
    assert list(s3.objects) == [f"{FOLDER}20261122T233000Z.tar.gz"]
    assert s3.refused == []
    files = await contents(workspace)
    assert unpack(s3.objects[f"{FOLDER}{taken.name}.tar.gz"].content) == {
        path: content for path, content in files.items() if path not in ("STATE.json", ".env")
    }
    assert await snapshots.list() == [taken]
    await snapshots.stop(1)


async def test_a_workspace_becomes_again_what_it_was(workspace: Workspace, snapshots: Snapshots, clock: Clock) -> None:
    await workspace.write("notes.md", "one")
    await workspace.write("sub/gone.md", "kept")
    before = await contents(workspace)
    taken = await snapshots.take()
    clock.now += timedelta(hours=1)
    await workspace.write("notes.md", "two")
    await workspace.delete("sub/gone.md", "*")
    await workspace.write("sub", "a file where a folder was")
    await snapshots.restore(taken.name)
    assert await contents(workspace) == before
    history = [await workspace.version("notes.md", version.id) for version in await workspace.history("notes.md")]
    assert [entry.content for entry in history if entry is not None] == ["two", "one"]
    await snapshots.stop(1)


async def test_only_so_many_are_kept_and_what_is_not_ours_stays(
    snapshots: Snapshots, s3: S3Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETAINED", 7)  # more than a page of the list
    for _ in range(9):
        clock.now += timedelta(hours=1)
        last = await snapshots.take()
    s3.objects[f"{FOLDER}README.txt"] = s3.objects["claws/uid-2/20200101T000000Z.tar.gz"] = next(
        iter(s3.objects.values())
    )
    found = await snapshots.list()
    assert len(found) == 7
    assert found[0] == last
    assert [snapshot.name for snapshot in found] == sorted((snapshot.name for snapshot in found), reverse=True)


async def test_a_change_is_in_a_snapshot_soon_and_nothing_happens_without(
    workspace: Workspace, s3: S3Simulator, clock: Clock
) -> None:
    await workspace.seed(PRO)
    snapshots = snapshots_of(workspace, s3, clock, EAGER)
    await workspace.write("notes.md", "one")
    await workspace.write("notes.md", "two")
    await eventually(lambda: s3.objects)
    (taken,) = s3.objects.values()
    assert unpack(taken.content)["notes.md"] == "two"
    await snapshots.stop(1)
    assert len(s3.objects) == 1


async def test_a_workspace_that_is_never_quiet_is_copied_all_the_same(
    workspace: Workspace, s3: S3Simulator, clock: Clock
) -> None:
    snapshots = snapshots_of(workspace, s3, clock, replace(EAGER, quiet=60.0, longest=0.2))
    await workspace.write("notes.md", "one")
    await eventually(lambda: s3.objects)
    await snapshots.stop(1)


async def test_what_is_due_at_the_end_is_taken_before_it(workspace: Workspace, s3: S3Simulator, clock: Clock) -> None:
    snapshots = snapshots_of(workspace, s3, clock, replace(EAGER, quiet=600.0, longest=600.0))
    await workspace.write("notes.md", "one")
    assert not s3.objects
    await snapshots.stop(5)
    assert len(s3.objects) == 1


async def test_a_failure_is_told_once_tried_again_and_its_end_is_told(
    workspace: Workspace, s3: S3Simulator, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "claw_runtime.workspace.snapshots")
    s3.faults.add(Fault(kind=FaultKind.ERROR, path="/", method="PUT", status=403, times=2))
    snapshots = snapshots_of(workspace, s3, clock, EAGER)
    await workspace.write("notes.md", "one")
    await eventually(lambda: s3.objects)
    await eventually(lambda: "taken again" in caplog.text)
    assert [record.getMessage() for record in caplog.records] == [
        "snapshots of the workspace fail",
        "snapshots of the workspace are taken again",
    ]
    assert not any(word in caplog.text for word in (s3.secret, s3.key_id, s3.url, "notes"))
    await snapshots.stop(1)


async def test_a_failure_that_stays_is_given_up_until_the_next_change(
    workspace: Workspace, s3: S3Simulator, clock: Clock
) -> None:
    s3.faults.add(Fault(kind=FaultKind.ERROR, path="/", status=403, times=None))
    snapshots = snapshots_of(workspace, s3, clock, EAGER)
    await workspace.write("notes.md", "one")
    await eventually(lambda: snapshots.idle)
    s3.faults.clear()
    assert not s3.objects
    await workspace.write("notes.md", "two")
    await eventually(lambda: s3.objects)
    await snapshots.stop(1)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.ERROR, path="/", status=503),
        Fault(kind=FaultKind.CUT, path="/"),
        Fault(kind=FaultKind.LOST_ANSWER, path="/"),
        Fault(kind=FaultKind.HTML, path="/", status=502),
    ],
    ids=lambda fault: fault.kind.value,
)
async def test_a_passing_failure_is_nobodys_business(snapshots: Snapshots, s3: S3Simulator, fault: Fault) -> None:
    s3.faults.add(fault)
    taken = await snapshots.take()
    assert await snapshots.list() == [taken]


@pytest.mark.parametrize("wrong", [{"secret_access_key": "other"}, {"access_key_id": "AKIDOTHER"}, {"bucket": "other"}])
async def test_wrong_credentials_are_a_problem_that_does_not_repeat_them(
    workspace: Workspace, s3: S3Simulator, clock: Clock, wrong: dict[str, str]
) -> None:
    snapshots = Snapshots(workspace, replace(address(s3), **wrong), lambda: OWNER, clock)
    with pytest.raises(Problem, match="did not answer properly") as failed:
        await snapshots.take()
    assert failed.value.kind.slug == "snapshot-failed"
    assert not any(word in failed.value.detail for word in ("other", "AKID", s3.url))


async def test_no_proxy_of_the_environment_is_asked(snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert await snapshots.take() in await snapshots.list()


@pytest.mark.parametrize("name", ["20200101T000000Z", "../uid-2/20200101T000000Z", "", "x" * 1000, "a%00b", "\ud800"])
async def test_a_snapshot_that_is_not_there_is_said_to_be_none(snapshots: Snapshots, name: str) -> None:
    with pytest.raises(Problem) as failed:
        await snapshots.restore(name)
    assert failed.value.kind.slug == "not-found"


async def test_a_broken_snapshot_changes_nothing(workspace: Workspace, snapshots: Snapshots, s3: S3Simulator) -> None:
    taken = await snapshots.take()
    key = f"{FOLDER}{taken.name}.tar.gz"
    s3.objects[key] = replace(s3.objects[key], content=s3.objects[key].content[:200])
    before = await contents(workspace)
    with pytest.raises(Problem, match="damaged"):
        await snapshots.restore(taken.name)
    assert await contents(workspace) == before


async def test_without_a_place_it_says_so(workspace: Workspace, s3: S3Simulator, clock: Clock) -> None:
    nowhere = Snapshots(workspace, None, lambda: OWNER, clock)
    blank = Snapshots(workspace, address(s3), lambda: None, clock)
    for snapshots in (nowhere, blank):
        with pytest.raises(Problem) as failed:
            await snapshots.list()
        assert failed.value.kind.slug == "snapshots-off"
    await workspace.write("notes.md", "one")
    await asyncio.gather(nowhere.stop(1), blank.stop(1))
    assert not s3.objects
