"""All deployments: they are asked for, replace each other, and are taken down. One task accompanies each that lives."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from claw_dev.simulators.railway.configuration import rendered
from claw_dev.simulators.railway.edge import Edge
from claw_dev.simulators.railway.life import Life
from claw_dev.simulators.railway.records import Deployment, Environment, Instance, Status
from claw_dev.simulators.railway.running import Runtimes
from claw_dev.simulators.railway.world import World

logger = logging.getLogger("claw_dev.simulators.railway")


class Deployments:
    """Begins and ends them. Nothing here waits: what was asked for happens by and by."""

    def __init__(
        self, world: World, runtimes: Runtimes, edge: Edge, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._world = world
        self._runtimes = runtimes
        self._edge = edge
        self._sleep = sleep
        self._lives: dict[str, Life] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, instance: Instance, *, like: Deployment | None = None) -> Deployment:
        """Deploy the service's settings as they are now, or those of an earlier deployment."""
        environment = self._world.find(Environment, instance.environment_id)
        assert environment is not None  # noqa: S101 - an instance is never without
        deployment = self._world.make(
            Deployment,
            service_id=instance.service.id,
            environment_id=instance.environment_id,
            settings=dict((like or instance).settings),
            source=dict((like or instance).source),
            registry=(like or instance).registry,
            variables=dict(like.variables) if like else rendered(self._world, environment, instance.variables),
            status_at=self._world.clock(),
        )
        life = Life(
            deployment,
            world=self._world,
            runtimes=self._runtimes,
            edge=self._edge,
            switch=self._switch_to,
            sleep=self._sleep,
        )
        self._lives[deployment.id] = life
        self._accompany(life, life.walk)
        return deployment

    def remove(self, deployment: Deployment) -> None:
        """Take it down. What is removed already stays as it is."""
        if deployment.status in {Status.REMOVING, Status.REMOVED}:
            return
        life = self._lives[deployment.id]
        life.become(Status.REMOVING)
        self._accompany(life, life.take_down)

    def cancel(self, deployment: Deployment) -> None:
        """Take it down if it is still under way."""
        if deployment.status.is_under_way:
            self.remove(deployment)

    def restart(self, deployment: Deployment) -> None:
        """Start the same container anew."""
        life = self._lives[deployment.id]
        self._accompany(life, life.restart)

    def crash(self, deployment: Deployment) -> None:
        """End what it runs as if it had failed, once; its restart policy decides what follows."""
        running = self._lives[deployment.id].running
        if running is not None:
            running.crash()

    def give_up(self, deployment: Deployment) -> None:
        """Let it crash for good, whatever its restart policy says."""
        life = self._lives[deployment.id]
        self._accompany(life, life.give_up)

    def of(self, instance: Instance) -> list[Deployment]:
        """The instance's deployments, the oldest first."""
        return list(self._world.of(Deployment, instance))

    async def aclose(self) -> None:
        """End everything, at once."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(life.stop() for life in self._lives.values()))

    def _switch_to(self, deployment: Deployment) -> bool:
        instance = self._world.instance(deployment.service_id, deployment.environment_id)
        others = [] if instance is None else [one for one in self.of(instance) if one is not deployment]
        if any(one.status.is_live and one.sequence > deployment.sequence for one in others):
            # A later one was faster. This one ends its own task, which is the one that asks here.
            asyncio.get_running_loop().call_soon(self.remove, deployment)
            return False
        for other in others:
            if other.sequence < deployment.sequence and (other.status.is_live or other.status.is_under_way):
                self.remove(other)
        return True

    def _accompany(self, life: Life, what: Callable[[], Awaitable[None]]) -> None:
        identifier = life.deployment.id
        earlier = self._tasks.get(identifier)
        if earlier is not None:
            earlier.cancel()

        async def after_the_earlier() -> None:
            if earlier is not None:
                await asyncio.wait({earlier})
            await what()

        self._tasks[identifier] = asyncio.create_task(after_the_earlier())
        self._tasks[identifier].add_done_callback(_say_what_broke)


def _say_what_broke(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a deployment stands still, because of the simulator itself: %r", error)
