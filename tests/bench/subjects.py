"""What `loop` measures, each as a process of its own, so that its CPU and its memory are nobody else's.

`operator` is the real loop, fed by Kopf, with the outside of the integration tests, which answers at once. `floor` is
the least that can be done: it watches, and makes the same writes for each instance, through the same client, in the
same order, with the statuses that the operator wrote before; it looks at nothing, decides nothing and keeps nothing.
What the loop costs is the distance between them.

    python -m tests.bench.subjects operator --kubeconfig … --namespace … --ready … --report …
"""

import argparse
import asyncio
import json
import secrets
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import kopf

from claw_crds import naming
from claw_crds.v1alpha1 import ClawInstance, ClawInstanceStatus
from claw_operator import handlers, logs
from claw_operator.assembly import running_loop
from claw_operator.credentials import Credentials
from claw_operator.desired import Defaults
from claw_operator.drivers import Drivers
from claw_operator.events import News
from claw_operator.external import ConnectionUrls, ObservedDatabase, Owner
from claw_operator.kube import Kube
from tests.bench.crowd import Body, api_session, is_ready, present_version, watch
from tests.integration.operator.world import World, WorldComputes, WorldDatabases, WorldRuntimes

WORKERS = 50
"""As many as the operator has by default."""


class TimedDatabases(WorldDatabases):
    """Notes when it was first called for an instance."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.first_calls: dict[str, float] = {}

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedDatabase | None:
        """As in WorldDatabases."""
        self.first_calls.setdefault(owner.name, time.monotonic())
        return await super().observe(owner, max_age=max_age)


async def operator(arguments: argparse.Namespace) -> None:
    """The operator, put together as in its `__main__`, until SIGTERM."""
    logs.configure("INFO")
    world = World()
    databases = TimedDatabases(world)
    async with (
        Kube.connect(arguments.kubeconfig) as kube,
        running_loop(
            kube=kube,
            drivers=Drivers({"simulated": WorldComputes(world)}, {"simulated": databases}, WorldRuntimes(world)),
            defaults=Defaults("simulated", "simulated", variables={"ANTHROPIC_API_KEY": "sk-house"}),
            workers=WORKERS,
            resync_seconds=60.0,
            shutdown_seconds=5.0,
            clock=lambda: datetime.now(UTC),
            random=Random(1),
        ) as loop,
    ):
        ready = asyncio.Event()
        announcing = asyncio.create_task(_announce(ready, arguments.ready))
        await kopf.operator(
            registry=handlers.build_registry(loop.store, loop.queue, kube.access, loop.stop),
            settings=handlers.build_settings(),
            namespaces=[arguments.namespace],
            standalone=True,
            ready_flag=ready,
        )
        await announcing
    report = {"first_calls": databases.first_calls, "changes": world.counts()}
    arguments.report.write_text(json.dumps(report))


async def _announce(ready: asyncio.Event, path: Path) -> None:
    await ready.wait()
    await asyncio.to_thread(path.touch)


class Floor:
    """Writes what the operator would write."""

    def __init__(self, kube: Kube, statuses: Sequence[Body]) -> None:
        """`statuses`: all of one instance's life, in order."""
        self._kube = kube
        ready = next(number for number, status in enumerate(statuses) if is_ready(status))
        wished = [ClawInstanceStatus.model_validate(status) for status in statuses]
        self._first, *self._more = wished[: ready + 1]
        self._last = wished[ready + 1]
        self._slots = asyncio.Semaphore(WORKERS)
        self._ending: set[str] = set()

    async def follow(self, namespace: str, kubeconfig: Path, ready: Path) -> None:
        """Watch, for ever."""
        async with api_session(kubeconfig) as session, asyncio.TaskGroup() as group:
            version = await present_version(session, namespace)
            await asyncio.to_thread(ready.touch)
            async for kind, body in watch(session, namespace, version):
                uid = body["metadata"]["uid"]
                if kind == "ADDED":
                    group.create_task(self._begin(body))
                elif kind == "MODIFIED" and "deletionTimestamp" in body["metadata"] and uid not in self._ending:
                    self._ending.add(uid)
                    group.create_task(self._end(body))

    async def _begin(self, body: Body) -> None:
        async with self._slots:
            body = await self._kube.add_finalizer(body)
            instance = ClawInstance.parse(body)
            body = await self._kube.write_status(body, self._first)
            await self._tell(instance)
            owner = Owner(instance.metadata.namespace, instance.metadata.name, instance.metadata.uid)
            urls = ConnectionUrls(f"postgresql://{owner.external_name}@db/x")
            credentials = Credentials.issue(1, "db-1", urls, secrets.token_bytes)
            name = naming.credentials_secret_name(owner.name)
            await self._kube.write_secret(instance, name, credentials.to_secret())
            for status in self._more:
                body = await self._kube.write_status(body, status)
            await self._tell(instance)

    async def _end(self, body: Body) -> None:
        async with self._slots:
            instance = ClawInstance.parse(body)
            meta = instance.metadata
            body = await self._kube.write_status(body, self._last)
            await self._tell(instance)
            await self._kube.delete_secret(meta.namespace, naming.credentials_secret_name(meta.name), meta.uid)
            await self._kube.remove_finalizer(body)

    async def _tell(self, instance: ClawInstance) -> None:
        news = News("Normal", "Available", "The assistant answers.", "Reconcile")
        await self._kube.emit_event(instance.metadata, news, datetime.now(UTC))


async def floor(arguments: argparse.Namespace) -> None:
    """The bare loop, until SIGTERM."""
    statuses = json.loads(arguments.statuses.read_text())
    async with Kube.connect(arguments.kubeconfig) as kube:
        following = Floor(kube, statuses).follow(arguments.namespace, arguments.kubeconfig, arguments.ready)
        task = asyncio.create_task(following)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


def main() -> None:
    """Run the subject that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.subjects", description=__doc__)
    parser.add_argument("subject", choices=["operator", "floor"])
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--ready", type=Path, required=True, help="a file that is made once it watches")
    parser.add_argument("--report", type=Path, help="where the operator says in the end what it did outside")
    parser.add_argument("--statuses", type=Path, help="what the floor writes")
    arguments = parser.parse_args()
    asyncio.run(operator(arguments) if arguments.subject == "operator" else floor(arguments))


if __name__ == "__main__":
    main()
