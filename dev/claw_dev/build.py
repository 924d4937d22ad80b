"""Builds the control plane, once per machine: four to six minutes, then never again.

The finished directory appears in the cache all at once, and a lock lets one builder work while others wait for its
result: a first `make demo` and a first `make test` at the same time do not build twice.
"""

import asyncio
import fcntl
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from claw_dev.errors import StackError
from claw_dev.toolchain import Report, find_go

_BINARY = "controlplane"
NEEDED_BYTES = 4 * 2**30  # module cache, build cache and result of a cold build, with something to spare
_LOCK_INTERVAL = 0.5
_TAIL_LINES = 12
_OFFLINE = re.compile(r"dial tcp|no such host|i/o timeout|connection refused|TLS handshake|proxyconnect|\b50[234]\b")
_FULL = "no space left on device"


@dataclass(frozen=True)
class Build:
    """What to build, and where to."""

    module: Path
    version: str
    """Of Kubernetes, with its `v`."""
    target: Path
    programs: tuple[str, ...]
    """The names as which the binary is called."""
    cache: Path


async def build_control_plane(build: Build, environment: Mapping[str, str], report: Report) -> None:
    """Build into `build.target`, unless somebody else does so meanwhile. Raises StackError."""
    parent = build.target.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"cannot write to the cache {parent}: {error}", "set XDG_CACHE_HOME") from error
    async with _only_builder(parent / "build.lock", report):
        if build.target.exists():
            return
        _check_space(parent)
        go = await find_go(build.module / "toolchain.txt", build.cache, environment, report)
        draft = Path(tempfile.mkdtemp(prefix=".building-", dir=parent))
        try:
            await _compile(build, go, draft / _BINARY, environment, report)
            _publish(build, draft)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


async def _compile(build: Build, go: Path, output: Path, environment: Mapping[str, str], report: Report) -> None:
    settings = go_environment(environment)
    report("downloading Kubernetes' source code")
    packages = [line async for line in _lines(build.module, settings, str(go), "list", "-deps", ".")]
    command = (str(go), "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", _linker_flags(build.version))
    done = 0
    async for package in _lines(build.module, settings, *command, "-o", str(output), "."):
        done += 1
        report("linking" if package == packages[-1] else f"compiling package {done} of {len(packages)}")


def _publish(build: Build, draft: Path) -> None:
    for program in build.programs:
        (draft / program).symlink_to(_BINARY)
    draft.chmod(0o755)
    draft.rename(build.target)


def go_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The person's environment without what would make Go build something else."""
    foreign = ("GOOS", "GOARCH", "GOFLAGS", "GOWORK", "GOTOOLCHAIN", "GOEXPERIMENT")
    kept = {name: value for name, value in environment.items() if name not in foreign}
    return kept | {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}


def _linker_flags(version: str) -> str:
    # Without these it calls itself v0.0.0, and clients believe it.
    major, minor = version.removeprefix("v").split(".")[:2]
    facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in facts.items())


async def _lines(directory: Path, environment: Mapping[str, str], *argv: str) -> AsyncIterator[str]:
    """What a command prints, line by line. Raises StackError when it fails; ends it when the reader stops reading."""
    child = await asyncio.create_subprocess_exec(
        *argv,
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # the compilers are its children: they end with it
    )
    tail: list[str] = []
    try:
        if child.stdout is None:
            raise RuntimeError("the pipe that was asked for is missing")
        async for raw in child.stdout:
            line = raw.decode(errors="replace").rstrip()
            tail = [*tail, line][-_TAIL_LINES:]
            yield line
        if await child.wait() != 0:
            raise build_failure("\n".join(tail))
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


def build_failure(output: str) -> StackError:
    """What the end of Go's output means to the person who reads it."""
    if _FULL in output:
        return StackError("the disk is full: Kubernetes could not be built", output)
    if _OFFLINE.search(output):
        return StackError(
            "Kubernetes' source code could not be downloaded",
            f"is Go's module proxy reachable? GOPROXY names another one\n{output}",
        )
    return StackError("Kubernetes could not be built", output)


def _check_space(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < NEEDED_BYTES:
        raise StackError(
            f"building Kubernetes needs {NEEDED_BYTES / 2**30:.0f} GiB of disk; {directory} has {free / 2**30:.1f}",
            "make room, or set XDG_CACHE_HOME to a larger disk",
        )


@asynccontextmanager
async def _only_builder(path: Path, report: Report) -> AsyncIterator[None]:
    # The kernel lets go of the lock when its holder ends, however that comes.
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report("waiting for another build of Kubernetes on this machine")
                await asyncio.sleep(_LOCK_INTERVAL)
            else:
                break
        yield
