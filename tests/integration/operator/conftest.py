"""The real loop, fed by Kopf from a real API server, with a simulated outside."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import kopf
import pytest

from claw_crds import naming
from claw_dev.cluster import ControlPlane
from claw_dev.kubectl import Kubectl
from claw_operator import handlers
from claw_operator.assembly import Loop, running_loop
from claw_operator.desired import Defaults
from claw_operator.drivers import Drivers
from claw_operator.kube import Kube, Unavailable
from tests.eventually import eventually
from tests.integration.operator.world import Fault, World, WorldComputes, WorldDatabases, WorldRuntimes

Object = dict[str, Any]

FLEET = "0f0f0f0f-91a4-4d4b-9a63-6f1d2a3b4c5d"
"""What the operator under test writes into its marks."""


@pytest.fixture
def world() -> World:
    """An empty outside."""
    return World()


class FaultyKube(Kube):
    """Kubernetes' API as the operator sees it, with faults by the number of the write."""

    world: World
    faults: dict[int, Fault]

    async def _call(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> Object:
        answer = await super()._call(method, path, body, content_type=content_type)
        if method == "GET":
            return answer
        number = self.world.api_writes  # of those that were carried out: a conflict is no write
        self.world.api_writes += 1
        match self.faults.pop(number, None):
            case Fault.LOST_ANSWER:
                raise Unavailable("the connection was lost")
            case Fault.CRASH:
                self.world.die(f"after {method} {path}")
        return answer


class Operator:
    """An operator in this process, and what tests ask of it and of the API server."""

    def __init__(self, control_plane: ControlPlane, kubectl: Kubectl, namespace: str, world: World) -> None:
        self._control_plane = control_plane
        self.kubectl = kubectl
        self.namespace = namespace
        self.world = world
        self.write_faults: dict[int, Fault] = {}
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @asynccontextmanager
    async def loop(self, resync_seconds: float = 60.0) -> AsyncIterator[Loop]:
        """The same parts as in `__main__`, with the world's drivers and without Kopf: nothing watches for it."""
        world = self.world
        drivers = Drivers(
            {"simulated": WorldComputes(world)}, {"simulated": WorldDatabases(world)}, WorldRuntimes(world)
        )
        async with (
            FaultyKube.connect(self._control_plane.kubeconfig) as kube,
            running_loop(
                kube=self._faulty(kube),
                drivers=drivers,
                defaults=Defaults("simulated", "simulated", FLEET, variables={"ANTHROPIC_API_KEY": "sk-house"}),
                workers=10,
                resync_seconds=resync_seconds,
                shutdown_seconds=5.0,
                clock=lambda: self.now(),  # noqa: PLW0108 - tests set another clock while it runs
                random=Random(1),
            ) as loop,
        ):
            yield loop

    @asynccontextmanager
    async def running(self, resync_seconds: float = 60.0) -> AsyncIterator[Loop]:
        """A whole operator until the block ends."""
        async with self.loop(resync_seconds) as loop, Kube.connect(self._control_plane.kubeconfig) as kube:
            ready, stop = asyncio.Event(), asyncio.Event()
            registry = handlers.build_registry(loop.store, loop.queue, kube.access, loop.stop)
            kopf_task = asyncio.create_task(
                kopf.operator(
                    registry=registry,
                    settings=handlers.build_settings(),
                    namespaces=[self.namespace],
                    standalone=True,
                    ready_flag=ready,
                    stop_flag=stop,
                )
            )
            try:
                await asyncio.wait_for(ready.wait(), 20)
                yield loop
            finally:
                stop.set()
                await asyncio.wait_for(kopf_task, 30)

    def _faulty(self, kube: Kube) -> Kube:
        assert isinstance(kube, FaultyKube)
        kube.world, kube.faults = self.world, self.write_faults
        return kube

    async def restart_api_server(self) -> None:
        """Stop it and start it again, with the same data."""
        await self._control_plane.restart_apiserver()

    async def apply(self, name: str, **spec: Any) -> Object:
        """Create or change an instance the way a person does."""
        manifest = {
            "apiVersion": "claw.dev/v1alpha1",
            "kind": "ClawInstance",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"customer": {"id": "cus_1", "email": "ada@example.com"}, "planRef": {"name": "pro"}} | spec,
        }
        await self.kubectl.apply([manifest])
        return await self.get(name)

    async def get(self, name: str) -> Object:
        """The instance as the API server has it."""
        return await self._json("get", "clawinstance", name)

    async def annotate(self, name: str, annotations: dict[str, str]) -> None:
        """Steer the operator."""
        pairs = [f"{key}={value}" for key, value in annotations.items()]
        await self.kubectl.run("-n", self.namespace, "annotate", "--overwrite", "clawinstance", name, *pairs)

    async def clear_status(self, name: str) -> None:
        """Delete the status whole."""
        patch = json.dumps([{"op": "remove", "path": "/status"}])
        await self.kubectl.run(
            "-n", self.namespace, "patch", "clawinstance", name, "--subresource=status", "--type=json", "-p", patch
        )

    async def copy_plan(self, plan: str, name: str, **differently: Any) -> None:
        """Make a plan like another one."""
        spec = (await self.kubectl.get("clawplan", plan))["spec"] | differently
        await self.kubectl.apply(
            [{"apiVersion": "claw.dev/v1alpha1", "kind": "ClawPlan", "metadata": {"name": name}, "spec": spec}]
        )

    async def patch(self, name: str, spec: Object) -> None:
        """Change the spec."""
        await self.kubectl.run(
            "-n", self.namespace, "patch", "clawinstance", name, "--type=merge", "-p", json.dumps({"spec": spec})
        )

    async def delete(self, name: str) -> None:
        """Ask for deletion and do not wait."""
        await self.kubectl.run("-n", self.namespace, "delete", "clawinstance", name, "--wait=false")

    async def exists(self, kind: str, name: str) -> bool:
        """Whether the API server has it."""
        found = await self.kubectl.run("-n", self.namespace, "get", kind, name, "--ignore-not-found", "-o", "name")
        return bool(found.strip())

    async def until(self, name: str, predicate: Callable[[Object], object], seconds: float = 15) -> Object:
        """Wait until the instance is as the predicate wants it, and return it."""

        async def found() -> Object | None:
            instance = await self.get(name)
            return instance if predicate(instance) else None

        async def describe() -> str:
            return json.dumps((await self.get(name)).get("status", {}), indent=1)

        instance = await eventually(found, seconds, describe)
        assert instance is not None
        return instance

    async def until_reason(self, name: str, reason: str, seconds: float = 15) -> Object:
        """Wait for the reason of Ready, at the present generation."""
        return await self.until(
            name,
            lambda o: (
                condition(o, "Ready").get("reason") == reason
                and o["status"]["observedGeneration"] == o["metadata"]["generation"]
            ),
            seconds,
        )

    async def gone(self, name: str, seconds: float = 15) -> None:
        """Wait until the instance is gone."""

        async def absent() -> bool:
            return not await self.exists("clawinstance", name)

        async def describe() -> Object:
            return await self.get(name)

        await eventually(absent, seconds, describe)

    async def events(self, name: str) -> list[tuple[str, str]]:
        """(type, reason) of the Events about the instance, oldest first."""
        found = await self._json("get", "events.events.k8s.io")
        items = [e for e in found["items"] if e["regarding"]["name"] == name]
        return [(e["type"], e["reason"]) for e in sorted(items, key=lambda e: e["eventTime"])]

    async def told(self, name: str, *expected: tuple[str, str], seconds: float = 15) -> None:
        """Wait for these Events about the instance, one right after the other: they are written after the status."""

        async def found() -> bool:
            events = await self.events(name)
            return any(events[start : start + len(expected)] == list(expected) for start in range(len(events)))

        await eventually(found, seconds, lambda: self.events(name))

    async def api_key(self, name: str) -> str:
        """The instance's API key as the Secret has it; empty while there is none."""
        found = await self.kubectl.run(
            "-n", self.namespace, "get", "secret", naming.credentials_secret_name(name), "--ignore-not-found",
            "-o", f"jsonpath={{.data.{naming.SECRET_API_KEY}}}",
        )  # fmt: skip
        return base64.b64decode(found).decode()

    async def secret(self, name: str) -> dict[str, str]:
        """The instance's credentials."""
        data = (await self._json("get", "secret", naming.credentials_secret_name(name)))["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    async def _json(self, *arguments: str) -> Object:
        found: Object = json.loads(await self.kubectl.run("-n", self.namespace, *arguments, "-o", "json"))
        return found


def condition(instance: Object, kind: str) -> Object:
    """One condition of an instance; empty while it is not set."""
    conditions: list[Object] = instance.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {})


@pytest.fixture
def operator(control_plane: ControlPlane, kubectl: Kubectl, namespace: str, world: World) -> Operator:
    """An operator for the test's own namespace, not yet running."""
    return Operator(control_plane, kubectl, namespace, world)
