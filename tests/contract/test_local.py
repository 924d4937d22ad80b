"""The local driver with real processes: what runs and what lies on the disk afterwards, whatever happened."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from claw_operator.external import (
    ComputeState,
    NameTaken,
    ObservedCompute,
    Owner,
    Rejected,
    Transient,
)
from claw_operator.external.local import LocalDriver
from claw_operator.external.local.detached import ProcessId, gated
from tests.contract.owners import compute_of, new_owner
from tests.eventually import eventually

SLEEPS = ("sh", "-c", "exec sleep 1000")
SAYS_GOODBYE = ("sh", "-c", "trap 'echo ended; exit' TERM; echo started; while :; do sleep 0.01; done")
IGNORES_TERM = ("sh", "-c", "trap '' TERM; echo started; while :; do sleep 0.01; done")
HAS_A_CHILD = ("sh", "-c", "sleep 1000 & echo $! >child; wait")
TELLS_ITS_ENVIRONMENT = ("sh", "-c", "env >environment.draft; mv environment.draft environment; exec sleep 1000")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "instances"


@pytest.fixture
async def owner(place: Path) -> AsyncIterator[Owner]:
    owner = new_owner()
    yield owner
    async with aclosing(LocalDriver(place, SLEEPS, patience=0.1)) as driver:
        await driver.delete(owner)


@pytest.fixture
async def driver(place: Path) -> AsyncIterator[LocalDriver]:
    async with aclosing(LocalDriver(place, SLEEPS)) as driver:
        yield driver


async def deployed(driver: LocalDriver, owner: Owner, **variables: str) -> ObservedCompute:
    await driver.create(compute_of(owner))
    return await driver.deploy(compute_of(owner, **variables))


async def state_of(driver: LocalDriver, owner: Owner) -> ComputeState | None:
    observed = await driver.observe(owner)
    return observed.state if observed else None


def folder(place: Path, owner: Owner) -> Path:
    return place / owner.external_name


def pid_of(place: Path, owner: Owner) -> int:
    pid = json.loads((folder(place, owner) / "compute.json").read_text())["pid"]
    assert isinstance(pid, int)
    return pid


def log_of(place: Path, owner: Owner) -> str:
    return (folder(place, owner) / "runtime.log").read_text()


def names_in(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def everything_in(path: Path) -> bytes:
    return b"\n".join(entry.read_bytes() for entry in path.rglob("*") if entry.is_file())


async def test_a_new_compute_has_an_address_and_no_process(driver: LocalDriver, owner: Owner, place: Path) -> None:
    assert await driver.observe(owner) is None
    created = await driver.create(compute_of(owner))
    assert created.state is ComputeState.EMPTY
    assert created.url.startswith("http://127.0.0.1:")
    assert created.fingerprint is None
    assert created == await driver.observe(owner)
    assert (folder(place, owner) / "workspace").is_dir()
    record = json.loads((folder(place, owner) / "compute.json").read_text())
    assert record["mark"] == owner.mark
    assert record["pid"] is None


async def test_deploying_starts_one_process_in_a_session_of_its_own(
    driver: LocalDriver, owner: Owner, place: Path
) -> None:
    created = await driver.create(compute_of(owner))
    desired = compute_of(owner, A="1")
    running = await driver.deploy(desired)
    assert running.state is ComputeState.RUNNING
    assert (running.id, running.url) == (created.id, created.url)
    assert running.fingerprint == desired.fingerprint
    assert running.deployment_id
    assert running == await driver.observe(owner)
    assert os.getsid(pid_of(place, owner)) == pid_of(place, owner)


async def test_many_creations_at_once_make_one(place: Path, owner: Owner) -> None:
    async with aclosing(LocalDriver(place, SLEEPS)) as one, aclosing(LocalDriver(place, SLEEPS)) as other:
        made = await asyncio.gather(*(driver.create(compute_of(owner)) for driver in (one, other) for _ in range(5)))
    assert len(set(made)) == 1
    assert names_in(place) == [owner.external_name]


async def test_neighbours_get_different_ports(driver: LocalDriver) -> None:
    owners = [new_owner() for _ in range(20)]
    made = await asyncio.gather(*(driver.create(compute_of(owner)) for owner in owners))
    assert len({compute.url for compute in made}) == 20


async def test_the_process_gets_its_variables_and_nothing_of_the_operators(
    place: Path, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "canary-of-the-operator")
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "RAILWAY_TOKEN": "canary-of-the-operator"}
    async with aclosing(LocalDriver(place, TELLS_ITS_ENVIRONMENT, environment=environment)) as driver:
        observed = await deployed(driver, owner, DATABASE_URL="postgresql://x", PORT="1", EMPTY="")
    told = folder(place, owner) / "environment"
    await eventually(told.exists)
    variables = dict(line.split("=", 1) for line in told.read_text().splitlines())
    shells_own = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert {name: value for name, value in variables.items() if name not in shells_own} == {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder(place, owner)),
        "DATABASE_URL": "postgresql://x",
        "EMPTY": "",
        "HOST": "127.0.0.1",
        "PORT": observed.url.rpartition(":")[2],
        "CLAW_WORKSPACE_DIR": str(folder(place, owner) / "workspace"),
        "CLAW_FINGERPRINT": observed.fingerprint,
    }


async def test_no_variable_is_written_to_the_disk(driver: LocalDriver, owner: Owner, place: Path) -> None:
    await deployed(driver, owner, DATABASE_URL="postgresql://role:canary@host/db")
    assert b"canary" not in everything_in(place)
    assert "canary" not in " ".join(psutil.Process(pid_of(place, owner)).cmdline())


async def test_the_process_outlives_its_driver_and_is_found_again(place: Path, owner: Owner) -> None:
    async with aclosing(LocalDriver(place, SLEEPS)) as first:
        before = await deployed(first, owner)
    async with aclosing(LocalDriver(place, SLEEPS)) as second:
        assert await second.observe(owner) == before
        assert await second.create(compute_of(owner)) == before


async def test_the_process_outlives_a_killed_operator(driver: LocalDriver, place: Path, owner: Owner) -> None:
    operator = f"""
