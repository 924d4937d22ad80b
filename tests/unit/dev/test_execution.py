"""Programs that are run to their end."""

import asyncio
import os
from pathlib import Path

import pytest

from claw_dev.errors import StackError
from claw_dev.execution import execute
from tests.eventually import eventually


async def test_what_a_program_says_comes_back_with_its_exit_code() -> None:
    done = await execute("/bin/sh", "-c", "cat; echo trouble >&2; exit 3", deadline=5, stdin="hello")

    assert (done.exit_code, done.output, done.errors) == (3, "hello", "trouble\n")


async def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="/bin/sh did not end within 0 s"):
        await execute("/bin/sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60", deadline=0.2)

    with pytest.raises(ProcessLookupError):
        os.kill(int(await asyncio.to_thread((tmp_path / "pid").read_text)), 0)


async def test_a_program_that_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    running = asyncio.create_task(execute("/bin/sh", "-c", f"echo $$ > {pid_file}; exec sleep 60", deadline=60))
    pid = int(await eventually(lambda: pid_file.read_text() if pid_file.exists() else ""))

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_program_that_does_not_exist_is_a_clear_error() -> None:
    with pytest.raises(StackError, match="cannot run /nowhere: No such file"):
        await execute("/nowhere", deadline=1)
