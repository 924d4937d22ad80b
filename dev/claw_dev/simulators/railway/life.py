"""The life of one deployment: it is built, started, checked, switched to, restarted, put to sleep and taken down.

As Railway does, the health check is asked only until the deployment goes live, wants exactly 200, and a deployment
that fails leaves the one before it alone.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from claw_dev.simulators.railway.edge import Edge, Key
from claw_dev.simulators.railway.records import Deployment, Status
from claw_dev.simulators.railway.running import Running, Runtimes
from claw_dev.simulators.railway.sources import build_failure, is_built, pull_failure
from claw_dev.simulators.railway.world import World

_END_BY_THEMSELVES = {Status.QUEUED, Status.WAITING}


class Life:
    """One deployment and what it runs. At most one of its methods may be under way, except `stop`."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        world: World,
        runtimes: Runtimes,
        edge: Edge,
        switch: Callable[[Deployment], bool],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """`switch` is asked when it is ready to go live: it retires the earlier ones, or says that it came too late."""
        self.deployment = deployment
        self.running: Running | None = None
        self._world = world
        self._runtimes = runtimes
        self._edge = edge
        self._switch = switch
        self._sleep = sleep
        self._key: Key = (deployment.service_id, deployment.environment_id)

    def become(self, status: Status) -> None:
        """Be in another state from now on."""
        self.deployment.status = status
        self.deployment.status_at = self._world.clock()

    async def walk(self) -> None:
        """From the request to the end of what it runs."""
        pace, quirks, deployment = self._world.pace, self._world.quirks, self.deployment
        await self._sleep(pace.initializing)
        if quirks.detour is not None:
            self.become(quirks.detour)
            if deployment.status not in _END_BY_THEMSELVES:
                return
            await self._sleep(pace.initializing)
        if is_built(deployment):
            self.become(Status.BUILDING)
            await self._sleep(pace.building)
        if (failure := build_failure(deployment, quirks)) is not None:
            deployment.build_log.extend(failure)
            self.become(Status.FAILED)
            return
        self.become(Status.DEPLOYING)
        deployment.replicas = "CREATED"
        await self._sleep(pace.deploying)
        if (failure := pull_failure(deployment, quirks)) is not None:
            deployment.log.extend(failure)
            await self._end_as(Status.FAILED)
            return
        running = await self._come_up()
        if running is None:
            await self._end_as(Status.FAILED)
            return
        await self._live(running)

    async def restart(self) -> None:
        """Start the same container anew."""
        await self.stop()
        running = await self._come_up()
        if running is None:
            await self._end_as(Status.CRASHED)
            return
        await self._live(running)

    async def take_down(self) -> None:
        """End it. Nobody reaches it as soon as this begins."""
        await self.stop()
        await self._sleep(self._world.pace.removing)
        self.become(Status.REMOVED)

    async def give_up(self) -> None:
        """Crash for good, whatever the restart policy says."""
        await self._end_as(Status.CRASHED)
        self.deployment.replicas = "CRASHED"

    async def stop(self) -> None:
        """End what it runs."""
        self.deployment.replicas = None
        if self.running is None:
            return
        self._edge.leave(self._key, self.running)
        await self.running.stop()
        self.running = None

    async def _end_as(self, status: Status) -> None:
        await self.stop()
        self.become(status)

    async def _start(self) -> Running:
        self.running = await self._runtimes.start(self.deployment)
        self.deployment.replicas = "RUNNING"
        return self.running

    async def _come_up(self) -> Running | None:
        """Start it until it is well, as often as its restart policy allows; None when it never is."""
        path = self.deployment.settings.get("healthcheckPath")
        seconds = self.deployment.settings.get("healthcheckTimeout") or self._world.pace.health_timeout
        deadline = self._world.monotonic() + seconds
        tries = 0
        while True:
            running = await self._start()
            if not path or await self._is_well(running, path, deadline):
                return running
            await self.stop()
            if self._world.monotonic() >= deadline or not self._may_restart(tries, failed=True):
                self.deployment.build_log += ["1/1 replicas never became healthy!", "Healthcheck failed!"]
                return None
            tries += 1
            await self._sleep(self._world.pace.restart)

    async def _is_well(self, running: Running, path: str, deadline: float) -> bool:
        ended = asyncio.ensure_future(running.ended())
        try:
            attempt = 0
            while self._world.monotonic() < deadline and not ended.done():
                attempt += 1
                status = await running.health(path)
                if status == 200:
                    return True
                answered = "service unavailable" if status is None else f"status {status}"
                self.deployment.build_log.append(f"Attempt #{attempt} failed with {answered}")
                await self._sleep(self._world.pace.health_interval)
            return False
        finally:
            await _let_go(ended)

    def _may_restart(self, tries: int, *, failed: bool) -> bool:
        settings: dict[str, Any] = self.deployment.settings
        match settings.get("restartPolicyType"):
            case "ALWAYS":
                return True
            case "NEVER":
                return False
        return failed and tries < (settings.get("restartPolicyMaxRetries") or 0)

    async def _live(self, running: Running) -> None:
        if not self._switch(self.deployment):
            return
        self.become(Status.SUCCESS)
        self._edge.switch(self._key, running)
        tries = 0
        while True:
            code = await self._until_it_ends(running)
            await self.stop()
            if not self._may_restart(tries, failed=code != 0):
                break
            tries += 1
            self.deployment.replicas = "RESTARTING"
            await self._sleep(self._world.pace.restart)
            running = await self._start()
            self._edge.switch(self._key, running)
        if code == 0:
            self.deployment.stopped, self.deployment.replicas = True, "EXITED"
            return
        self.deployment.replicas = "CRASHED"
        self.become(Status.CRASHED)

    async def _until_it_ends(self, running: Running) -> int:
        if not self.deployment.settings.get("sleepApplication"):
            return await running.ended()
        patience = self._world.pace.sleeps_after
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(patience - self._edge.idle(self._key), 0.01)):
                    return await running.ended()
            if self._edge.idle(self._key) >= patience:
                running = await self._nap()

    async def _nap(self) -> Running:
        nap = self._edge.lull(self._key)
        await self.stop()
        self.become(Status.SLEEPING)
        await nap.disturbed.wait()
        running = await self._start()
        path = self.deployment.settings.get("healthcheckPath")
        if path:
            await self._is_well(running, path, self._world.monotonic() + self._world.pace.health_timeout)
        self.become(Status.SUCCESS)
        self._edge.switch(self._key, running)
        return running


async def _let_go(task: asyncio.Future[int]) -> None:
    # Waiting for it, and not awaiting it: its cancellation must not be mistaken for our own, which has to get through.
    task.cancel()
    await asyncio.wait({task})