import asyncio, os, pathlib, signal
from claw_operator.external import DesiredCompute, Owner, Size
from claw_operator.external.local import LocalDriver

async def main():
    driver = LocalDriver(pathlib.Path({str(place)!r}), {SLEEPS!r})
    desired = DesiredCompute(owner={owner!r}, size=Size(1, 1), variables={{}})
    await driver.create(desired)
    await driver.deploy(desired)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", operator)
    assert await asyncio.wait_for(killed.wait(), 20) == -signal.SIGKILL
    assert await state_of(driver, owner) is ComputeState.RUNNING


async def test_a_process_whose_operator_died_before_writing_it_down_is_never_a_runtime(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with gated(("sh", "-c", "echo ran"), environment={}, directory=tmp_path, log=log) as waiting:
        process = psutil.Process(waiting.process_id.pid)
    assert process.wait(timeout=10) is not None
    assert log.read_text() == ""


async def test_a_killed_process_is_noticed_at_once(driver: LocalDriver, owner: Owner, place: Path) -> None:
    running = await deployed(driver, owner)
    async with aclosing(driver.changes()) as changes:
        os.kill(pid_of(place, owner), signal.SIGKILL)
        assert await asyncio.wait_for(anext(changes), 2) == owner.uid
    crashed = await driver.observe(owner)
    assert crashed is not None
    assert crashed.state is ComputeState.CRASHED
    assert crashed.message == "The process has ended."
    assert (crashed.fingerprint, crashed.deployment_id) == (running.fingerprint, running.deployment_id)


async def test_the_death_of_a_process_is_noticed_by_the_next_operator_too(
    driver: LocalDriver, owner: Owner, place: Path
) -> None:
    await deployed(driver, owner)
    async with aclosing(LocalDriver(place, SLEEPS)) as second, aclosing(second.changes()) as changes:
        noticed = asyncio.ensure_future(anext(changes))
        await eventually(lambda: second._watches)
        os.kill(pid_of(place, owner), signal.SIGKILL)
        assert await asyncio.wait_for(noticed, 2) == owner.uid
        assert await state_of(second, owner) is ComputeState.CRASHED


async def test_a_dead_process_leaves_no_zombie(driver: LocalDriver, owner: Owner, place: Path) -> None:
    await deployed(driver, owner)
    pid = pid_of(place, owner)
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not psutil.pid_exists(pid))

    again = await driver.deploy(compute_of(owner))
    assert again.state is ComputeState.RUNNING
    pid = pid_of(place, owner)
    await driver.delete(owner)
    assert not psutil.pid_exists(pid)


