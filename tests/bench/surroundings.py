"""What benchmarks run in: a directory that goes away, programs that end with it, nothing beyond loopback."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import psutil

from claw_dev.cluster import ControlPlane
from claw_dev.controlplane import control_plane_binaries
from claw_dev.installation import install_api
from claw_dev.kubectl import Kubectl
from claw_dev.postgres import Postgres, is_reachable
from claw_dev.processes import Processes

ROOT = Path(__file__).parents[2]
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "KUBEBUILDER_ASSETS")
_THROW_AWAY = ("--fsync=", "--synchronous_commit=", "--full_page_writes=")


def environment() -> Mapping[str, str]:
    """Ours, without what would lead outside: a key of Anthropic's, a database or a cluster of the person's."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def cpu_seconds(process: psutil.Process) -> float:
    """CPU that a process has used so far. Of two figures on a shared machine this is the steadier one."""
    times = process.cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def directory() -> AsyncIterator[Path]:
    """An empty directory until the block ends."""
    with TemporaryDirectory(prefix="claw-bench-") as path:
        yield Path(path)


@asynccontextmanager
async def programs() -> AsyncIterator[Processes]:
    """The programs of one benchmark, in a directory of their own; none is left, however it ends."""
    async with directory() as path, Processes(path) as running:
        yield running


@asynccontextmanager
async def cluster(processes: Processes) -> AsyncIterator[ControlPlane]:
    """An API server with our kinds and plans, and nobody else who writes: the controllers stay out."""
    binaries = await control_plane_binaries(environment(), lambda line: print(line, flush=True))
    running = ControlPlane(processes.directory, binaries, processes, random=Random())
    await running.start()
    await install_api(running.kubectl)
    yield running
    await running.stop()


async def make_namespace(kubectl: Kubectl, name: str) -> None:
    """A fresh namespace; it goes with its cluster."""
    await kubectl.run("create", "namespace", name)


async def postgres(processes: Processes) -> str:
    """The stack's PostgreSQL, which forgets everything in a power cut. Returns its administrator's URL."""
    server = Postgres(processes.directory, processes, random=Random())
    await server.start()
    return server.url


async def durable_postgres(processes: Processes) -> str:
    """The same, but what it has committed is on the disk, as with any PostgreSQL that somebody else is trusted with."""
    url = await postgres(processes)
    program = processes["postgres"].program
    kept = tuple(argument for argument in program.argv if not argument.startswith(_THROW_AWAY))
    await processes.stop("postgres")
    await processes.start(replace(program, argv=kept), lambda: is_reachable(url))
    return url
