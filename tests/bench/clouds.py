"""`clouds`: what the Railway and Neon drivers add to the providers' own time, and how many calls they make.

The real operator against simulators whose times are fixed: a deployment of 20 s, a database of 3 s. So the providers'
own critical path is known exactly, and whatever is longer is ours. Calls are counted by the simulators.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from claw_dev import services
from claw_dev.clouds import SimulatedClouds
from claw_dev.installation import ServiceAccounts
from claw_dev.parts import Part
from claw_dev.ports import LOOPBACK, free_port
from claw_dev.probes import answers
from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.limits import RateLimits
from claw_dev.simulators.neon.pace import Pace as NeonPace
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.neon.world import PlanLimits
from claw_dev.simulators.railway.pace import Pace as RailwayPace
from claw_dev.simulators.railway.pace import Span
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_dev.stack import Stack
from tests.bench.crowd import Crowd, api_session, gathering
from tests.bench.figures import Figure, Row, at_most
from tests.bench.run import Run
from tests.bench.surroundings import directory, environment

_INSTANCES = 3
_TOGETHER = 10
_AT_REST = 100
_RESYNC = 60.0
_SWEEPS = 2
_PATIENCE = 120.0

_ANSWER = 0.1
"""Seconds that every call takes, at both providers."""
_CREATE, _RESET = 2.1, 0.6
"""Seconds of Neon's operations after a branch was asked for, and after a password was."""
_DEPLOYMENT = 20.0

_DATABASE = _ANSWER + _CREATE + _ANSWER + _RESET + _ANSWER
"""Branch, password, URL: 3 s."""
_SERVICE = 2 * _ANSWER
"""Service and domain, at the same time as the database."""
CRITICAL_PATH = max(_DATABASE, _SERVICE) + 2 * _ANSWER + _DEPLOYMENT
"""Then the settings and the deployment."""


@dataclass(frozen=True)
class Clouds:
    """Both simulators, with an operator that uses them and the instances that it makes."""

    railway: RailwaySimulator
    neon: NeonSimulator
    crowd: Crowd

    def calls(self) -> tuple[int, int]:
        """How often Railway and Neon were asked so far."""
        return len(self.railway.calls), len(self.neon.calls)


async def measure(run: Run) -> list[Row]:
    """One after the other, several together, many at rest."""
    count, together = run.count(_INSTANCES, least=1), run.count(_TOGETHER, least=2)
    overheads, railway_calls, neon_calls = [], [], []
    async with _clouds(_slow_railway(), _slow_neon()) as clouds:
        for number in range(count):
            run.tell(f"instance {number + 1} of {count}")
            before, name = clouds.calls(), f"single-{number}"
            await clouds.crowd.create(name)
            ready = await clouds.crowd.until(clouds.crowd.ready, [name], _PATIENCE)
            overheads.append(ready - clouds.crowd.asked[name] - CRITICAL_PATH)
            asked = _since(clouds, before)
            railway_calls.append(asked[0])
            neon_calls.append(asked[1])
        run.tell(f"{together} instances together")
        before, names = clouds.calls(), [f"together-{number}" for number in range(together)]
        await clouds.crowd.create_all(names)
        await clouds.crowd.until(clouds.crowd.ready, names, _PATIENCE)
        crowded = _since(clouds, before)
    at_rest, resting = await _resting(run)
    return [
        *_overhead(overheads),
        _calls("C2", "Railway calls, an instance alone", railway_calls, 10),
        _calls("C3", "Neon calls, an instance alone", neon_calls, 6),
        _calls("C4", f"Railway calls an instance, {together} together", [crowded[0] / together], 10),
        _calls("C5", f"Neon calls an instance, {together} together", [crowded[1] / together], 6),
        _calls("C6", f"Railway calls an instance-hour, {resting} at rest", [at_rest[0]], 0.6),
        _calls("C7", f"Neon calls an instance-hour, {resting} at rest", [at_rest[1]], 0.6),
    ]