async def test_a_program_that_cannot_run_says_so(place: Path, owner: Owner) -> None:
    async with aclosing(LocalDriver(place, ("no-such-program", "--flag"))) as driver:
        await deployed(driver, owner)
        await eventually(lambda: state_is_crashed(driver, owner))
        crashed = await driver.observe(owner)
    assert crashed is not None
    assert "no-such-program: not found" in crashed.message


async def test_a_crash_is_told_in_the_programs_last_words_without_its_secrets(place: Path, owner: Owner) -> None:
    script = 'echo "cannot reach $DATABASE_URL"; exit 1'
    async with aclosing(LocalDriver(place, ("sh", "-c", script))) as driver:
        await deployed(driver, owner, DATABASE_URL="postgresql://role:canary@host/db")
        await eventually(lambda: state_is_crashed(driver, owner))
        crashed = await driver.observe(owner)
        assert crashed is not None
        assert crashed.message == "The process has ended. It said: cannot reach postgresql://***@host/db"
        assert await driver.observe(owner) == crashed


async def test_only_the_last_deployments_words_count(place: Path, owner: Owner) -> None:
    script = '[ -e once ] || { touch once; echo "first words"; }'
    async with aclosing(LocalDriver(place, ("sh", "-c", script))) as driver:
        await deployed(driver, owner)
        await eventually(lambda: state_is_crashed(driver, owner))
        await driver.deploy(compute_of(owner))
        await eventually(lambda: state_is_crashed(driver, owner))
        crashed = await driver.observe(owner)
    assert crashed is not None
    assert crashed.message == "The process has ended."


async def state_is_crashed(driver: LocalDriver, owner: Owner) -> bool:
    return await state_of(driver, owner) is ComputeState.CRASHED


async def test_a_new_deployment_ends_the_old_process_gently_and_keeps_the_address(place: Path, owner: Owner) -> None:
    async with aclosing(LocalDriver(place, SAYS_GOODBYE)) as driver:
        old = await deployed(driver, owner)
        old_pid = pid_of(place, owner)
        await eventually(lambda: "started" in log_of(place, owner))
        new = await driver.deploy(compute_of(owner, A="2"))
        assert "ended" in log_of(place, owner)
        assert not psutil.pid_exists(old_pid)
        assert new.state is ComputeState.RUNNING
        assert new.url == old.url
        assert new.deployment_id != old.deployment_id
        assert new.fingerprint != old.fingerprint


async def test_a_process_that_was_told_to_end_did_not_change_by_itself(
    driver: LocalDriver, owner: Owner, place: Path
) -> None:
    await deployed(driver, owner)
    async with aclosing(driver.changes()) as changes:
        os.kill(pid_of(place, owner), signal.SIGKILL)
        assert await anext(changes) == owner.uid
        await driver.deploy(compute_of(owner))
        await driver.deploy(compute_of(owner))
        await driver.delete(owner)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(changes), 0.05)


async def test_a_process_that_will_not_end_is_killed(place: Path, owner: Owner) -> None:
    async with aclosing(LocalDriver(place, IGNORES_TERM, patience=0.1)) as driver:
        await deployed(driver, owner)
        await eventually(lambda: "started" in log_of(place, owner))
        pid = pid_of(place, owner)
        await driver.delete(owner)
        assert not psutil.pid_exists(pid)


