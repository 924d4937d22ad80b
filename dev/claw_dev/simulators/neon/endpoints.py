"""Computes: they are started, fall asleep, and decide whether anybody gets into a branch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from claw_dev.simulators.neon.chains import Chains, Step
from claw_dev.simulators.neon.pace import Pace
from claw_dev.simulators.neon.problems import NeonProblem, exists, limit_exceeded, over_quota
from claw_dev.simulators.neon.records import Branch, Endpoint, Operation, Project
from claw_dev.simulators.neon.requests import EndpointChange, EndpointOptions, NewEndpoint
from claw_dev.simulators.neon.sizes import DEFAULT_SUSPEND_TIMEOUT, check_size, check_suspend_timeout
from claw_dev.simulators.neon.storage import Storage
from claw_dev.simulators.neon.world import READ_WRITE, World

Changed = tuple[Endpoint, list[Operation]]


class Endpoints:
    """What can be done with computes. Each raises NeonProblem."""

    def __init__(self, world: World, chains: Chains, storage: Storage, pace: Pace) -> None:
        self._world = world
        self._chains = chains
        self._storage = storage
        self._pace = pace

    def prepare(self, project: Project, branch: Branch, options: Sequence[EndpointOptions]) -> list[Endpoint]:
        """Computes that are not started yet, for a branch that may be new. Nothing is kept if one is refused."""
        writers = sum(option.type == READ_WRITE for option in options)
        if writers + (self._world.writer_of(branch.id) is not None) > 1:
            raise exists("read-write endpoint")
        if not branch.default:
            self._refuse_if_too_many(project, len(options))
        endpoints = [self._new(project, branch, option) for option in options]
        for endpoint in endpoints:
            self._world.endpoints.put(endpoint)
            self._world.tallies["endpoints created"] += 1
        return endpoints

    def create(self, project: Project, new: NewEndpoint) -> Changed:
        """One more compute."""
        branch = self._world.branch(project.id, new.branch_id)
        self._chains.refuse_if_busy(project.id)
        [endpoint] = self.prepare(project, branch, [new])
        if new.disabled:
            self._change(endpoint.id, disabled=True, state="idle", pending_state=None)
        steps = [] if new.disabled else [self.start_step(endpoint)]
        return self._begin(endpoint, steps)

    def start_step(self, endpoint: Endpoint) -> Step:
        """The operation that starts it."""

        async def started() -> None:
            self._change(endpoint.id, state="active", pending_state=None, awake_until=self._awake_until(endpoint))
            await self.let_in_or_not(endpoint.branch_id)

        return Step("start_compute", endpoint.branch_id, endpoint.id, started)

    def update(self, project: Project, endpoint: Endpoint, change: EndpointChange) -> Changed:
        """Another size, another name, or a lock. A sleeping compute is woken for it and put to sleep again."""
        self._chains.refuse_if_busy(project.id)
        was_active = self._is_active(endpoint)
        check_suspend_timeout(
            change.suspend_timeout_seconds, may_be_chosen=self._world.limits.may_choose_suspend_timeout
        )
        asked: dict[str, Any] = {
            "min_cu": change.autoscaling_limit_min_cu,
            "max_cu": change.autoscaling_limit_max_cu,
            "suspend_timeout_seconds": change.suspend_timeout_seconds,
            "name": change.name,
            "disabled": change.disabled,
        }
        changes = {field: value for field, value in asked.items() if value is not None}
        candidate = replace(endpoint, **changes)
        check_size(candidate.min_cu, candidate.max_cu)
        self._change(endpoint.id, **changes)
        if change.disabled is True and not endpoint.disabled:
            return self._begin(endpoint, [self._suspend_step(endpoint)])
        if change.disabled is False and endpoint.disabled:
            return self._begin(endpoint, [self._settings_step(endpoint)])
        if candidate.disabled:
            return self._begin(endpoint, [])
        settings = self._settings_step(endpoint)
        steps = [settings] if was_active else [self.start_step(endpoint), settings, self._suspend_step(endpoint)]
        return self._begin(endpoint, steps)

    def start(self, project: Project, endpoint: Endpoint) -> Changed:
        """Wake it. One that is awake stays so."""
        self._chains.refuse_if_busy(project.id)
        self._refuse_to_start(project, endpoint)
        if self._is_active(endpoint):
            return endpoint, []
        if not self._world.branch(project.id, endpoint.branch_id).default:
            self._refuse_if_too_many(project, 1)
        self._change(endpoint.id, pending_state="active")
        return self._begin(endpoint, [self.start_step(endpoint)])

    def suspend(self, project: Project, endpoint: Endpoint) -> Changed:
        """Put it to sleep. The next connection wakes it."""
        self._chains.refuse_if_busy(project.id)
        if not self._is_active(endpoint):
            return endpoint, []
        return self._begin(endpoint, [self._suspend_step(endpoint)])

    def restart(self, project: Project, endpoint: Endpoint) -> Changed:
        """Put it to sleep and wake it."""
        self._chains.refuse_if_busy(project.id)
        self._refuse_to_start(project, endpoint)
        return self._begin(endpoint, [self._suspend_step(endpoint), self.start_step(endpoint)])

    def delete(self, project: Project, endpoint: Endpoint) -> Changed:
        """Remove it; without a read-write endpoint nobody gets into the branch."""
        self._chains.refuse_if_busy(project.id)

        async def removed() -> None:
            self._world.endpoints.remove(endpoint.id)
            self._world.tallies["endpoints deleted"] += 1
            await self.let_in_or_not(endpoint.branch_id)

        return self._begin(endpoint, [Step("suspend_compute", endpoint.branch_id, endpoint.id, removed)])

    def quota_step(self, branch: Branch) -> Step:
        """The operation that stops or frees the branch's computes after its project reached or left a quota."""

        async def applied() -> None:
            for endpoint in self._world.endpoints_of(branch.id):
                self._change(endpoint.id, state="idle", pending_state=None, awake_until=None)
            await self.let_in_or_not(branch.id)

        return Step("suspend_compute", branch.id, effect=applied)

    async def let_in_or_not(self, branch_id: str) -> None:
        """Make the data agree with the computes: a disabled one, or a used up quota, lets nobody in."""
        branch = self._world.branches.now(branch_id)
        if branch is None:
            return
        writer = self._world.writer_of(branch_id)
        if writer is None or writer.disabled or self._world.project(branch.project_id).is_over_quota:
            await self._storage.close(branch)
        else:
            await self._storage.open(branch)

    def _new(self, project: Project, branch: Branch, options: EndpointOptions) -> Endpoint:
        defaults = project.endpoint_settings
        smallest = options.autoscaling_limit_min_cu or defaults.get("autoscaling_limit_min_cu", 0.25)
        largest = options.autoscaling_limit_max_cu or defaults.get("autoscaling_limit_max_cu", max(smallest, 2))
        check_size(smallest, largest)
        timeout = options.suspend_timeout_seconds
        check_suspend_timeout(timeout, may_be_chosen=self._world.limits.may_choose_suspend_timeout)
        now = self._world.clock()
        return Endpoint(
            id=self._world.ids.endpoint(),
            project_id=project.id,
            branch_id=branch.id,
            type=options.type,
            region_id=project.region_id,
            min_cu=smallest,
            max_cu=largest,
            suspend_timeout_seconds=defaults.get("suspend_timeout_seconds", 0) if timeout is None else timeout,
            created_at=now,
            updated_at=now,
            pending_state="active",
            settings=options.settings,
        )

    def _suspend_step(self, endpoint: Endpoint) -> Step:
        async def suspended() -> None:
            self._change(endpoint.id, state="idle", pending_state=None, awake_until=None)
            branch = self._world.branches.now(endpoint.branch_id)
            if branch is not None:
                await self._storage.end_sessions(branch)
            await self.let_in_or_not(endpoint.branch_id)

        return Step("suspend_compute", endpoint.branch_id, endpoint.id, suspended)

    def _settings_step(self, endpoint: Endpoint) -> Step:
        async def applied() -> None:
            await self.let_in_or_not(endpoint.branch_id)

        return Step("apply_config", endpoint.branch_id, endpoint.id, applied)

    def _begin(self, endpoint: Endpoint, steps: Sequence[Step]) -> Changed:
        operations = self._chains.start(endpoint.project_id, steps)
        return self._world.endpoint(endpoint.project_id, endpoint.id), operations

    def _change(self, endpoint_id: str, **changes: Any) -> None:
        endpoint = self._world.endpoints.now(endpoint_id)
        if endpoint is not None:
            self._world.endpoints.put(replace(endpoint, updated_at=self._world.clock(), **changes))

    def _is_active(self, endpoint: Endpoint) -> bool:
        return endpoint.state == "active" and not self._world.is_asleep(endpoint)

    def _awake_until(self, endpoint: Endpoint) -> float | None:
        current = self._world.endpoints.now(endpoint.id) or endpoint
        if current.suspend_timeout_seconds < 0:
            return None
        seconds = self._pace.idle_after or current.suspend_timeout_seconds or DEFAULT_SUSPEND_TIMEOUT
        return self._world.monotonic() + seconds

    def _refuse_to_start(self, project: Project, endpoint: Endpoint) -> None:
        if project.is_over_quota:
            raise over_quota()
        if endpoint.disabled:
            raise NeonProblem(422, "endpoint is disabled", "ENDPOINT_DISABLED")

    def _refuse_if_too_many(self, project: Project, more: int) -> None:
        limit = self._world.limits.active_computes
        if more and sum(1 for _ in self._world.awake(project.id)) + more > limit:
            raise limit_exceeded("active endpoints", limit)