def _overhead(seconds: Sequence[float]) -> list[Row]:
    ours = Figure.of((100 * value / CRITICAL_PATH for value in seconds), "%")
    floor = f"the providers' own critical path: {CRITICAL_PATH:.1f} s (a database of 3 s beside a service, then 20 s)"
    return [Row("C1", "wish → Available, above the critical path", ours, floor, None, at_most(5, ours))]


def _calls(id_: str, what: str, calls: Sequence[float], most: float) -> Row:
    figure = Figure.of(calls)
    return Row(id_, what, figure, "", None, at_most(most, figure))


def _since(clouds: Clouds, before: tuple[int, int]) -> tuple[int, int]:
    now = clouds.calls()
    return now[0] - before[0], now[1] - before[1]


async def _resting(run: Run) -> tuple[tuple[float, float], int]:
    """Calls per instance and hour of a fleet to which nothing happens, Railway's and Neon's."""
    size = run.count(_AT_REST, least=20)
    async with _clouds(RailwayPace.quick(), NeonPace.quick()) as clouds:
        run.tell(f"{size} instances are made, to rest")
        names = [f"resting-{number}" for number in range(size)]
        await clouds.crowd.create_all(names)
        await clouds.crowd.until(clouds.crowd.ready, names, _PATIENCE)
        run.tell("the fleet comes to rest")
        await asyncio.sleep(1.5 * _RESYNC)
        before, began = clouds.calls(), time.monotonic()
        run.tell(f"{size} instances rest for {_SWEEPS * _RESYNC:.0f} s")
        await asyncio.sleep(_SWEEPS * _RESYNC)
        asked, hours = _since(clouds, before), (time.monotonic() - began) / 3600
    return (asked[0] / size / hours, asked[1] / size / hours), size


@asynccontextmanager
async def _clouds(railway_pace: RailwayPace, neon_pace: NeonPace) -> AsyncIterator[Clouds]:
    """An operator in a process of its own, as in production; the providers are in this one, and counted here."""
    plan = PlanLimits(branches=10_000, active_computes=10_000)
    rates = RateLimits(per_minute=100_000, burst_per_second=10_000)
    async with (
        directory() as path,
        Stack(path / "stack", parts=[Part.KUBERNETES], environment=environment()) as stack,
        RailwaySimulator(pace=railway_pace, runtimes="stand-in") as railway,
        NeonSimulator(pace=neon_pace, keys=[Key("napi_bench")], plan=plan, rates=rates, novelties=False) as neon,
        api_session(stack.kubeconfig) as session,
        gathering(session, stack.namespace) as crowd,
    ):
        told = SimulatedClouds(railway.base_url, neon.url.removesuffix("/api/v2"), railway.token.secret, "napi_bench")
        accounts = ServiceAccounts(operator=stack.kubeconfig, webhook=stack.kubeconfig)
        url = f"http://{LOOPBACK}:{free_port(Random())}"
        variables = told.environment() | {
            "RAILWAY_PROJECT_ID": railway.project.id,
            "NEON_PROJECT_ID": neon.project_id,
            "RAILWAY_CALLS_PER_HOUR": "10000",
            "CLAW_RESYNC_SECONDS": str(_RESYNC),
        }
        model = services.Model("http://127.0.0.1:9", "sk-ant-bench", simulated=True)
        front_url = "http://127.0.0.1:9"
        program = services.operator_program(url, accounts, variables, model, front_url)
        await stack.processes.start(program, answers(f"{url}/healthz"))
        yield Clouds(railway, neon, crowd)
        await stack.processes.stop(Part.OPERATOR)


def _slow_railway() -> RailwayPace:
    quick = RailwayPace.quick()
    walk = quick.initializing + quick.health_interval
    return quick.but(answer=Span(_ANSWER, _ANSWER), lag=1.0, deploying=_DEPLOYMENT - walk)


def _slow_neon() -> NeonPace:
    return NeonPace(
        latency=(_ANSWER, _ANSWER, _ANSWER),
        operations={"create_branch": _CREATE / 2, "start_compute": _CREATE / 2, "apply_config": _RESET},
        read_lag=0.3,
    )
