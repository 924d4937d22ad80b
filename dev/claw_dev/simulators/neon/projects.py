"""Projects: each comes with a default branch, a compute, a role and a database."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from claw_dev.simulators.neon.branches import EMPTY_SIZE, Made
from claw_dev.simulators.neon.chains import Chains, Step
from claw_dev.simulators.neon.endpoints import Endpoints
from claw_dev.simulators.neon.problems import limit_exceeded, refused
from claw_dev.simulators.neon.records import Branch, Database, Operation, Project, Role
from claw_dev.simulators.neon.requests import EndpointOptions, NewProject, ProjectChange
from claw_dev.simulators.neon.storage import Storage
from claw_dev.simulators.neon.world import READ_WRITE, World


class Projects:
    """What can be done with projects. Each raises NeonProblem."""

    def __init__(self, world: World, chains: Chains, storage: Storage, endpoints: Endpoints) -> None:
        self._world = world
        self._chains = chains
        self._storage = storage
        self._endpoints = endpoints

    def create(self, new: NewProject, org_id: str, *, project_id: str | None = None) -> tuple[Project, Made]:
        """A project with everything that a client needs. Its name may exist already."""
        owned = sum(project.org_id == org_id for project in self._world.projects.all_now())
        if owned >= self._world.limits.projects:
            raise limit_exceeded("projects", self._world.limits.projects)
        now = self._world.clock()
        identifier = project_id or self._world.ids.project()
        project = Project(
            id=identifier,
            name=new.name or identifier,
            org_id=org_id,
            region_id=new.region_id,
            pg_version=new.pg_version,
            store_passwords=new.store_passwords,
            endpoint_settings=new.default_endpoint_settings,
            settings=new.settings,
            history_retention_seconds=new.history_retention_seconds,
            created_at=now,
            updated_at=now,
        )
        self._world.projects.put(project)
        self._world.tallies["projects created"] += 1
        branch = self._world.branches.put(self._first_branch(project, new))
        [endpoint] = self._endpoints.prepare(project, branch, [EndpointOptions(type=READ_WRITE)])
        steps = [self._create_step(branch), self._endpoints.start_step(endpoint)]
        operations = self._chains.start(project.id, steps)
        return project, Made(branch, [endpoint], operations, has_plain_uri=True)

    def update(self, project: Project, change: ProjectChange) -> tuple[Project, list[Operation]]:
        """Another name, other settings. What is not named in them stays."""
        self._chains.refuse_if_busy(project.id)
        kept = change.history_retention_seconds
        changed = replace(
            project,
            name=change.name or project.name,
            settings=_merged(project.settings, change.settings),
            endpoint_settings=_merged(project.endpoint_settings, change.default_endpoint_settings),
            history_retention_seconds=project.history_retention_seconds if kept is None else kept,
            updated_at=self._world.clock(),
        )
        self._world.projects.put(changed)
        if changed.is_over_quota == project.is_over_quota:
            return changed, []
        return changed, self._chains.start(project.id, self._quota_steps(project.id))

    def delete(self, project: Project) -> Project:
        """Remove it with everything in it, at once."""
        self._chains.refuse_if_busy(project.id)
        branches = self._world.branches_of(project.id)
        if any(branch.protected for branch in branches):
            raise refused("cannot delete a project that has protected branches")
        for branch in branches:
            for endpoint in self._world.endpoints_of(branch.id):
                self._world.endpoints.remove(endpoint.id)
                self._world.tallies["endpoints deleted"] += 1
            self._world.branches.remove(branch.id)
            self._world.tallies["branches deleted"] += 1
        self._world.projects.remove(project.id)
        self._world.tallies["projects deleted"] += 1

        async def removed() -> None:
            for branch in branches:
                await self._storage.remove_branch(branch)

        self._chains.start(project.id, [Step("tenant_detach", None, effect=removed)])
        return project

    def use(self, project: Project, used: Mapping[str, int]) -> None:
        """Let the project have used that much in this billing period; at a limit all its computes stop."""
        changed = replace(project, used={**project.used, **used})
        self._chains.refuse_if_busy(project.id)
        self._world.projects.put(changed)
        if changed.is_over_quota != project.is_over_quota:
            self._chains.start(project.id, self._quota_steps(project.id))

    def _quota_steps(self, project_id: str) -> list[Step]:
        return [self._endpoints.quota_step(branch) for branch in self._world.branches_of(project_id)]

    def _first_branch(self, project: Project, new: NewProject) -> Branch:
        now, password = self._world.clock(), self._world.ids.password()
        wanted = new.branch
        role = Role(wanted.role_name or f"{wanted.database_name}_owner", now, now, password, password)
        database = Database(self._world.ids.number(), wanted.database_name, role.name, now, now)
        self._world.tallies["branches created"] += 1
        return Branch(
            id=self._world.ids.branch(),
            project_id=project.id,
            name=wanted.name,
            parent_id=None,
            default=True,
            protected=False,
            init_source="parent-data",
            annotation=wanted.annotations,
            roles={role.name: role},
            databases={database.name: database},
            created_at=now,
            updated_at=now,
        )

    def _create_step(self, branch: Branch) -> Step:
        async def created() -> None:
            await self._storage.make_branch(branch, None, with_rows=False)
            current = self._world.branches.now(branch.id) or branch
            self._world.branches.put(replace(current, state="ready", pending_state=None, logical_size=EMPTY_SIZE))

        return Step("create_timeline", branch.id, effect=created)


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        both_are_maps = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if both_are_maps else value
    return merged
