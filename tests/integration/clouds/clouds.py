"""The real loop with the real drivers, on a real API server and two simulated providers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx

from claw_crds import naming
from claw_dev.cluster import ControlPlane
from claw_dev.kubectl import Kubectl
from claw_dev.simulators.neon.records import Branch
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.railway.records import Instance, ServiceDomain
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_operator.assembly import Loop, running_loop
from claw_operator.desired import Defaults
from claw_operator.drivers import Drivers
from claw_operator.external.budget import Budget
from claw_operator.external.http import Api
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import NeonOptions
from claw_operator.external.railway import RailwayDriver, RailwayOptions
from claw_operator.external.runtime import HttpRuntimeClient
from claw_operator.kube import Kube
from claw_operator.metrics import Metrics
from claw_operator.orphans import Policy
from claw_operator.sweep import Schedule
from tests.contract import neon_world
from tests.contract.neon_world import client_of
from tests.eventually import eventually
from tests.integration.operator.conftest import Object, Operator
from tests.integration.operator.world import World

REPOSITORY = "clawd/clawdbot"
RESYNC = 0.3
"""Seconds between two looks at an instance that rests: one sweep for drift."""

PATIENCE = 30.0
"""Seconds that a test waits for what takes one or two, on a machine that has other things to do."""


def _plenty(account: str) -> Budget:
    return Budget(account, per_second=10_000, burst=10_000)


@dataclass(frozen=True)
class Setup:
    """How an operator is set up, apart from where its providers are."""

    budgets: Mapping[str, Budget] = field(
        default_factory=lambda: {"railway": _plenty("Railway"), "neon": _plenty("Neon")}
    )
    workers: int = 20
    schedule: Schedule | None = None
    """None: nobody looks for orphans."""
    grace: float = 0.5
    deletion: bool = True
    locked_pause: tuple[float, float] = (0.02, 0.1)
    railway_poll: float = 0.05
    neon_poll: float = 0.01
    settle: float = 0.2
    """Of both drivers, in seconds: longer than the simulators' reads lag."""
    provider_seconds: float = 5.0
    """How long an answer of a provider is waited for."""


