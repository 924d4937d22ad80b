"""Processes that outlive the one who started them, and are found again.

A process id alone says little: once the process has ended, the next one may get it. So a process is known by its id
and its start time, and everything here asks for both. The start time is counted from the machine's boot, because the
clock can be set while the process runs.

A process that nobody knows of cannot be found again. So it starts in two moves: a shell waits at a gate, its id is
written down, then the gate opens and the shell becomes the program. If the operator dies in between, the gate's end
closes, the shell reads the end of the file, and is gone.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_BEHIND_THE_GATE = 'cd -- "$1" && shift && read -r open && exec "$@" </dev/null'
# A Python process ignores these, and what is ignored stays so in the programs that it starts.
_IGNORED_BY_PYTHON = [signal.SIGPIPE, signal.SIGXFSZ]
_TOLERANCE = 2.0  # seconds; the time of the boot is only known in whole ones
_POLL_SECONDS = 1.0
_KILL_SECONDS = 5.0


@dataclass(frozen=True)
class ProcessId:
    """One process, not to be confused with a later one of the same number."""

    pid: int
    started: float
    """Seconds since the epoch when it was written down: for people, and for tools that have nothing better."""
    started_after_boot: float
    """Seconds."""

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """That of a process which exists now. Raises psutil.NoSuchProcess."""
        started = psutil.Process(pid).create_time()
        return cls(pid, started, started - psutil.boot_time())

    def process(self) -> psutil.Process | None:
        """The process while it runs; a zombie does not run."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            after_boot = process.create_time() - psutil.boot_time()
            same = abs(after_boot - self.started_after_boot) < _TOLERANCE
            if same and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                return process
        return None


class Gated:
    """A process that waits at the gate. `open` lets it become the program; otherwise it ends with this object."""

    def __init__(self, process_id: ProcessId, gate: int) -> None:
        self.process_id = process_id
        self._gate = gate

    def open(self) -> None:
        """Let it go."""
        os.write(self._gate, b"\n")


@contextlib.contextmanager
def gated(command: Sequence[str], *, environment: Mapping[str, str], directory: Path, log: Path) -> Iterator[Gated]:
    """Start a program behind a gate: in its own session, in `directory`, with output to the end of `log`. Blocks.

    Raises OSError when there is no shell or the log cannot be opened. That the program itself cannot be started is
    found in the log.
    """
    program_end, gate = os.pipe()
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            pid = os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", _BEHIND_THE_GATE, "sh", str(directory), *command],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, program_end, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=_IGNORED_BY_PYTHON,
            )
        finally:
            os.close(output)
            os.close(program_end)
        yield Gated(ProcessId.of(pid), gate)
    finally:
        os.close(gate)


async def ended(process_id: ProcessId) -> None:
    """Wait for its end, for as long as that takes."""
    if not hasattr(os, "pidfd_open"):
        while process_id.process() is not None:  # noqa: ASYNC110 -- nothing here tells of it
            await asyncio.sleep(_POLL_SECONDS)
        return
    try:
        handle = os.pidfd_open(process_id.pid)
    except ProcessLookupError:
        return
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, end.set)
    try:
        if process_id.process() is not None:  # asked after the handle was taken: the handle is this process's
            await end.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def stop(process_id: ProcessId, patience: float) -> bool:
    """Ask it to end, and after `patience` seconds insist. Whether it has ended."""
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, _KILL_SECONDS)):
        process = process_id.process()
        if process is None:
            return True
        with contextlib.suppress(psutil.NoSuchProcess, TimeoutError):
            process.send_signal(number)
            async with asyncio.timeout(seconds):
                await ended(process_id)
    return process_id.process() is None


def kill_marked(variable: str, value: str) -> None:
    """End every process in whose environment the variable has this value: what a program left running. Blocks."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(variable) == value:
                process.kill()


def reap(pid: int) -> bool:
    """Take note of the end of a child, so that it is no zombie any more. Whether that is done."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