async def test_what_the_program_started_itself_goes_with_it(place: Path, owner: Owner) -> None:
    async with aclosing(LocalDriver(place, HAS_A_CHILD)) as driver:
        await deployed(driver, owner)
        note = folder(place, owner) / "child"
        await eventually(lambda: note.exists() and note.read_text().strip())
        child = ProcessId.of(int(note.read_text()))
        os.kill(pid_of(place, owner), signal.SIGKILL)  # the child stays behind
        await eventually(lambda: state_is_crashed(driver, owner))
        assert child.process() is not None
        await driver.delete(owner)
        await eventually(lambda: child.process() is None)


async def test_a_port_that_somebody_took_is_given_up(driver: LocalDriver, owner: Owner) -> None:
    created = await driver.create(compute_of(owner))
    port = int(created.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        running = await driver.deploy(compute_of(owner))
    assert running.state is ComputeState.RUNNING
    assert running.url != created.url
    assert await driver.observe(owner) == running


async def test_another_process_with_our_old_id_is_left_alone(driver: LocalDriver, owner: Owner, place: Path) -> None:
    await deployed(driver, owner)
    path = folder(place, owner) / "compute.json"
    record = json.loads(path.read_text())
    ours = ProcessId(record["pid"], record["started"], record["started_after_boot"])
    stranger = await asyncio.create_subprocess_exec("sleep", "1000")
    try:
        path.write_text(json.dumps(record | {"pid": stranger.pid, "started_after_boot": 1.0}))
        assert await state_of(driver, owner) is ComputeState.CRASHED
        again = await driver.deploy(compute_of(owner))
        assert again.state is ComputeState.RUNNING
        assert stranger.returncode is None
        assert ours.process() is None  # found by its environment, though the record had lost it
        await driver.delete(owner)
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


async def test_deleting_leaves_nothing_and_may_be_repeated(driver: LocalDriver, owner: Owner, place: Path) -> None:
    await deployed(driver, owner)
    pid = pid_of(place, owner)
    (folder(place, owner) / "workspace" / "memory").mkdir()
    (folder(place, owner) / "workspace" / "link").symlink_to("/")
    await driver.delete(owner)
    assert await driver.observe(owner) is None
    assert not psutil.pid_exists(pid)
    assert names_in(place) == []
    await driver.delete(owner)


async def test_a_half_removed_directory_is_still_ours(driver: LocalDriver, owner: Owner, place: Path) -> None:
    await driver.create(compute_of(owner))
    shutil.rmtree(folder(place, owner) / "workspace")
    assert await state_of(driver, owner) is ComputeState.EMPTY
    await driver.delete(owner)
    assert names_in(place) == []


async def test_an_empty_directory_and_an_old_draft_are_in_nobodys_way(
    driver: LocalDriver, owner: Owner, place: Path
) -> None:
    folder(place, owner).mkdir(parents=True)
    (place / f".{owner.external_name}.old").mkdir()
    assert await driver.observe(owner) is None
    created = await driver.create(compute_of(owner))
    assert created.state is ComputeState.EMPTY
    await driver.delete(owner)
    assert names_in(place) == []


def occupy(path: Path, content: str) -> None:
    path.parent.mkdir()
    if content == "a file":
        path.write_text("precious")
        return
    path.mkdir()
    (path / "file").write_text("precious")
    if content == "of another instance":
        (path / "compute.json").write_text(json.dumps({"mark": new_owner().mark, "port": 1, "pid": os.getpid()}))


@pytest.mark.parametrize("content", ["unmarked", "of another instance", "a file"])
async def test_a_strangers_directory_is_neither_adopted_nor_deleted(
    driver: LocalDriver, place: Path, content: str
) -> None:
    owner = new_owner()
    occupy(folder(place, owner), content)
    before = everything_in(place)

    with pytest.raises(NameTaken, match=owner.external_name):
        await driver.create(compute_of(owner))
    assert await driver.observe(owner) is None
    with pytest.raises(Transient):
        await driver.deploy(compute_of(owner))
    await driver.delete(owner)
    assert everything_in(place) == before


async def test_a_broken_record_is_not_a_missing_one(driver: LocalDriver, owner: Owner, place: Path) -> None:
    await driver.create(compute_of(owner))
    path = folder(place, owner) / "compute.json"
    good = path.read_text()
    path.write_text("{")
    for call in (driver.observe(owner), driver.create(compute_of(owner)), driver.delete(owner)):
        with pytest.raises(Rejected, match=r"compute\.json"):
            await call
    path.write_text(good)


async def test_a_disk_that_refuses_is_transient(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with aclosing(LocalDriver(tmp_path / "file" / "instances", SLEEPS)) as driver:
        with pytest.raises(Transient, match="claw-test could not be created"):
            await driver.create(compute_of(new_owner()))


async def test_without_news_of_the_system_a_death_is_noticed_within_seconds(
    driver: LocalDriver, owner: Owner, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")  # as everywhere but on Linux
    await deployed(driver, owner)
    async with aclosing(driver.changes()) as changes:
        os.kill(pid_of(place, owner), signal.SIGKILL)
        assert await asyncio.wait_for(anext(changes), 5) == owner.uid
    assert not psutil.pid_exists(pid_of(place, owner))


async def test_deploying_needs_a_creation(driver: LocalDriver) -> None:
    with pytest.raises(Transient, match="created first"):
        await driver.deploy(compute_of(new_owner()))


async def test_a_new_size_needs_no_restart(driver: LocalDriver, owner: Owner) -> None:
    running = await deployed(driver, owner)
    assert running.size is None
    assert await driver.adjust(compute_of(owner)) == running


async def test_a_large_log_is_put_aside_at_the_next_start(place: Path, owner: Owner) -> None:
    async with aclosing(LocalDriver(place, ("sh", "-c", "echo hello; exec sleep 1000"), log_limit=8)) as driver:
        await deployed(driver, owner)
        await eventually(lambda: log_of(place, owner) == "hello\n")
        await driver.deploy(compute_of(owner))
        await eventually(lambda: log_of(place, owner) == "hello\nhello\n")
        await driver.deploy(compute_of(owner))
        await eventually(lambda: log_of(place, owner) == "hello\n")
    assert (folder(place, owner) / "runtime.log.1").read_text() == "hello\nhello\n"


async def test_an_end_on_purpose_is_no_crash_and_no_news(driver: LocalDriver, owner: Owner, place: Path) -> None:
    running = await deployed(driver, owner)
    pid = pid_of(place, owner)
    async with aclosing(driver.changes()) as changes:
        stopped = await driver.suspend(owner)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(changes)
    assert not psutil.pid_exists(pid)
    assert stopped.state is ComputeState.STOPPED
    assert (stopped.url, stopped.fingerprint, stopped.message) == (running.url, running.fingerprint, "")


async def test_a_suspension_cut_before_the_process_ended_is_finished_by_the_next(
    driver: LocalDriver, owner: Owner, place: Path
) -> None:
    await deployed(driver, owner)
    path = folder(place, owner) / "compute.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stopped": True}))
    assert await state_of(driver, owner) is ComputeState.RUNNING
    assert (await driver.suspend(owner)).state is ComputeState.STOPPED


async def test_a_compute_that_never_ran_has_nothing_to_stop(driver: LocalDriver, owner: Owner) -> None:
    await driver.create(compute_of(owner))
    assert (await driver.suspend(owner)).state is ComputeState.EMPTY


async def test_a_record_that_was_copied_by_hand_is_not_in_the_inventory(
    driver: LocalDriver, owner: Owner, place: Path
) -> None:
    await driver.create(compute_of(owner))
    copy = folder(place, new_owner())
    shutil.copytree(folder(place, owner), copy)
    shutil.copytree(folder(place, owner), place / "backup")
    assert [marked.owner for marked in await driver.inventory()] == [owner]


async def test_an_inventory_with_a_broken_record_is_none(driver: LocalDriver, owner: Owner, place: Path) -> None:
    await driver.create(compute_of(owner))
    path = folder(place, owner) / "compute.json"
    good = path.read_text()
    path.write_text("{")
    with pytest.raises(Rejected, match=r"compute\.json"):
        await driver.inventory()
    path.write_text(good)
