"""`loop`: the operator's own cost, with an outside that answers at once, against the least that can be done.

Real API server, real watch, real loop. Operator and floor (see `subjects`) take turns, each in a fresh process and a
fresh namespace: the operator's first instances one after the other, for the latency of a single wish; then a small
burst, after which all connections are open; then the burst that counts, and its deletion.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import psutil

from claw_dev.cluster import ControlPlane
from claw_dev.processes import Processes, Program
from tests.bench.crowd import Crowd, api_session, api_writes, gathering
from tests.bench.figures import Figure, Row, at_most, compared, percentile, short
from tests.bench.run import Run
from tests.bench.surroundings import ROOT, cluster, cpu_seconds, make_namespace, programs

_ROUNDS = 3
_SINGLES = 25
_WARM_UP = 60
_BURST = 120
_FIRST = "first"
"""Made before all others and not measured: it waits until everybody's connections and caches are there."""
_PATIENCE = 60.0
_QUIET_SECONDS = 0.2
_OURS = ("clawinstances", "secrets", "events")
_NAMES = {
    "PATCH clawinstances": "finalizer",
    "PATCH clawinstances/status": "status",
    "POST secrets": "Secret",
    "DELETE secrets": "Secret",
    "POST events": "Events",
}
_BY_US = ("POST clawinstances", "DELETE clawinstances")


@dataclass(frozen=True)
class Burst:
    """What one subject did with a burst."""

    size: int
    ready_per_second: float
    gone_per_second: float
    cpu_ms: float
    """Of the subject's process, for one instance, up to ready."""
    megabytes: float
    """By which the process grew for 1,000 instances."""
    writes: Counter[str]
    """The subject's writes up to ready, as the API server counted them."""
    last_writes: Counter[str]
    """... and for the deletion."""


@dataclass(frozen=True)
class Operator:
    """What the operator did in one round."""

    burst: Burst
    watched_ms: tuple[float, ...]
    """From the request to create a single instance to the event of a bare watch."""
    called_ms: tuple[float, ...]
    """... to the first external call."""
    extra: int
    """What was made outside beyond one of each kind for each instance."""


async def measure(run: Run) -> list[Row]:
    """All rounds, then the table."""
    operators, floors = [], []
    async with (
        programs() as processes,
        cluster(processes) as control_plane,
        api_session(control_plane.kubeconfig) as session,
    ):
        stage = _Stage(run, control_plane, processes, session)
        for number in range(1, _ROUNDS + 1):
            run.tell(f"round {number} of {_ROUNDS}: the operator")
            operators.append(await stage.operator(f"operator-{number}"))
            run.tell(f"round {number} of {_ROUNDS}: the floor")
            floors.append(await stage.floor(f"floor-{number}"))
    return _rows(operators, floors)


