"""Branches as real databases and roles of one PostgreSQL server.

A branch's role and database get names of their own there (roles belong to the whole server), a child's database is
`CREATE DATABASE ... TEMPLATE` of its parent's, and its roles have the passwords of the parent's. A branch that lets
nobody in has roles without LOGIN. What was made is removed at the end.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from claw_dev.postgres import with_database
from claw_dev.simulators.neon.records import Branch, Database, Role
from claw_dev.simulators.neon.storage import Place

logger = logging.getLogger(__name__)

Connection = psycopg.AsyncConnection[Any]

_CONNECT_TIMEOUT = 10
_LONGEST_NAME = 63
_SIZES_LAST = 1.0
"""Seconds for which a measurement of all databases is good enough."""


class PostgresStorage:
    """Databases in the server of `admin_url`, a superuser's. Several simulators may share a server."""

    def __init__(self, admin_url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._admin_url = admin_url
        self._monotonic = monotonic
        self._run = secrets.token_hex(3)
        self._databases: dict[str, str] = {}
        """Branch ids by the names of databases that exist."""
        self._roles: set[str] = set()
        self._open: set[str] = set()
        """Ids of branches whose roles may log in."""
        self._sizes: tuple[float, Mapping[str, int]] = (float("-inf"), {})
        # Two changes of the same rows of the catalog would fail instead of waiting for each other.
        self._one_at_a_time = asyncio.Lock()
        server = conninfo_to_dict(admin_url)
        host = str(server.get("hostaddr") or server.get("host") or "127.0.0.1")
        self._address = "127.0.0.1" if host == "localhost" else host
        self._port = int(server.get("port") or 5432)

    def place(self, branch: Branch, role: str, database: str) -> Place:
        """The server's address goes into `hostaddr`, so that the URI's host may be the endpoint's."""
        query = {"hostaddr": self._address, "sslmode": "prefer"}
        return Place(self._name(branch.id, role), self._name(branch.id, database), self._port, query)

    async def make_branch(self, branch: Branch, parent: Branch | None, *, with_rows: bool) -> None:
        """Roles first, closed; then databases. `open` lets somebody in."""
        async with self._changing() as connection:
            for role in branch.roles.values():
                await self._create_role(connection, branch, role)
            for database in branch.databases.values():
                await self._create_database(connection, branch, database, parent)
        if parent is not None:
            for database in branch.databases.values():
                await self._hand_over(branch, database, parent, with_rows=with_rows)

    async def remove_branch(self, branch: Branch) -> None:
        """Databases, then the roles that own them."""
        async with self._changing() as connection:
            for name in [name for name, branch_id in self._databases.items() if branch_id == branch.id]:
                await self._drop_database(connection, name)
            for role in branch.roles:
                await self._drop_role(connection, self._name(branch.id, role))

    async def make_role(self, branch: Branch, role: Role) -> None:
        """It may log in if the branch's others may."""
        async with self._changing() as connection:
            await self._create_role(connection, branch, role)
            if branch.id in self._open:
                await _execute(connection, "ALTER ROLE {role} LOGIN", role=self._name(branch.id, role.name))

    async def set_password(self, branch: Branch, role: Role) -> None:
        """The server gets, and may log, only the verifier."""
        name = self._name(branch.id, role.name)
        async with self._changing() as connection:
            verifier = _verifier(connection, name, role.password)
            await connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
            )
            await self._end_sessions(connection, branch)

    async def remove_role(self, branch: Branch, role: Role) -> None:
        """Its tables go with it."""
        name = self._name(branch.id, role.name)
        for database in branch.databases:
            url = with_database(self._admin_url, self._name(branch.id, database))
            async with await _connected(url) as connection:
                await _execute(connection, "DROP OWNED BY {role}", role=name)
        async with self._changing() as connection:
            await self._drop_role(connection, name)

    async def make_database(self, branch: Branch, database: Database) -> None:
        """An empty one, for its owner."""
        async with self._changing() as connection:
            await self._create_database(connection, branch, database, None)

    async def remove_database(self, branch: Branch, database: Database) -> None:
        """Whoever is connected to it is thrown out."""
        async with self._changing() as connection:
            await self._drop_database(connection, self._name(branch.id, database.name))

    async def open(self, branch: Branch) -> None:
        """Roles may log in."""
        self._open.add(branch.id)
        await self._let_in(branch, "ALTER ROLE {role} LOGIN")

    async def close(self, branch: Branch) -> None:
        """Roles may not log in, and nobody stays."""
        self._open.discard(branch.id)
        await self._let_in(branch, "ALTER ROLE {role} NOLOGIN")
        await self.end_sessions(branch)

    async def end_sessions(self, branch: Branch) -> None:
        """The connections of all its roles are cut."""
        async with await _connected(self._admin_url) as connection:
            await self._end_sessions(connection, branch)

    async def sizes(self) -> Mapping[str, int]:
        """Measured at most once a second."""
        since, sizes = self._sizes
        if self._monotonic() - since < _SIZES_LAST:
            return sizes
        async with await _connected(self._admin_url) as connection:
            cursor = await connection.execute(
                "SELECT datname, pg_database_size(oid) FROM pg_database WHERE datname = ANY(%s)",
                [list(self._databases)],
            )
            sizes = {}
            for name, size in await cursor.fetchall():
                branch_id = self._databases.get(name)
                if branch_id is not None:
                    sizes[branch_id] = sizes.get(branch_id, 0) + size
        self._sizes = (self._monotonic(), sizes)
        return sizes

    async def aclose(self) -> None:
        """Remove every database and role of this run, if the server is still there."""
        if not self._databases and not self._roles:
            return
        try:
            async with self._changing() as connection:
                for database in list(self._databases):
                    await self._drop_database(connection, database)
                for role in list(self._roles):
                    await self._drop_role(connection, role)
        except psycopg.OperationalError:
            # Whoever stops a whole stack may have stopped the server first.
            logger.warning("The PostgreSQL server is gone; databases of the simulated Neon are left in it")

    async def _create_role(self, connection: Connection, branch: Branch, role: Role) -> None:
        name = self._name(branch.id, role.name)
        verifier = _verifier(connection, name, role.valid_password)
        await connection.execute(
            sql.SQL("CREATE ROLE {} NOLOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
        )
        self._roles.add(name)

    async def _create_database(
        self, connection: Connection, branch: Branch, database: Database, parent: Branch | None
    ) -> None:
        name = self._name(branch.id, database.name)
        owner = self._name(branch.id, database.owner_name)
        if parent is None:
            await _execute(connection, "CREATE DATABASE {database} OWNER {owner}", database=name, owner=owner)
        else:
            await self._copy_database(connection, name, owner, self._name(parent.id, database.name))
        self._databases[name] = branch.id
        await _execute(connection, "REVOKE ALL ON DATABASE {database} FROM PUBLIC", database=name)
        for role in branch.roles:  # Neon's API makes every role a neon_superuser, which may do almost everything
            grantee = self._name(branch.id, role)
            await _execute(connection, "GRANT ALL ON DATABASE {database} TO {role}", database=name, role=grantee)

    async def _copy_database(self, connection: Connection, name: str, owner: str, template: str) -> None:
        # PostgreSQL copies no database that somebody is connected to. Neon could; who uses the parent is cut off.
        await _execute(connection, "ALTER DATABASE {template} ALLOW_CONNECTIONS false", template=template)
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [template]
            )
            await _execute(
                connection,
                "CREATE DATABASE {database} OWNER {owner} TEMPLATE {template}",
                database=name,
                owner=owner,
                template=template,
            )
        finally:
            await _execute(connection, "ALTER DATABASE {template} ALLOW_CONNECTIONS true", template=template)

    async def _hand_over(self, branch: Branch, database: Database, parent: Branch, *, with_rows: bool) -> None:
        """Give what the parent's roles own in the copy to the roles of the branch."""
        url = with_database(self._admin_url, self._name(branch.id, database.name))
        async with self._one_at_a_time, await _connected(url) as connection, connection.transaction():
            for role in parent.roles:
                old, new = self._name(parent.id, role), self._name(branch.id, role)
                await _execute(connection, "REASSIGN OWNED BY {old} TO {new}", old=old, new=new)
            # REASSIGN also moves the databases themselves, which are not in any one of them.
            for other in parent.databases.values():
                source, owner = self._name(parent.id, other.name), self._name(parent.id, other.owner_name)
                await _execute(connection, "ALTER DATABASE {source} OWNER TO {owner}", source=source, owner=owner)
            if not with_rows:
                await connection.execute(_TRUNCATE_ALL)

    async def _drop_database(self, connection: Connection, name: str) -> None:
        await _execute(connection, "DROP DATABASE IF EXISTS {database} WITH (FORCE)", database=name)
        self._databases.pop(name, None)

    async def _drop_role(self, connection: Connection, name: str) -> None:
        await _execute(connection, "DROP ROLE IF EXISTS {role}", role=name)
        self._roles.discard(name)

    async def _let_in(self, branch: Branch, statement: LiteralString) -> None:
        async with self._changing() as connection:
            for name in self._roles_of(branch):
                await _execute(connection, statement, role=name)

    async def _end_sessions(self, connection: Connection, branch: Branch) -> None:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ANY(%s)",
            [list(self._roles_of(branch))],
        )

    def _roles_of(self, branch: Branch) -> Iterable[str]:
        """Those that exist in the server: an operation may be about to make the others."""
        return [name for role in branch.roles if (name := self._name(branch.id, role)) in self._roles]

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Connection]:
        async with self._one_at_a_time, await _connected(self._admin_url) as connection:
            yield connection

    def _name(self, branch_id: str, name: str) -> str:
        whole = f"{branch_id}-{self._run}-{name}"
        if len(whole) <= _LONGEST_NAME:
            return whole
        return f"{whole[:46]}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


_TRUNCATE_ALL = """
DO $$
DECLARE tables text;
BEGIN
    SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') INTO tables
    FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema');
    IF tables IS NOT NULL THEN EXECUTE 'TRUNCATE ' || tables || ' CASCADE'; END IF;
END $$
"""


async def _connected(url: str) -> Connection:
    return await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT)


async def _execute(connection: Connection, statement: LiteralString, **names: str) -> None:
    identifiers = {key: sql.Identifier(name) for key, name in names.items()}
    await connection.execute(sql.SQL(statement).format(**identifiers))


def _verifier(connection: Connection, role: str, password: str) -> str:
    return connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
