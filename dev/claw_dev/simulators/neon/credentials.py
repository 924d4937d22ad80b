"""Roles, their passwords, databases, and the URIs that lead to them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import quote, urlencode

from claw_dev.simulators.neon.chains import Chains, Step
from claw_dev.simulators.neon.problems import exists, missing, no_passwords_stored, refused
from claw_dev.simulators.neon.records import Branch, Database, Endpoint, Operation, Project, Role
from claw_dev.simulators.neon.requests import NewDatabase
from claw_dev.simulators.neon.storage import Storage
from claw_dev.simulators.neon.world import World

PER_BRANCH = 500
"""Roles, and as many databases, that one branch may have."""


def host_of(endpoint: Endpoint, *, pooled: bool = False) -> str:
    """The compute's host name; nobody's DNS knows it."""
    return f"{endpoint.id}{'-pooler' if pooled else ''}.{endpoint.region_id.removeprefix('aws-')}.aws.simulated"


class Credentials:
    """What can be done with roles and databases. Each raises NeonProblem."""

    def __init__(self, world: World, chains: Chains, storage: Storage) -> None:
        self._world = world
        self._chains = chains
        self._storage = storage

    def role(self, branch: Branch, name: str) -> Role:
        """The role."""
        if name not in branch.roles:
            raise missing("role")
        return branch.roles[name]

    def database(self, branch: Branch, name: str) -> Database:
        """The database."""
        if name not in branch.databases:
            raise missing("database")
        return branch.databases[name]

    def reveal(self, project: Project, branch: Branch, name: str) -> str:
        """The role's password as it was told last."""
        role = self.role(branch, name)
        if not project.store_passwords:
            raise no_passwords_stored()
        return role.password

    def reset(self, branch: Branch, name: str) -> tuple[Role, list[Operation]]:
        """A new password. It lets nobody in, and the old one does, until the operation has finished."""
        role = self.role(branch, name)
        self._chains.refuse_if_busy(branch.project_id)
        renewed = replace(role, password=self._world.ids.password(), updated_at=self._world.clock())
        self._put(branch, renewed)
        self._world.tallies["passwords reset"] += 1

        async def applied() -> None:
            await self._storage.set_password(branch, renewed)
            self._put(branch, replace(renewed, valid_password=renewed.password))

        return renewed, self._chains.start(branch.project_id, [self._apply(branch, applied)])

    def create_role(self, branch: Branch, name: str) -> tuple[Role, list[Operation]]:
        """One more role, with a password."""
        if name in branch.roles:
            raise exists("role")
        self._chains.refuse_if_busy(branch.project_id)
        if len(branch.roles) >= PER_BRANCH:
            raise refused("roles limit exceeded", "ROLES_LIMIT_EXCEEDED")
        now, password = self._world.clock(), self._world.ids.password()
        role = Role(name, now, now, password, password)
        self._put(branch, role)

        async def made() -> None:
            await self._storage.make_role(branch, role)
            await self._storage.end_sessions(branch)

        return role, self._chains.start(branch.project_id, [self._apply(branch, made)])

    def delete_role(self, branch: Branch, role: Role) -> tuple[Role, list[Operation]]:
        """Remove it."""
        self._chains.refuse_if_busy(branch.project_id)
        if any(database.owner_name == role.name for database in branch.databases.values()):
            raise refused("cannot delete a role that owns databases")
        kept = {name: other for name, other in branch.roles.items() if name != role.name}
        self._world.branches.put(replace(branch, roles=kept))

        async def removed() -> None:
            await self._storage.remove_role(branch, role)

        return role, self._chains.start(branch.project_id, [self._apply(branch, removed)])

    def create_database(self, branch: Branch, new: NewDatabase) -> tuple[Database, list[Operation]]:
        """An empty database."""
        if new.name in branch.databases:
            raise exists("database")
        self.role(branch, new.owner_name)
        self._chains.refuse_if_busy(branch.project_id)
        if len(branch.databases) >= PER_BRANCH:
            raise refused("databases limit exceeded", "DATABASES_LIMIT_EXCEEDED")
        now = self._world.clock()
        database = Database(self._world.ids.number(), new.name, new.owner_name, now, now)
        self._world.branches.put(replace(branch, databases={**branch.databases, new.name: database}))

        async def made() -> None:
            await self._storage.make_database(branch, database)

        return database, self._chains.start(branch.project_id, [self._apply(branch, made)])

    def delete_database(self, branch: Branch, database: Database) -> tuple[Database, list[Operation]]:
        """Remove it with everything in it."""
        self._chains.refuse_if_busy(branch.project_id)
        kept = {name: other for name, other in branch.databases.items() if name != database.name}
        self._world.branches.put(replace(branch, databases=kept))

        async def removed() -> None:
            await self._storage.remove_database(branch, database)

        return database, self._chains.start(branch.project_id, [self._apply(branch, removed)])

    def uri(self, branch: Branch, endpoint: Endpoint, role: Role, database: Database, *, pooled: bool = False) -> str:
        """How a client connects. Without stored passwords it has none."""
        place = self._storage.place(branch, role.name, database.name)
        stored = self._world.project(branch.project_id).store_passwords
        user = quote(place.user, safe="") + (f":{quote(role.password, safe='')}" if stored else "")
        port = f":{place.port}" if place.port else ""
        host = host_of(endpoint, pooled=pooled)
        return f"postgresql://{user}@{host}{port}/{quote(place.database, safe='')}?{urlencode(place.query)}"

    def lets_in(self, branch_id: str, role_name: str, password: str) -> bool:
        """Whether somebody who knows the password gets in now."""
        branch = self._world.branches.now(branch_id)
        writer = self._world.writer_of(branch_id)
        if branch is None or writer is None or writer.disabled or branch.state != "ready":
            return False
        role = branch.roles.get(role_name)
        is_open = not self._world.project(branch.project_id).is_over_quota
        return is_open and role is not None and role.valid_password == password

    def _apply(self, branch: Branch, effect: Callable[[], Awaitable[None]]) -> Step:
        writer = self._world.writer_of(branch.id)
        return Step("apply_config", branch.id, writer.id if writer else None, effect)

    def _put(self, branch: Branch, role: Role) -> None:
        current = self._world.branches.now(branch.id)
        if current is not None:
            self._world.branches.put(replace(current, roles={**current.roles, role.name: role}))
