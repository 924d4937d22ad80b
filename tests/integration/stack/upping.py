"""`claw up` as a person starts it: a process of its own, with a home of its own."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from claw_dev import notes
from claw_dev.controlplane import cache_directory
from claw_dev.errors import StackError
from claw_dev.kubectl import Kubectl
from claw_dev.record import StackRecord, read_record
from tests.eventually import eventually

_READY = 60.0
_ENDED = 40.0


class ClawUp:
    """A running `claw up`."""

    def __init__(self, child: asyncio.subprocess.Process, directory: Path, output: Path) -> None:
        self.child = child
        self.directory = directory
        self._output = output
        self._begins_at = output.stat().st_size
        """Where its own output begins, after that of earlier ones in the folder."""

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text()

    @property
    def kubectl(self) -> Kubectl:
        """For kubectl as the administrator."""
        return Kubectl(self.directory / "kubeconfig", cache=self.directory / "kubectl-cache")

    async def ready(self) -> StackRecord:
        """Wait until everything is ready; what stack.json then says."""

        def record() -> StackRecord | None:
            assert self.child.returncode is None, self.output
            # stack.json is there a moment earlier, and Ctrl-C in that moment means something else.
            if b"\nready after " not in self._output.read_bytes()[self._begins_at :]:
                return None
            try:
                return read_record(self.directory)
            except StackError:
                return None

        found = await eventually(record, timeout=_READY, describe=lambda: self.output)
        assert found is not None
        return found

    def processes(self) -> list[psutil.Process]:
        """The stack and every process that belongs to it, runtimes too."""
        noted = [note.process() for note in (*notes.read_notes(self.directory), *notes.runtimes(self.directory))]
        return [psutil.Process(self.child.pid), *filter(None, noted)]

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        return await asyncio.wait_for(self.child.wait(), _ENDED)


@asynccontextmanager
async def claw_up(
    directory: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[ClawUp]:
    """Start `claw up` with its output in a file, and end it if it still runs."""
    output = directory.with_suffix(".output")
    with output.open("ab") as file:
        child = await start_claw(
            "up", f"--directory={directory}", *arguments, environment=environment, output=file.fileno()
        )
    try:
        yield ClawUp(child, directory, output)
    finally:
        if child.returncode is None:
            child.terminate()
        await asyncio.wait_for(child.wait(), _ENDED)
        await asyncio.to_thread(notes.sweep, directory)


async def claw(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a claw command to its end: exit code and everything that it printed."""
    child = await start_claw(*arguments, environment=environment, output=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(child.communicate(), _READY)
    return await child.wait(), output.decode()


async def start_claw(*arguments: str, environment: Mapping[str, str] | None, output: int) -> asyncio.subprocess.Process:
    """Start a claw command, in the middle of a person's environment without anything that is meant for Claw."""
    # The cache is named, because a test that gives the person another home must not build Kubernetes anew.
    ours = {"XDG_CACHE_HOME": str(cache_directory(os.environ).parent), "COLUMNS": "300"}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "KUBEBUILDER_ASSETS") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "claw_dev", *arguments),
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        env={**inherited, **ours, **(environment or {})},
    )


async def gone(processes: list[psutil.Process]) -> None:
    """Wait until none of them runs."""

    await eventually(lambda: not running(processes), timeout=30, describe=lambda: running(processes))


def interrupt(up: ClawUp) -> None:
    """Ctrl-C."""
    up.child.send_signal(signal.SIGINT)


def running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that run. A zombie has ended, and waits for the machine's first process to take note of that."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
