"""Branches: copies of their parents with everything in them, passwords too."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from claw_dev.simulators.neon.chains import Chains, Step
from claw_dev.simulators.neon.endpoints import Endpoints
from claw_dev.simulators.neon.problems import exists, limit_exceeded, locked, missing, refused
from claw_dev.simulators.neon.records import Branch, Endpoint, Operation, Project, Role
from claw_dev.simulators.neon.requests import BranchChange, CreateBranch
from claw_dev.simulators.neon.storage import Storage
from claw_dev.simulators.neon.world import World

EMPTY_SIZE = 30_842_880
"""Bytes of a branch in which nobody has written anything."""


@dataclass(frozen=True)
class Made:
    """What a creation answers."""

    branch: Branch
    endpoints: Sequence[Endpoint]
    operations: Sequence[Operation]
    has_plain_uri: bool
    """Whether it is clear which role and database a connection URI would be for."""


class Branches:
    """What can be done with branches. Each raises NeonProblem."""

    def __init__(self, world: World, chains: Chains, storage: Storage, endpoints: Endpoints) -> None:
        self._world = world
        self._chains = chains
        self._storage = storage
        self._endpoints = endpoints

    def create(self, project: Project, request: CreateBranch) -> Made:
        """A copy of the parent, with computes if asked for."""
        wanted = request.branch
        parent = self._parent(project, wanted.parent_id)
        name = wanted.name or self._world.ids.branch()
        is_root = wanted.init_source == "schema-only"
        # A taken name is told before the lock: that is how a repeated creation shows itself.
        self._refuse_taken_name(project, name)
        self._chains.refuse_if_busy(project.id)
        self._refuse_too_many(project, is_root=is_root, is_protected=wanted.protected)
        now = self._world.clock()
        branch = Branch(
            id=self._world.ids.branch(),
            project_id=project.id,
            name=name,
            parent_id=None if is_root else parent.id,
            default=False,
            protected=wanted.protected,
            init_source=wanted.init_source,
            annotation=request.annotation_value,
            roles=self._inherited_roles(parent),
            databases={
                key: replace(database, id=self._world.ids.number()) for key, database in parent.databases.items()
            },
            created_at=now,
            updated_at=now,
            expires_at=wanted.expires_at,
        )
        endpoints = self._endpoints.prepare(project, branch, request.endpoints)
        self._world.branches.put(branch)
        self._world.tallies["branches created"] += 1
        steps = [self._create_step(branch, parent), *(self._endpoints.start_step(endpoint) for endpoint in endpoints)]
        operations = self._chains.start(project.id, steps)
        return Made(branch, endpoints, operations, len(parent.roles) == 1 and len(parent.databases) == 1)

    def update(self, project: Project, branch: Branch, change: BranchChange) -> tuple[Branch, list[Operation]]:
        """Another name or protection. Only protection needs an operation."""
        if change.name is not None and change.name != branch.name:
            self._refuse_taken_name(project, change.name)
        self._chains.refuse_if_busy(project.id)
        if change.protected and not branch.protected:
            self._refuse_too_many_protected(project)
        asked = change.model_dump(exclude_unset=True)
        changes = {field: value for field, value in asked.items() if value is not None or field == "expires_at"}
        changed = self._world.branches.put(replace(branch, updated_at=self._world.clock(), **changes))
        protects = changed.protected != branch.protected
        steps = [Step("timeline_update_protected_config", branch.id)] if protects else []
        return changed, self._chains.start(project.id, steps)

    def delete(self, project: Project, branch: Branch) -> tuple[Branch, list[Operation]]:
        """Remove it with its computes. It is there until the operations have finished."""
        self._refuse_deletion(branch)
        self._chains.refuse_if_busy(project.id)
        endpoints = self._world.endpoints_of(branch.id)

        async def removed() -> None:
            await self._storage.remove_branch(branch)
            for endpoint in endpoints:
                self._world.endpoints.remove(endpoint.id)
            self._world.branches.remove(branch.id)
            self._world.tallies["branches deleted"] += 1
            self._world.tallies["endpoints deleted"] += len(endpoints)

        async def closed() -> None:
            await self._storage.close(branch)

        steps = [Step("suspend_compute", branch.id, endpoint.id, closed) for endpoint in endpoints]
        operations = self._chains.start(project.id, [*steps, Step("delete_timeline", branch.id, effect=removed)])
        return branch, operations

    def _create_step(self, branch: Branch, parent: Branch) -> Step:
        async def created() -> None:
            await self._storage.make_branch(branch, parent, with_rows=branch.init_source == "parent-data")
            current = self._world.branches.now(branch.id) or branch
            size = parent.logical_size if branch.parent_id else EMPTY_SIZE
            ready = replace(current, state="ready", pending_state=None, updated_at=self._world.clock())
            self._world.branches.put(replace(ready, logical_size=size))

        return Step("create_branch", branch.id, effect=created)

    def _inherited_roles(self, parent: Branch) -> dict[str, Role]:
        if not parent.protected:
            return dict(parent.roles)
        roles = {}
        for name, role in parent.roles.items():
            password = self._world.ids.password()
            roles[name] = replace(role, password=password, valid_password=password)
        return roles

    def _parent(self, project: Project, parent_id: str | None) -> Branch:
        parent = self._world.branches.now(parent_id) if parent_id else self._world.default_branch(project.id)
        if parent is None or parent.project_id != project.id:
            raise missing("parent branch")
        if parent.state != "ready":
            raise locked()
        return parent

    def _refuse_taken_name(self, project: Project, name: str) -> None:
        if any(branch.name == name for branch in self._world.branches_of(project.id)):
            raise exists("branch")

    def _refuse_too_many(self, project: Project, *, is_root: bool, is_protected: bool) -> None:
        branches = self._world.branches_of(project.id)
        limits = self._world.limits
        if len(branches) >= limits.branches:
            raise limit_exceeded("branches", limits.branches)
        if is_root and sum(branch.parent_id is None for branch in branches) >= limits.root_branches:
            raise limit_exceeded("root branches", limits.root_branches)
        if is_protected:
            self._refuse_too_many_protected(project)

    def _refuse_too_many_protected(self, project: Project) -> None:
        limit = self._world.limits.protected_branches
        if sum(branch.protected for branch in self._world.branches_of(project.id)) >= limit:
            raise limit_exceeded("protected branches", limit)

    def _refuse_deletion(self, branch: Branch) -> None:
        if branch.default:
            raise refused("cannot delete the default branch")
        if branch.protected:
            raise refused("cannot delete a protected branch")
        if branch.parent_id is None:
            raise refused("cannot delete a root branch")
        if any(other.parent_id == branch.id for other in self._world.branches_of(branch.project_id)):
            raise refused("cannot delete a branch that has children")
