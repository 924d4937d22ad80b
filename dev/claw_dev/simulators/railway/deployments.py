"""What becomes of a deployment: it walks its states, is switched to, crashes, sleeps and is removed.

One task walks with each deployment. As Railway does, the health check is asked only until the deployment goes live,
wants exactly 200, and a deployment that fails leaves the one before it alone.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from claw_dev.simulators.railway.configuration import rendered
from claw_dev.simulators.railway.edge import Edge
from claw_dev.simulators.railway.records import Deployment, Environment, Instance, Status
from claw_dev.simulators.railway.running import Running, Runtimes
from claw_dev.simulators.railway.sources import build_failure, is_built, pull_failure
from claw_dev.simulators.railway.world import World

_WAITS = {Status.QUEUED, Status.WAITING}


class Deployments:
    """All deployments that are under way or run."""

    def __init__(
        self, world: World, runtimes: Runtimes, edge: Edge, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._world = world
        self._runtimes = runtimes
        self._edge = edge
        self._sleep = sleep
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, Running] = {}

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
        self._accompany(deployment, self._walk(deployment))
        return deployment

    def remove(self, deployment: Deployment) -> None:
        """Take it down. What is removed already stays as it is."""
        if deployment.status not in {Status.REMOVING, Status.REMOVED}:
            self._become(deployment, Status.REMOVING)
            self._accompany(deployment, self._take_down(deployment))

    def cancel(self, deployment: Deployment) -> None:
        """Take it down if it is still under way."""
        if deployment.status.is_under_way:
            self.remove(deployment)

    def restart(self, deployment: Deployment) -> None:
        """Start the same container anew."""
        self._accompany(deployment, self._restart(deployment))

    def crash(self, deployment: Deployment) -> None:
        """End what it runs as if it had failed, once."""
        if (running := self._running.get(deployment.id)) is not None:
            running.crash()

    def give_up(self, deployment: Deployment) -> None:
        """Let it be CRASHED for good, whatever its restart policy says."""
        self._accompany(deployment, self._end_as(deployment, Status.CRASHED))

    def of(self, instance: Instance) -> list[Deployment]:
        """The instance's deployments, the oldest first."""
        return list(self._world.of(Deployment, instance))

    async def aclose(self) -> None:
        """End everything, at once."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(running.stop() for running in self._running.values()))
        self._running.clear()

    def _accompany(self, deployment: Deployment, life: Coroutine[Any, Any, None]) -> None:
        if (earlier := self._tasks.pop(deployment.id, None)) is not None:
            earlier.cancel()
        task = asyncio.create_task(life)
        self._tasks[deployment.id] = task

        def forget(done: asyncio.Task[None]) -> None:
            if self._tasks.get(deployment.id) is done:
                del self._tasks[deployment.id]

        task.add_done_callback(forget)

    def _become(self, deployment: Deployment, status: Status) -> None:
        deployment.status = status
        deployment.status_at = self._world.clock()

    async def _walk(self, deployment: Deployment) -> None:
        pace, quirks = self._world.pace, self._world.quirks
        await self._sleep(pace.initializing)
        if (detour := quirks.detour) is not None:
            self._become(deployment, detour)
            if detour not in _WAITS:
                return None
            await self._sleep(pace.initializing)
        if is_built(deployment):
            self._become(deployment, Status.BUILDING)
            await self._sleep(pace.building)
        if (failure := build_failure(deployment, quirks)) is not None:
            deployment.build_log.extend(failure)
            return self._become(deployment, Status.FAILED)
        self._become(deployment, Status.DEPLOYING)
        deployment.replicas = "CREATED"
        await self._sleep(pace.deploying)
        if (failure := pull_failure(deployment, quirks)) is not None:
            deployment.log.extend(failure)
            deployment.replicas = None
            return self._become(deployment, Status.FAILED)
        running = await self._start(deployment)
        if not await self._is_healthy(deployment, running):
            await self._fail(deployment)
            return None
        self._switch_to(deployment, running)
        return await self._supervise(deployment, running)

    async def _restart(self, deployment: Deployment) -> None:
        await self._stop(deployment)
        running = await self._start(deployment)
        self._switch_to(deployment, running)
        await self._supervise(deployment, running)

    async def _start(self, deployment: Deployment) -> Running:
        running = await self._runtimes.start(deployment)
        self._running[deployment.id] = running
        deployment.replicas = "RUNNING"
        return running

    async def _is_healthy(self, deployment: Deployment, running: Running) -> bool:
        path = deployment.settings.get("healthcheckPath")
        if not path:
            return True
        seconds = deployment.settings.get("healthcheckTimeout") or self._world.pace.health_timeout
        deadline = self._world.monotonic() + seconds
        attempt = 0
        while self._world.monotonic() < deadline:
            attempt += 1
            status = await running.health(path)
            if status == 200:
                return True
            answered = "service unavailable" if status is None else f"status {status}"
            deployment.build_log.append(f"Attempt #{attempt} failed with {answered}")
            await self._sleep(self._world.pace.health_interval)
        deployment.build_log.append("1/1 replicas never became healthy!")
        deployment.build_log.append("Healthcheck failed!")
        return False

    async def _fail(self, deployment: Deployment) -> None:
        await self._stop(deployment)
        self._become(deployment, Status.FAILED)

    async def _end_as(self, deployment: Deployment, status: Status) -> None:
        await self._stop(deployment)
        deployment.replicas = "CRASHED"
        self._become(deployment, status)

    def _switch_to(self, deployment: Deployment, running: Running) -> None:
        key = (deployment.service_id, deployment.environment_id)
        instance = self._world.instance(*key)
        others = [] if instance is None else [one for one in self.of(instance) if one is not deployment]
        if any(one.status.is_live and one.sequence > deployment.sequence for one in others):
            # A later one was faster: this one is not switched to any more.
            asyncio.get_running_loop().call_soon(self.remove, deployment)
            return
        self._become(deployment, Status.SUCCESS)
        self._edge.switch(key, running)
        for other in others:
            if other.sequence < deployment.sequence and (other.status.is_live or other.status.is_under_way):
                self.remove(other)

    async def _supervise(self, deployment: Deployment, running: Running) -> None:
        tries = 0
        while True:
            code = await self._until_it_ends(deployment, running)
            policy = deployment.settings.get("restartPolicyType") or "ON_FAILURE"
            self._edge.leave((deployment.service_id, deployment.environment_id), running)
            if code == 0 and policy != "ALWAYS":
                deployment.stopped, deployment.replicas = True, "EXITED"
                return
            if policy == "NEVER" or tries >= (deployment.settings.get("restartPolicyMaxRetries") or 0):
                deployment.replicas = "CRASHED"
                self._become(deployment, Status.CRASHED)
                return
            tries += 1
            deployment.replicas = "RESTARTING"
            await self._sleep(self._world.pace.restart)
            running = await self._start(deployment)
            self._edge.switch((deployment.service_id, deployment.environment_id), running)

    async def _until_it_ends(self, deployment: Deployment, running: Running) -> int:
        if not deployment.settings.get("sleepApplication"):
            return await running.ended()
        key = (deployment.service_id, deployment.environment_id)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(self._world.pace.sleeps_after - self._edge.idle(key), 0.01)):
                    return await running.ended()
            if self._edge.idle(key) < self._world.pace.sleeps_after:
                continue
            nap = self._edge.lull(key)
            await self._stop(deployment)
            self._become(deployment, Status.SLEEPING)
            await nap.disturbed.wait()
            running = await self._start(deployment)
            await self._is_healthy(deployment, running)
            self._become(deployment, Status.SUCCESS)
            self._edge.switch(key, running)

    async def _take_down(self, deployment: Deployment) -> None:
        self._edge.leave((deployment.service_id, deployment.environment_id), self._running.get(deployment.id))
        await self._stop(deployment)
        await self._sleep(self._world.pace.removing)
        self._become(deployment, Status.REMOVED)

    async def _stop(self, deployment: Deployment) -> None:
        deployment.replicas = None
        if (running := self._running.pop(deployment.id, None)) is not None:
            self._edge.leave((deployment.service_id, deployment.environment_id), running)
            await running.stop()
