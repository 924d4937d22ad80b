"""Which processes belong to a stack: a note per process, and how to end them all.

A stack ends its own children. But it can be killed itself, and then somebody else has to: the guard at once, or the
next `claw up` or `claw down` in the folder. What they go by is written here, one file per process. A process is known
by its id and its start time, because ids are used again; the time is counted from the machine's boot, because the
clock can be set while the process runs.

Two more kinds of process belong to a stack without a note: those that were started in the instant before a SIGKILL,
found by the mark in their environment, and the runtimes that the operator's local driver started, found by the
records which that driver keeps.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

STACK_MARK = "CLAW_STACK"
"""In the environment of every process of a stack: the stack's directory."""
GUARD = "guard"

_LOOK_AGAIN = 0.05
_KILL_SECONDS = 5.0
_TOLERANCE = 2.0  # seconds; the time of the boot is only known in whole ones


@dataclass(frozen=True)
class Note:
    """One process of a stack."""

    name: str
    pid: int
    started_after_boot: float
    """Seconds."""
    stop_signal: int = signal.SIGTERM
    patience: float = 5.0
    """Seconds that it gets to end before it is killed."""

    def process(self) -> psutil.Process | None:
        """The process, if it is still the same one and runs."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(_started_after_boot(process) - self.started_after_boot) < _TOLERANCE
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


def write_note(
    directory: Path, name: str, pid: int, *, stop_signal: int = signal.SIGTERM, patience: float = 5.0
) -> None:
    """Remember a process that was just started. One that has ended already needs no note."""
    try:
        started = _started_after_boot(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return
    path = _note_path(directory, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(Note(name, pid, started, int(stop_signal), patience))))
    draft.replace(path)


def remove_note(directory: Path, name: str) -> None:
    """Forget a process that has ended."""
    _note_path(directory, name).unlink(missing_ok=True)


def read_notes(directory: Path) -> list[Note]:
    """Every noted process, the one started last first."""
    notes = []
    for path in (directory / "processes").glob("*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            notes.append(Note(**json.loads(path.read_text())))
    return sorted(notes, key=lambda note: note.started_after_boot, reverse=True)


def sweep(directory: Path) -> list[str]:
    """End every process of a stack that is gone, and return their names. Blocks for some seconds.

    Runtimes go last: as long as the operator runs, it would start them again.
    """
    # All but this process: the guard has a note too.
    notes = [note for note in read_notes(directory) if note.pid != os.getpid()]
    _kill_guard(notes)
    ended = _end({process: note for note in notes if (process := note.process())})
    ended += _end({process: Note(process.name(), process.pid, 0) for process in _marked(directory)})
    ended += end_runtimes(directory)
    for note in notes:
        remove_note(directory, note.name)
    return ended


def end_runtimes(directory: Path) -> list[str]:
    """End every runtime of the stack, and return their names. Blocks for some seconds."""
    return _end({process: note for note in runtimes(directory) if (process := note.process())})


def runtimes(directory: Path) -> Iterator[Note]:
    """The runtimes that the operator's local driver has started as detached processes."""
    for path in (directory / "instances").glob("*/compute.json"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            record = json.loads(path.read_text())
            yield Note(f"runtime {path.parent.name}", int(record["pid"]), float(record["started_after_boot"]))


def _started_after_boot(process: psutil.Process) -> float:
    return process.create_time() - psutil.boot_time()


def _note_path(directory: Path, name: str) -> Path:
    return directory / "processes" / f"{name}.json"


def _kill_guard(notes: Iterable[Note]) -> None:
    """The guard of a stack that is gone must not sweep once more, when the next stack already runs."""
    for note in notes:
        if note.name == GUARD and (process := note.process()):
            with contextlib.suppress(psutil.Error):
                process.kill()
                process.wait(timeout=5)


def _marked(directory: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(STACK_MARK) == str(directory) and _runs(process):
                yield process


def _end(processes: Mapping[psutil.Process, Note]) -> list[str]:
    """Ask all at once, wait, then insist. Returns the names of those that ran."""
    for process, note in processes.items():
        _signal_group(process, note.stop_signal)
    began = time.monotonic()
    waiting = dict(processes)
    while waiting := {process: note for process, note in waiting.items() if _runs(process)}:
        waited = time.monotonic() - began
        for process, note in waiting.items():
            if waited > note.patience:
                _signal_group(process, signal.SIGKILL)
        if waited > max(note.patience for note in waiting.values()) + _KILL_SECONDS:
            break  # the kernel itself keeps it, for example on a disk that does not answer
        time.sleep(_LOOK_AGAIN)
    return [note.name for note in processes.values()]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal_group(process: psutil.Process, number: int) -> None:
    """Every program of a stack leads a group of its own, with what it has started in it; a stray may not."""
    with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
