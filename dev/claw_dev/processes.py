"""The programs of a stack as supervised child processes.

Each has its own process group, so that a Ctrl-C in the terminal reaches the stack alone, which then ends the others in
order; a log file of its own; and a probe that says when it is ready. Nothing is left behind: `close` ends what runs,
and if this process is killed, its guard does (see `guard`).
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from claw_dev import notes
from claw_dev.errors import StackError

Probe = Callable[[], Awaitable[bool]]
"""Whether a program is ready. Must answer soon, and False rather than raise while the program is starting."""

# Everything else in the person's environment stays outside: above all KUBECONFIG, DATABASE_URL and every credential.
_PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTPS_PROXY", "https_proxy")
_LOOPBACK_HOSTS = "127.0.0.1,localhost"
_LOG_LINES_IN_ERROR = 15
_PROBE_INTERVAL = 0.03
_PROBE_TIMEOUT = 5.0


@dataclass(frozen=True)
class Program:
    """What to start, and how to end it."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: float = 10.0
    ready_timeout: float = 30.0


class Process:
    """A program that runs, or has ended."""

    def __init__(self, program: Program, child: asyncio.subprocess.Process, log: Path) -> None:
        self.program = program
        self.log = log
        self._child = child

    @property
    def name(self) -> str:
        """The program's name."""
        return self.program.name

    @property
    def pid(self) -> int:
        """The process id; it may be another's once the program has ended."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._child.returncode

    async def wait(self) -> int:
        """Wait for its end, for as long as that takes."""
        return await self._child.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and everything that it has started in its group."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def stop(self) -> None:
        """End it: ask, and after `stop_timeout` seconds insist. Returns when it has ended."""
        self.signal(self.program.stop_signal)
        try:
            async with asyncio.timeout(self.program.stop_timeout):
                await self.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.wait()

    def last_words(self) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").splitlines()
            return "\n".join(line[:500] for line in lines[-_LOG_LINES_IN_ERROR:])
        return ""


class Processes:
    """All processes of the stack in one directory. Use as an async context manager."""

    def __init__(self, directory: Path, on_death: Callable[[Process], None] = lambda process: None) -> None:
        """`on_death` hears of a program that ends after it was ready, without having been told to."""
        self.directory = directory.absolute()
        self._on_death = on_death
        self._watches: set[asyncio.Task[None]] = set()
        self._running: dict[str, Process] = {}
        self._guard: asyncio.subprocess.Process | None = None
        self._guard_lock = asyncio.Lock()

    async def __aenter__(self) -> "Processes":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __getitem__(self, name: str) -> Process:
        return self._running[name]

    def __contains__(self, name: str) -> bool:
        return name in self._running

    async def start(self, program: Program, ready: Probe) -> Process:
        """Start a program and wait until it is ready.

        Raises StackError, with the end of its log, when it ends or is not ready in time; nothing of it is left then.
        """
        await self._start_guard()
        process = await self._spawn(program)
        self._running[program.name] = process
        try:
            await _until_ready(process, ready)
        except BaseException:
            await self.stop(program.name)
            raise
        watch = asyncio.create_task(self._watch(process))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return process

    async def stop(self, *names: str) -> None:
        """End these programs side by side, as far as they run."""
        await asyncio.gather(*(self._stop(name) for name in names if name in self._running))

    async def close(self) -> None:
        """End everything that still runs, then the guard."""
        await self.stop(*self._running)
        await asyncio.gather(*self._watches)
        if self._guard is None:
            return
        guard, self._guard = self._guard, None
        if guard.stdin is not None:
            guard.stdin.close()
        await guard.wait()
        notes.remove_note(self.directory, notes.GUARD)

    async def _stop(self, name: str) -> None:
        process = self._running.pop(name)
        await process.stop()
        notes.remove_note(self.directory, name)

    async def _watch(self, process: Process) -> None:
        await process.wait()
        if self._running.get(process.name) is process:
            del self._running[process.name]
            notes.remove_note(self.directory, process.name)
            self._on_death(process)

    async def _spawn(self, program: Program) -> Process:
        log = self.directory / "logs" / f"{program.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = inherited_environment(os.environ) | {notes.STACK_MARK: str(self.directory)}
        with log.open("ab") as output:
            try:
                child = await asyncio.create_subprocess_exec(
                    *program.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment | dict(program.environment),
                    cwd=self.directory,
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise StackError(f"cannot start {program.name}: there is no program {program.argv[0]}") from None
            except PermissionError as error:
                raise StackError(f"cannot start {program.name}: {error}") from error
        notes.write_note(
            self.directory,
            program.name,
            child.pid,
            stop_signal=program.stop_signal,
            patience=program.stop_timeout,
        )
        return Process(program, child, log)

    async def _start_guard(self) -> None:
        async with self._guard_lock:
            if self._guard is not None:
                return
            self.directory.mkdir(parents=True, exist_ok=True)
            self._guard = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "claw_dev.guard", str(self.directory)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            notes.write_note(self.directory, notes.GUARD, self._guard.pid)


def inherited_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of the person's environment that a program of the stack may see."""
    passed = {name: environment[name] for name in (*_PASSED_ON, *_PROXIES) if name in environment}
    return passed | {"NO_PROXY": _LOOPBACK_HOSTS, "no_proxy": _LOOPBACK_HOSTS}


async def _until_ready(process: Process, ready: Probe) -> None:
    started = time.monotonic()
    while True:
        if process.exit_code is not None:
            raise StackError(
                f"{process.name} ended while it was starting (exit code {process.exit_code})",
                f"{process.log}:\n{process.last_words()}",
            )
        if await _is_ready(ready):
            return
        if time.monotonic() - started > process.program.ready_timeout:
            raise StackError(
                f"{process.name} was not ready after {process.program.ready_timeout:.0f} s",
                f"{process.log}:\n{process.last_words()}",
            )
        await asyncio.sleep(_PROBE_INTERVAL)


async def _is_ready(ready: Probe) -> bool:
    try:
        # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the answer.
        async with asyncio.timeout(_PROBE_TIMEOUT):
            return await ready()
    except TimeoutError:
        return False
