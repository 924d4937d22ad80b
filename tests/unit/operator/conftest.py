"""One reconciler with a tiny API server and the simulated outside, driven pass by pass."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, TypeVar

import pytest
from kubernetes.aio.client import ApiClient

from claw_crds.configuration import RuntimeReport
from claw_crds.v1alpha1 import ClawInstance, ClawInstanceStatus
from claw_operator.act import Actor
from claw_operator.desired import Defaults
from claw_operator.drivers import Drivers
from claw_operator.external import Owner
from claw_operator.finalize import Finalizer
from claw_operator.kube import Kube
from claw_operator.memory import Memories
from claw_operator.metrics import Metrics
from claw_operator.pace import Pacing
from claw_operator.reconcile import Reconciler
from claw_operator.report import Reporter
from claw_operator.rollback import Rollback
from claw_operator.store import Store
from claw_operator.workqueue import Result
from tests.eventually import eventually
from tests.integration.operator.world import Compute, World, WorldComputes, WorldDatabases, WorldRuntimes
from tests.unit.operator.api_server import INSTANCES, PLANS, SECRETS, ApiServer
from tests.unit.operator.examples import NOW, UID, body, plan, random_bytes

Object = dict[str, Any]
T = TypeVar("T")


class Outside(World):
    """The simulated outside, with three more ways to be odd."""

    slow = ""
    """This change takes longer than the others."""
    after: tuple[str, str] = ("", "")
    """The first change is not answered before the second one was carried out."""
    version = "1.0.0"
    """Of the runtimes."""

    async def _change(self, what: str, owner: Owner, do: Callable[[], T]) -> T:
        for _ in range(10 if what == self.slow else 0):
            await asyncio.sleep(0)
        if what == self.after[0]:
            await eventually(lambda: self.after[1] in self.counts())
        return await super()._change(what, owner, do)


class Runtimes(WorldRuntimes):
    """Its runtimes."""

    def __init__(self, world: Outside) -> None:
        super().__init__(world)
        self._outside = world

    def _report(self, row: Compute) -> RuntimeReport:
        return super()._report(row).model_copy(update={"version": self._outside.version})


class Stage:
    """Everything that one pass touches."""

    def __init__(self, api: ApiServer, kube: Kube) -> None:
        self.api, self.world, self.now = api, Outside(), NOW
        self._kube = kube
        api.put(f"{PLANS}/pro", plan().wire() | {"kind": "ClawPlan"})
        self.restart()

    def restart(self) -> None:
        """Another process of the operator: all that it remembered is gone, and the watches list anew."""
        self.store, self.metrics = Store(), Metrics()
        self.memories = Memories(self._clock)
        reporter = Reporter(self._kube, self.store, self.metrics, self._clock)
        drivers = Drivers(
            {"simulated": WorldComputes(self.world)},
            {"simulated": WorldDatabases(self.world)},
            Runtimes(self.world),
        )
        defaults = Defaults("simulated", "simulated")
        self._reconciler = Reconciler(
            kube=self._kube,
            store=self.store,
            drivers=drivers,
            defaults=defaults,
            actor=Actor(self._kube, self.metrics, random_bytes()),
            finalizer=Finalizer(
                kube=self._kube,
                store=self.store,
                drivers=drivers,
                defaults=defaults,
                metrics=self.metrics,
                reporter=reporter,
                memories=self.memories,
            ),
            rollback=Rollback(kube=self._kube, metrics=self.metrics, reporter=reporter, memories=self.memories),
            reporter=reporter,
            memories=self.memories,
            metrics=self.metrics,
            pacing=Pacing(60.0, lambda: 0.5),
            clock=self._clock,
        )
        self.store.saw_plan(self.api.objects[f"{PLANS}/pro"])
        if self.path in self.api.objects:
            self.store.saw(self.api.objects[self.path])

    def _clock(self) -> datetime:
        return self.now

    @property
    def path(self) -> str:
        """Where the instance is."""
        return f"{INSTANCES}/ada"

    def apply(self, *, metadata: Object | None = None, status: ClawInstanceStatus | None = None, **spec: Any) -> Object:
        """Write the instance and let the watch deliver it."""
        written = self.api.put(self.path, body(metadata=metadata, status=status, **spec))
        self.store.saw(written)
        return written

    def change(self, do: Callable[[Object], object]) -> Object:
        """Change the stored instance, as a person does, and let the watch deliver it."""
        stored = self.api.objects[self.path]
        do(stored)
        written = self.api.put(self.path, stored)
        self.store.saw(written)
        return written

    async def passes(self, number: int = 1) -> Result:
        """That many passes, and what the last one said."""
        for _ in range(number):
            async with asyncio.timeout(10):
                result = await self._reconciler.reconcile(UID)
        return result

    def secret(self) -> dict[str, str]:
        """What the instance's Secret holds."""
        data = self.api.objects[f"{SECRETS}/ada-credentials"]["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    @property
    def instance(self) -> ClawInstance:
        """The instance as the API server has it."""
        return ClawInstance.parse(self.api.objects[self.path])

    @property
    def status(self) -> ClawInstanceStatus:
        """Its status."""
        return self.instance.status

    def events(self) -> list[str]:
        """Reasons of the Events, oldest first."""
        return [o["reason"] for path, o in self.api.objects.items() if "/events/" in path]


@pytest.fixture(scope="session")
async def api_server() -> AsyncIterator[ApiServer]:
    """One for all tests: listening and making a client takes longer than most of them."""
    async with ApiServer().serving() as server:
        yield server


@pytest.fixture(scope="session")
async def client(api_server: ApiServer) -> AsyncIterator[ApiClient]:
    """The connections to it."""
    async with api_server.client() as client:
        yield client


@pytest.fixture
async def api(api_server: ApiServer) -> ApiServer:
    """An API server without objects."""
    api_server.clear()
    return api_server


@pytest.fixture
async def kube(client: ApiClient) -> Kube:
    """The operator's session with it."""
    return Kube(client)


@pytest.fixture
async def stage(api: ApiServer, kube: Kube) -> Stage:
    """A reconciler with an empty outside."""
    return Stage(api, kube)
