"""What the server's catalog says of our roles and databases, and how far each one is.

The owner mark in a role's comment is followed by the state, and an archive's state by the moment until which it is
kept:

    claw.dev/instance=claw/ada,uid=…,fleet=…,state=archived,until=2026-12-22T00:00:00Z
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from claw_operator.external import Marked, Owner, Transient
from claw_operator.external.postgres.sessions import Connection


class State(StrEnum):
    """How far a role is."""

    COMPLETE = ""
    CREATING = "creating"
    SUSPENDED = "suspended"
    ARCHIVED = "archived"
    DELETING = "deleting"


@dataclass(frozen=True)
class Standing:
    """A role's state as its comment has it."""

    state: State
    until: datetime | None = None
    """How long an archive is kept."""

    def comment(self, owner: Owner) -> str:
        """What is written onto role and database."""
        text = f"{owner.mark},state={self.state}" if self.state else owner.mark
        return f"{text},until={self.until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if self.until else text

    @classmethod
    def parse(cls, comment: str | None) -> "tuple[Owner, Standing] | None":
        """Whose role it is and how far it is; None when the comment is not one of ours."""
        found = _COMMENT.fullmatch(comment or "")
        owner = Owner.of_mark(found["mark"]) if found is not None else None
        if found is None or owner is None:
            return None
        try:
            until = datetime.fromisoformat(found["until"]) if found["until"] else None
            return owner, cls(State(found["state"] or ""), until)
        except ValueError:
            return None


_COMMENT = re.compile(r"(?P<mark>.+?)(,state=(?P<state>[a-z]+)(,until=(?P<until>[0-9-]+T[0-9:]+Z))?)?")


@dataclass(frozen=True)
class Facts:
    """What the catalog says under one external name."""

    owner: Owner
    role_comment: str | None
    role_exists: bool
    database_id: int | None
    database_is_the_roles: bool
    size_bytes: int | None

    @property
    def state(self) -> State | None:
        """None: there is no role of ours."""
        parsed = Standing.parse(self.role_comment)
        return parsed[1].state if parsed is not None and parsed[0] == self.owner else None

    @property
    def name_is_taken(self) -> bool:
        """Whether a role or a database of our name is somebody else's."""
        strange_role = self.role_exists and self.state is None
        strange_database = self.database_id is not None and not self.database_is_the_roles
        return strange_role or strange_database

    @property
    def has_database(self) -> bool:
        """Whether our database exists, finished or not."""
        return self.state is not None and self.database_is_the_roles


async def read(session: Connection, owner: Owner) -> Facts:
    """The facts under the owner's name. One statement, so they are of one moment."""
    cursor = await session.execute(_ONE, {"name": owner.external_name})
    row = await cursor.fetchone()
    if row is None:
        raise Transient(f"PostgreSQL gave no answer about the database of {owner.name}")
    return Facts(owner, *row)


async def everyone(session: Connection) -> Sequence[Marked]:
    """Every role of ours, with its database's id or without one."""
    cursor = await session.execute(_ALL)
    marked = []
    for name, comment, database_id in await cursor.fetchall():
        parsed = Standing.parse(comment)
        if parsed is not None and parsed[0].external_name == name:
            marked.append(Marked(parsed[0], str(database_id or ""), parsed[1].until))
    return marked


_ONE = """
SELECT shobj_description(r.oid, 'pg_authid'), r.oid IS NOT NULL, d.oid, coalesce(d.datdba = r.oid, false),
       CASE WHEN d.datdba = r.oid THEN pg_database_size(d.oid) END
FROM (SELECT %(name)s::name AS name) AS wanted
LEFT JOIN pg_roles r ON r.rolname = wanted.name
LEFT JOIN pg_database d ON d.datname = wanted.name
"""

_ALL = """
SELECT r.rolname, shobj_description(r.oid, 'pg_authid'), d.oid
FROM pg_roles r
LEFT JOIN pg_database d ON d.datname = r.rolname AND d.datdba = r.oid
WHERE r.rolname LIKE 'claw-%'
ORDER BY r.rolname
"""
