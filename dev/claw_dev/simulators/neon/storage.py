"""Where the data of branches is. Without a PostgreSQL server: nowhere, and URIs lead nobody anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from claw_dev.simulators.neon.records import Branch, Database, Role


@dataclass(frozen=True)
class Place:
    """How a database is reached, beside host and password."""

    user: str
    database: str
    port: int | None
    query: Mapping[str, str]


class Storage(Protocol):
    """Makes databases and roles of branches. Raises whatever its server raises."""

    async def make_branch(self, branch: Branch, parent: Branch | None, *, with_rows: bool) -> None:
        """Its roles, and its databases as copies of the parent's."""
        ...

    async def remove_branch(self, branch: Branch) -> None:
        """Everything of it."""
        ...

    async def make_role(self, branch: Branch, role: Role) -> None:
        """One more role."""
        ...

    async def set_password(self, branch: Branch, role: Role) -> None:
        """From now on `role.password` lets in; whoever was connected is thrown out."""
        ...

    async def remove_role(self, branch: Branch, role: Role) -> None:
        """And what it owns."""
        ...

    async def make_database(self, branch: Branch, database: Database) -> None:
        """An empty one."""
        ...

    async def remove_database(self, branch: Branch, database: Database) -> None:
        """And everything in it."""
        ...

    async def open(self, branch: Branch) -> None:
        """Let its roles in."""
        ...

    async def close(self, branch: Branch) -> None:
        """Let nobody in, and throw out who is in."""
        ...

    async def end_sessions(self, branch: Branch) -> None:
        """Throw out who is in."""
        ...

    async def sizes(self) -> Mapping[str, int]:
        """Bytes by branch id, of those that are known."""
        ...

    def place(self, branch: Branch, role: str, database: str) -> Place:
        """How a database is reached."""
        ...

    async def aclose(self) -> None:
        """Remove everything that was made."""
        ...


class Nowhere:
    """No data at all. Every empty branch says the size of a fresh PostgreSQL."""

    async def make_branch(self, branch: Branch, parent: Branch | None, *, with_rows: bool) -> None:
        """Nothing to do."""

    async def remove_branch(self, branch: Branch) -> None:
        """Nothing to do."""

    async def make_role(self, branch: Branch, role: Role) -> None:
        """Nothing to do."""

    async def set_password(self, branch: Branch, role: Role) -> None:
        """Nothing to do."""

    async def remove_role(self, branch: Branch, role: Role) -> None:
        """Nothing to do."""

    async def make_database(self, branch: Branch, database: Database) -> None:
        """Nothing to do."""

    async def remove_database(self, branch: Branch, database: Database) -> None:
        """Nothing to do."""

    async def open(self, branch: Branch) -> None:
        """Nothing to do."""

    async def close(self, branch: Branch) -> None:
        """Nothing to do."""

    async def end_sessions(self, branch: Branch) -> None:
        """Nothing to do."""

    async def sizes(self) -> Mapping[str, int]:
        """Nothing is known."""
        return {}

    def place(self, branch: Branch, role: str, database: str) -> Place:
        """As at Neon."""
        return Place(role, database, None, {"sslmode": "require", "channel_binding": "require"})

    async def aclose(self) -> None:
        """Nothing to do."""