class _Stage:
    def __init__(
        self, run: Run, control_plane: ControlPlane, processes: Processes, session: aiohttp.ClientSession
    ) -> None:
        self._control_plane = control_plane
        self._processes = processes
        self._session = session
        self._singles = [f"single-{number}" for number in range(run.count(_SINGLES, least=5))]
        self._warm_up = [f"warm-up-{number}" for number in range(run.count(_WARM_UP, least=20))]
        self._burst = [f"burst-{number}" for number in range(run.count(_BURST, least=20))]
        self._statuses = processes.directory / "statuses.json"
        """All that the operator wrote for one instance, in order: what the floor writes, too."""

    async def operator(self, namespace: str) -> Operator:
        report = self._processes.directory / f"{namespace}.report"
        async with self._subject("operator", namespace, f"--report={report}") as (crowd, process):
            for name in (_FIRST, *self._singles):
                await crowd.create(name)
                await crowd.until(crowd.ready, [name], _PATIENCE)
            burst = await self._burst_of(crowd, process)
        self._statuses.write_text(json.dumps(crowd.statuses[self._burst[0]][1:]))
        said = json.loads(report.read_text())
        return Operator(
            burst,
            watched_ms=tuple(1000 * (crowd.seen[name] - crowd.asked[name]) for name in self._singles),
            called_ms=tuple(1000 * (said["first_calls"][name] - crowd.asked[name]) for name in self._singles),
            extra=sum(max(made - len(crowd.asked), 0) for made in said["changes"].values()),
        )

    async def floor(self, namespace: str) -> Burst:
        async with self._subject("floor", namespace, f"--statuses={self._statuses}") as (crowd, process):
            return await self._burst_of(crowd, process)

    async def _burst_of(self, crowd: Crowd, process: psutil.Process) -> Burst:
        size = len(self._burst)
        await crowd.create_all(self._warm_up)
        await crowd.until(crowd.ready, self._warm_up, _PATIENCE)
        writes, cpu, memory = await self._quiet(), cpu_seconds(process), process.memory_info().rss
        begun = await crowd.create_all(self._burst)
        ready = await crowd.until(crowd.ready, self._burst, _PATIENCE) - begun
        living, cpu_after, memory_after = await self._quiet(), cpu_seconds(process), process.memory_info().rss
        begun = await crowd.delete_all(self._burst)
        gone = await crowd.until(crowd.gone, self._burst, _PATIENCE) - begun
        return Burst(
            size=size,
            ready_per_second=size / ready,
            gone_per_second=size / gone,
            cpu_ms=1000 * (cpu_after - cpu) / size,
            megabytes=(memory_after - memory) / 2**20 / size * 1000,
            writes=_subjects_own(living - writes),
            last_writes=_subjects_own(await self._quiet() - living),
        )

    async def _quiet(self) -> Counter[str]:
        """The writes so far, once no more come: the last Events are written after the status that is waited for."""
        before: Counter[str] = Counter()
        while (now := await api_writes(self._session)) != before:
            before = now
            await asyncio.sleep(_QUIET_SECONDS)
        return now

    @asynccontextmanager
    async def _subject(
        self, subject: str, namespace: str, *options: str
    ) -> AsyncIterator[tuple[Crowd, psutil.Process]]:
        """The subject's process, watching a fresh namespace, and the crowd in it."""
        await make_namespace(self._control_plane.kubectl, namespace)
        ready = self._processes.directory / f"{namespace}.ready"
        where = (f"--kubeconfig={self._control_plane.kubeconfig}", f"--namespace={namespace}", f"--ready={ready}")
        argv = (sys.executable, "-m", "tests.bench.subjects", subject, *where, *options)

        async def is_ready() -> bool:
            return await asyncio.to_thread(ready.exists)

        program = Program(namespace, argv, environment={"PYTHONPATH": str(ROOT)})
        process = await self._processes.start(program, is_ready)
        try:
            async with gathering(self._session, namespace) as crowd:
                yield crowd, psutil.Process(process.pid)
        finally:
            await self._processes.stop(namespace)


def _subjects_own(writes: Counter[str]) -> Counter[str]:
    """Without those of the API server itself, and without the wishes, which are ours."""
    return Counter(
        {
            write: count
            for write, count in writes.items()
            if write.split()[1].split("/")[0] in _OURS and write not in _BY_US
        }
    )


def _without_events(writes: Counter[str], size: int) -> float:
    return sum(count for write, count in writes.items() if not write.endswith("events")) / size


def _told(writes: Counter[str], size: int) -> str:
    return ", ".join(f"{short(count / size)} {_NAMES.get(write, write)}" for write, count in sorted(writes.items()))


def _rows(operators: Sequence[Operator], least: Sequence[Burst]) -> list[Row]:
    bursts = [one.burst for one in operators]
    size = bursts[0].size

    def both(unit: str, figure: Callable[[Burst], float]) -> tuple[Figure, str, Figure]:
        return Figure.of(map(figure, bursts), unit), "floor", Figure.of(map(figure, least), unit)

    def latency(percent: int) -> tuple[Figure, str, Figure]:
        called = Figure.of((percentile(one.called_ms, percent) for one in operators), "ms")
        watched = Figure.of((percentile(one.watched_ms, percent) for one in operators), "ms")
        return called, "watch event", watched

    living = Figure.of(_without_events(burst.writes, size) for burst in bursts)
    dying = Figure.of(_without_events(burst.last_writes, size) for burst in bursts)
    memory = Figure.of((burst.megabytes for burst in bursts), "MB")
    extra = Figure.of(one.extra for one in operators)
    return [
        compared("L1", f"ready, a burst of {size}", *both("/s", lambda b: b.ready_per_second), least=0.5),
        compared("L2", "create → first external call, p50", *latency(50), most=4),
        compared("L3", "create → first external call, p99", *latency(99), most=4),
        compared("L4", "operator's CPU for one instance, to ready", *both("ms", lambda b: b.cpu_ms), most=3),
        Row("L5", "writes to ready, without Events", living, _told(bursts[0].writes, size), None, at_most(4, living)),
        Row("L6", "writes to gone, without Events", dying, _told(bursts[0].last_writes, size), None, at_most(3, dying)),
        Row("L7", "growth of the process, 1,000 instances", memory, "", None, at_most(50, memory)),
        Row("L8", "made twice outside, of all", extra, f"{_ROUNDS} rounds", None, at_most(0, extra)),
        compared("L9", f"gone, a burst of {size}", *both("/s", lambda b: b.gone_per_second), least=0.5),
    ]