class Clouds(Operator):
    """An operator with Railway and Neon, not yet running, and what tests ask of all of them."""

    def __init__(
        self,
        control_plane: ControlPlane,
        kubectl: Kubectl,
        namespace: str,
        railway: RailwaySimulator,
        neon: NeonSimulator,
        elsewhere: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(control_plane, kubectl, namespace, World())
        self.railway = railway
        self.neon = neon
        self._elsewhere = elsewhere
        self.setup = Setup()
        self.metrics = Metrics()

    def set_up(self, **others: Any) -> None:
        """Set the next operator up otherwise."""
        self.setup = replace(self.setup, **others)

    @asynccontextmanager
    async def loop(self, resync_seconds: float = RESYNC) -> AsyncIterator[Loop]:
        """The same parts as in `__main__`, impatient enough for tests, and without Kopf: nothing watches for it."""
        setup, self.metrics = self.setup, Metrics()
        async with AsyncExitStack() as stack:
            kube = await stack.enter_async_context(Kube.connect(self._control_plane.kubeconfig))
            drivers = await stack.enter_async_context(_connected(self.railway, self.neon, setup, self.metrics))
            fleet = await kube.namespace_uid(self.namespace)
            policy = Policy(fleet=fleet, namespace=self.namespace, grace=setup.grace, deletion=setup.deletion)
            yield await stack.enter_async_context(
                running_loop(
                    kube=kube,
                    drivers=drivers,
                    defaults=Defaults(
                        "railway",
                        "neon",
                        fleet=fleet,
                        repository=REPOSITORY,
                        ref="main",
                        variables={"ANTHROPIC_API_KEY": "sk-house"},
                    ),
                    workers=setup.workers,
                    resync_seconds=resync_seconds,
                    shutdown_seconds=5.0,
                    clock=lambda: datetime.now(UTC),
                    random=Random(1),
                    metrics=self.metrics,
                    policy=policy if setup.schedule is not None else None,
                    schedule=setup.schedule,
                )
            )

    @asynccontextmanager
    async def running(self, resync_seconds: float = RESYNC) -> AsyncIterator[Loop]:
        """A whole operator until the block ends, in another thread's event loop.

        Kopf ends everything in its event loop that began after it, and would end what the simulators run.
        """
        operator, here = super().running(resync_seconds), asyncio.get_running_loop()
        started: asyncio.Future[tuple[Loop, asyncio.Event]] = here.create_future()

        async def operate() -> None:
            stop = asyncio.Event()
            async with operator as loop:
                here.call_soon_threadsafe(started.set_result, (loop, stop))
                await stop.wait()

        ended = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(operate(), self._elsewhere))
        either: set[asyncio.Future[Any]] = {ended, started}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            await ended  # it did not start, and says why
        loop, stop = await started
        try:
            yield loop
        finally:
            self._elsewhere.call_soon_threadsafe(stop.set)
            await ended

    async def available(self, name: str, **spec: Any) -> Object:
        """Apply an instance and wait until its assistant answers."""
        await self.apply(name, **spec)
        return await self.until_reason(name, "Available", PATIENCE)

    def service(self, instance: Object) -> Instance:
        """The instance's service as it really is."""
        return self.railway.services[external_name(instance)]

    def branch(self, instance: Object) -> Branch:
        """The instance's branch as it really is."""
        return neon_world.branch_named(self.neon, external_name(instance))

    def services(self) -> set[str]:
        """What really is at Railway, by name."""
        return set(self.railway.services)

    def branches(self) -> set[str]:
        """What really is at Neon beside the template, by name."""
        return {branch.name for branch in self.neon.world.branches_of(self.neon.project_id) if not branch.default}

    def endpoints(self) -> int:
        """How many computes there are at Neon beside the template's."""
        return sum(len(self.neon.world.endpoints_of(b.id)) for b in self._tenants())

    def domains(self) -> int:
        """How many addresses there are at Railway."""
        return len(list(self.railway.world.all(ServiceDomain)))

    def made(self) -> dict[str, int]:
        """How often each kind of thing was made and deleted by anybody, beside the template."""
        railway, neon = self.railway.counts(), self.neon.counts()
        told: dict[str, int] = {}
        for kind, word in (("Service", "services"), ("ServiceDomain", "domains")):
            told |= {f"{word} {what}": railway.get(kind, {}).get(what, 0) for what in ("created", "deleted")}
        for word in ("branches", "endpoints"):
            told |= {f"{word} created": neon[f"{word} created"] - 1, f"{word} deleted": neon[f"{word} deleted"]}
        return told

    async def several_looks(self) -> None:
        """Wait until the operator has looked at everything a few times more."""
        before = self._passes()
        await eventually(lambda: self._passes() >= before + 3, PATIENCE)

    @asynccontextmanager
    async def person_at_neon(self) -> AsyncIterator[neon_world.Client]:
        """Somebody in Neon's console."""
        async with client_of(self.neon) as client:
            yield client

    def _passes(self) -> float:
        samples = [sample for metric in self.metrics.passes.collect() for sample in metric.samples]
        return sum(sample.value for sample in samples if sample.name.endswith("_total"))

    def _tenants(self) -> list[Branch]:
        return [branch for branch in self.neon.world.branches_of(self.neon.project_id) if not branch.default]


def external_name(instance: Object) -> str:
    """The name of everything that the instance has outside."""
    return naming.external_name(instance["metadata"]["uid"])


@asynccontextmanager
async def _connected(
    railway: RailwaySimulator, neon: NeonSimulator, setup: Setup, metrics: Metrics
) -> AsyncIterator[Drivers]:
    """Both drivers, as `claw_operator.providers` builds them, with shorter waits."""
    async with httpx.AsyncClient() as providers, httpx.AsyncClient() as runtimes:
        random = Random(7).random

        def api(provider: str) -> Api:
            return Api(
                providers,
                setup.budgets[provider],
                provider=provider,
                random=random,
                timeout=setup.provider_seconds,
                on_call=lambda provider, outcome: metrics.provider_calls.labels(provider, outcome).inc(),
            )

        computes = RailwayDriver(
            api("railway"),
            RailwayOptions(
                url=railway.url,
                token=railway.token.secret,
                token_kind=railway.token.kind.value,
                project_id=railway.project.id,
                domain_scheme="http",
                poll_seconds=setup.railway_poll,
                settle_seconds=setup.settle,
            ),
            random=random,
        )
        databases = NeonDriver(
            api("neon"),
            NeonOptions(
                key=neon_world.KEY,
                url=neon.url,
                project_id=neon.project_id,
                poll_seconds=setup.neon_poll,
                settle_seconds=setup.settle,
                locked_pause_seconds=setup.locked_pause,
            ),
            random=random,
        )
        async with aclosing(computes), aclosing(databases):
            yield Drivers({"railway": computes}, {"neon": databases}, HttpRuntimeClient(runtimes))
