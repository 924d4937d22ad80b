"""Supervised programs: real processes that start, end, refuse to end, and are left behind."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from claw_dev import notes
from claw_dev.errors import StackError
from claw_dev.processes import Process, Processes, Program
from tests.eventually import eventually


@pytest.fixture
async def processes(directory: Path) -> AsyncIterator[Processes]:
    async with Processes(directory) as running:
        yield running


async def at_once() -> bool:
    return True


async def never() -> bool:
    return False


def shell(name: str, script: str, **options: float) -> Program:
    return Program(name, ("/bin/sh", "-c", script), **options)  # type: ignore[arg-type]  # seconds, all of them


async def written(path: Path) -> str:
    """What a program has written into a file, as soon as there is something."""
    return await eventually(lambda: path.read_text() if path.exists() else "")


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_a_program_that_is_ready_runs_until_it_is_stopped(processes: Processes) -> None:
    process = await processes.start(shell("sleeper", "sleep 60"), at_once)
    assert runs(process.pid)

    await processes.stop("sleeper")

    assert not runs(process.pid)
    assert process.exit_code == -signal.SIGTERM


async def test_a_program_is_ready_when_its_probe_says_so(processes: Processes, directory: Path) -> None:
    async def probe() -> bool:
        return (directory / "flag").exists()

    await processes.start(shell("slow", "sleep 0.1; touch flag; sleep 60"), probe)

    assert (directory / "flag").exists()


async def test_what_a_program_says_is_in_its_log(processes: Processes, directory: Path) -> None:
    await processes.start(shell("talker", "echo hello; echo trouble >&2; sleep 60"), at_once)

    log = directory / "logs" / "talker.log"
    assert await eventually(lambda: log.read_text() == "hello\ntrouble\n", describe=log.read_text)


async def test_a_program_that_ends_while_it_starts_is_an_error_with_its_last_words(processes: Processes) -> None:
    with pytest.raises(StackError, match=r"broken ended while it was starting \(exit code 3\)") as caught:
        await processes.start(shell("broken", "echo address already in use; exit 3"), never)

    assert "address already in use" in caught.value.hint
    assert "broken" not in processes


async def test_a_program_that_is_never_ready_is_ended_at_its_deadline(processes: Processes, directory: Path) -> None:
    with pytest.raises(StackError, match="mute was not ready after 0 s"):
        await processes.start(shell("mute", "echo $$ > pid; sleep 60", ready_timeout=0.2), never)

    assert not runs(int((directory / "pid").read_text()))


async def test_a_program_that_does_not_exist_is_a_clear_error(processes: Processes) -> None:
    with pytest.raises(StackError, match="there is no program /nowhere/etcd"):
        await processes.start(Program("etcd", ("/nowhere/etcd",)), never)


async def test_a_program_that_refuses_to_end_is_killed(processes: Processes, directory: Path) -> None:
    script = 'trap "" TERM; touch trapped; while :; do sleep 0.05; done'
    process = await processes.start(shell("stubborn", script, stop_timeout=0.2), at_once)
    await eventually((directory / "trapped").exists)

    await processes.stop("stubborn")

    assert process.exit_code == -signal.SIGKILL


async def test_what_a_program_has_started_ends_with_it(processes: Processes, directory: Path) -> None:
    await processes.start(shell("parent", "sleep 60 & echo $! > child; wait"), at_once)
    child = int(await written(directory / "child"))

    await processes.stop("parent")

    await eventually(lambda: not runs(child))


async def test_a_program_that_dies_is_reported_and_can_be_started_again(directory: Path) -> None:
    died: list[Process] = []
    async with Processes(directory, died.append) as processes:
        process = await processes.start(shell("mortal", "sleep 60"), at_once)
        process.signal(signal.SIGKILL)

        await eventually(lambda: died)
        await processes.start(shell("mortal", "sleep 60"), at_once)

    assert [(dead.name, dead.exit_code) for dead in died] == [("mortal", -signal.SIGKILL)]


async def test_a_program_that_is_stopped_is_not_reported(directory: Path) -> None:
    died: list[Process] = []
    async with Processes(directory, died.append) as processes:
        await processes.start(shell("obedient", "sleep 60"), at_once)
        await processes.stop("obedient")

    assert died == []


async def test_cancelling_a_start_leaves_nothing(processes: Processes, directory: Path) -> None:
    start = asyncio.create_task(processes.start(shell("slow", "echo $$ > pid; sleep 60"), never))
    pid = int(await written(directory / "pid"))

    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start

    assert not runs(pid)


async def test_closing_leaves_neither_programs_nor_guard_nor_notes(directory: Path) -> None:
    async with Processes(directory) as processes:
        await processes.start(shell("one", "sleep 60"), at_once)
        await processes.start(shell("two", "sleep 60"), at_once)
        noted = notes.read_notes(directory)
        assert {note.name for note in noted} == {"one", "two", "guard"}

    assert not any(runs(note.pid) for note in noted)
    assert notes.read_notes(directory) == []


async def test_a_program_sees_the_stacks_environment_and_its_own(processes: Processes, directory: Path) -> None:
    program = Program("env", ("/bin/sh", "-c", "env > draft; mv draft seen; sleep 60"), environment={"PORT": "8080"})
    os.environ["CLAW_TEST_SECRET"] = "canary"
    try:
        await processes.start(program, at_once)
    finally:
        del os.environ["CLAW_TEST_SECRET"]

    seen = await written(directory / "seen")
    assert "PORT=8080\n" in seen
    assert f"CLAW_STACK={directory}\n" in seen
    assert "canary" not in seen


SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from claw_dev.processes import Processes, Program

async def at_once():
    return True

async def main():
    async with Processes(Path(sys.argv[1])) as processes:
        await processes.start(Program("sleeper", ("/bin/sh", "-c", "sleep 60 & wait")), at_once)
        Path(sys.argv[1], "ready").touch()
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def killed_supervisor(directory: Path, *, and_its_guard: bool) -> list[notes.Note]:
    """The notes of a supervisor that was killed in the middle of its work."""
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", SUPERVISOR, str(directory))
    await eventually((directory / "ready").exists)
    noted = notes.read_notes(directory)
    if and_its_guard:
        os.kill(next(note.pid for note in noted if note.name == notes.GUARD), signal.SIGKILL)
    supervisor.kill()
    await supervisor.wait()
    return noted


async def test_the_guard_ends_everything_when_the_stack_is_killed(directory: Path) -> None:
    noted = await killed_supervisor(directory, and_its_guard=False)

    await eventually(lambda: not any(runs(note.pid) for note in noted), describe=lambda: noted)


async def test_the_next_stack_ends_what_a_killed_one_and_its_killed_guard_have_left(directory: Path) -> None:
    noted = await killed_supervisor(directory, and_its_guard=True)
    sleeper = next(note for note in noted if note.name == "sleeper")
    assert runs(sleeper.pid)

    assert await asyncio.to_thread(notes.sweep, directory) == ["sleeper"]

    assert not any(runs(note.pid) for note in noted)
    assert notes.read_notes(directory) == []


async def test_stopping_several_takes_as_long_as_the_slowest(processes: Processes) -> None:
    script = "trap 'sleep 0.3; exit 0' TERM; touch $0.trapped; while :; do sleep 0.02; done"
    for name in ("one", "two", "three"):
        await processes.start(shell(name, script.replace("$0", name)), at_once)
        await eventually((processes.directory / f"{name}.trapped").exists)

    began = time.monotonic()
    await processes.stop("one", "two", "three")

    assert time.monotonic() - began < 0.8
