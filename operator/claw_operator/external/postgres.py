"""The postgres driver: a database and a login role per instance, in one PostgreSQL server (14 or later).

Role and database both bear the external name, the role owns the database, and nobody else may connect to it. The
owner mark of record is the comment on the *role*: a role cannot change its own, while an owner may change the
comment on its database. The database is ours when it has our name and our role owns it.

`CREATE DATABASE` cannot be part of a transaction, so a creation is three commits, and the mark says how far it got:

    1. the role, without login, marked "creating"       one transaction: never a role of ours without a mark
    2. the database, owned by the role, refusing all connections
    3. PUBLIC's rights revoked, connections and login allowed, marked as complete     one transaction

Whatever is interrupted, creating once more goes on where it stopped. Until 3 nobody could be in the database, so an
unfinished one counts as not there. A deletion marks the role "deleting" first and drops it last: what it leaves when
interrupted is still seen, and still ours. An advisory lock per instance keeps two operators from working on the same
one.

PostgreSQL has no quota per database; `size_bytes` is what the loop can compare with the plan.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, LiteralString
from urllib.parse import quote, urlencode

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from claw_operator.external import DesiredDatabase, NameTaken, ObservedDatabase, Owner, Transient
from claw_operator.external.postgres_sessions import Connection, Sessions

CONNECTION_LIMIT = 20
"""Connections of one instance's role: a runtime's pool and a person with psql, but not the whole server."""


class _State(StrEnum):
    """How far the role is; the value follows the owner mark in the role's comment."""

    COMPLETE = ""
    CREATING = ",state=creating"
    ARCHIVED = ",state=archived"
    DELETING = ",state=deleting"


@dataclass(frozen=True)
class _Facts:
    """What the server's catalog says under one external name."""

    owner: Owner
    role_comment: str | None
    role_exists: bool
    database_id: int | None
    database_is_the_roles: bool
    size_bytes: int | None

    @property
    def state(self) -> _State | None:
        """None: there is no role of ours."""
        return next((state for state in _State if self.role_comment == self.owner.mark + state), None)

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


class PostgresDriver:
    """Makes databases in the server of `admin_url`, a `postgresql://` URL.

    Its role is a superuser, or has CREATEDB and CREATEROLE. `connections` bounds the sessions to the server,
    `deadline` (seconds) everything that is asked of it.
    """

    name = "postgres"
    poll_seconds = 0.1

    def __init__(
        self,
        admin_url: str,
        *,
        connections: int = 4,
        deadline: float = 60.0,
        new_password: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._admin_url = admin_url
        self._sessions = Sessions(admin_url, size=connections, deadline=deadline)
        self._new_password = new_password

    async def aclose(self) -> None:
        """Close the sessions to the server."""
        await self._sessions.aclose()

    async def observe(self, owner: Owner) -> ObservedDatabase | None:
        """The database; None when it is not there, was never finished, or the name is a stranger's."""
        async with self._sessions.session(f"look for the database of {owner.name}") as session:
            return self._observed(await _read(session, owner))

    async def create(self, desired: DesiredDatabase) -> ObservedDatabase:
        """Make it or finish it; also brings an archived one back to its instance, with its data."""
        owner = desired.owner
        async with self._alone(owner, f"create the database of {owner.name}") as session:
            facts = await _read(session, owner)
            if facts.name_is_taken:
                raise NameTaken(
                    f"PostgreSQL has a role or a database {owner.external_name} that does not belong to "
                    f"{owner.namespace}/{owner.name}; rename or remove it"
                )
            if not facts.has_database:
                begin = _CREATE_ROLE if facts.state is None else _CLOSE_ROLE
                await _execute(session, owner, begin, _State.CREATING)
                await _execute(session, owner, _CREATE_DATABASE)
            if not facts.has_database or facts.state is not _State.COMPLETE:
                await _execute(session, owner, _OPEN_BOTH, _State.COMPLETE)
            observed = self._observed(await _read(session, owner))
        if observed is None:
            raise Transient(f"the database of {owner.name} vanished while it was being created")
        return observed

    async def issue_credentials(self, owner: Owner) -> str:
        """Give the role a new password and return the connection URL. Sessions that are open stay open."""
        async with self._alone(owner, f"set a password for the database of {owner.name}") as session:
            facts = await _read(session, owner)
            if facts.state is not _State.COMPLETE or not facts.has_database:
                raise Transient(f"the database of {owner.name} is not ready; it has to be created first")
            password = self._new_password()
            # The server gets, and may log, the SCRAM verifier. The password itself never leaves this process.
            verifier = session.pgconn.encrypt_password(
                password.encode(), owner.external_name.encode(), b"scram-sha-256"
            )
            await _execute(session, owner, "ALTER ROLE {name} PASSWORD {verifier}", verifier=verifier.decode())
        return connection_url(self._admin_url, owner.external_name, password)

    async def archive(self, owner: Owner) -> None:
        """Keep the data; the role can no longer log in, and its sessions end."""
        async with self._alone(owner, f"archive the database of {owner.name}") as session:
            facts = await _read(session, owner)
            if not facts.has_database:
                return
            await _execute(session, owner, _CLOSE_BOTH, _State.ARCHIVED)
            await _end_sessions(session, owner)

    async def delete(self, owner: Owner) -> None:
        """Remove database and role. What does not bear our mark is left alone."""
        async with self._alone(owner, f"delete the database of {owner.name}") as session:
            facts = await _read(session, owner)
            if facts.state is None:
                return
            await _execute(session, owner, _CLOSE_ROLE, _State.DELETING)
            await _end_sessions(session, owner)
            if facts.has_database:
                await _execute(session, owner, "DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await self._drop_owned(session, owner)
            await _execute(session, owner, "DROP ROLE IF EXISTS {name}")

    async def _drop_owned(self, session: Connection, owner: Owner) -> None:
        """Drop what the role left in databases of others that let it in: it would keep the role from going."""
        await _execute(session, owner, "DROP OWNED BY {name}")
        cursor = await session.execute(_DATABASES_WITH_ITS_OBJECTS, {"name": owner.external_name})
        for (database,) in await cursor.fetchall():
            async with await self._sessions.connect(database) as elsewhere:
                await _execute(elsewhere, owner, "DROP OWNED BY {name}")

    @asynccontextmanager
    async def _alone(self, owner: Owner, task: str) -> AsyncIterator[Connection]:
        """A session while nobody else who asks for the same owner has one. An error ends both."""
        async with self._sessions.session(task) as session:
            lock = {"name": owner.external_name}
            await session.execute("SELECT pg_advisory_lock(hashtextextended(%(name)s, 0))", lock)
            yield session
            await session.execute("SELECT pg_advisory_unlock(hashtextextended(%(name)s, 0))", lock)

    def _observed(self, facts: _Facts) -> ObservedDatabase | None:
        """What the loop is told. Half of a creation is nothing; half of a deletion is still there."""
        if facts.state is _State.DELETING:
            return self._described(facts, "The database is being deleted.")
        if not facts.has_database or facts.state is _State.CREATING:
            return None
        if facts.state is _State.ARCHIVED:
            return self._described(facts, "The database is archived.")
        return self._described(facts)

    def _described(self, facts: _Facts, obstacle: str = "") -> ObservedDatabase:
        return ObservedDatabase(
            # The number and not the name: a database that is made again after a loss is another one.
            id=str(facts.database_id or ""),
            host=_host(conninfo_to_dict(self._admin_url)),
            ready=not obstacle,
            message=obstacle,
            size_bytes=facts.size_bytes,
        )


async def _read(session: Connection, owner: Owner) -> _Facts:
    cursor = await session.execute(_CATALOG, {"name": owner.external_name})
    row = await cursor.fetchone()
    if row is None:
        raise Transient(f"PostgreSQL gave no answer about the database of {owner.name}")
    return _Facts(owner, *row)


async def _end_sessions(session: Connection, owner: Owner) -> None:
    await session.execute(_END_SESSIONS, {"name": owner.external_name})


async def _execute(
    session: Connection, owner: Owner, script: LiteralString, state: _State = _State.COMPLETE, verifier: str = ""
) -> None:
    """Run statements that take no parameters, with the owner's name and mark quoted into them.

    Several statements that are sent together are one transaction.
    """
    values = {
        "name": sql.Identifier(owner.external_name),
        "mark": sql.Literal(owner.mark + state),
        "limit": sql.Literal(CONNECTION_LIMIT),
        "verifier": sql.Literal(verifier),
    }
    await session.execute(sql.SQL(script).format(**values))


def connection_url(admin_url: str, role: str, password: str) -> str:
    """The `postgresql://` URL with which a role reaches the database of its own name in the admin's server."""
    parameters = conninfo_to_dict(admin_url)
    host, port = _host(parameters), str(parameters.get("port") or 5432)
    query: dict[str, object] = {key: value for key, value in parameters.items() if key in _TRUST}
    if host.startswith("/") or "," in host:  # a socket's directory, or several servers
        address, query = "", {"host": host, "port": port, **query}
    else:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    url = f"postgresql://{quote(role, safe='')}:{quote(password, safe='')}@{address}/{quote(role, safe='')}"
    return f"{url}?{urlencode(query, quote_via=quote)}" if query else url


def _host(parameters: Mapping[str, Any]) -> str:
    return str(parameters.get("host") or parameters.get("hostaddr") or "localhost")


# How to trust the server is everybody's business. The admin's own certificate and key are not.
_TRUST = ("sslmode", "sslrootcert", "channel_binding")

_CATALOG = """
SELECT shobj_description(r.oid, 'pg_authid'), r.oid IS NOT NULL, d.oid, coalesce(d.datdba = r.oid, false),
       CASE WHEN d.datdba = r.oid THEN pg_database_size(d.oid) END
FROM (SELECT %(name)s::name AS name) AS wanted
LEFT JOIN pg_roles r ON r.rolname = wanted.name
LEFT JOIN pg_database d ON d.datname = wanted.name
"""

# Whoever is not a superuser can give a database only to a role that it belongs to: hence the GRANT.
_CREATE_ROLE = """
CREATE ROLE {name} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT {limit};
GRANT {name} TO CURRENT_USER;
COMMENT ON ROLE {name} IS {mark}
"""

# From template0, to which nobody connects: a session in template1 would make every creation fail.
_CREATE_DATABASE = """
CREATE DATABASE {name} OWNER {name} TEMPLATE template0 ENCODING 'UTF8' ALLOW_CONNECTIONS false
"""

_OPEN_BOTH = """
REVOKE ALL ON DATABASE {name} FROM PUBLIC;
ALTER DATABASE {name} ALLOW_CONNECTIONS true;
ALTER ROLE {name} LOGIN;
COMMENT ON DATABASE {name} IS {mark};
COMMENT ON ROLE {name} IS {mark}
"""

_CLOSE_ROLE = """
ALTER ROLE {name} NOLOGIN;
COMMENT ON ROLE {name} IS {mark}
"""

_CLOSE_BOTH = """
ALTER ROLE {name} NOLOGIN;
COMMENT ON DATABASE {name} IS {mark};
COMMENT ON ROLE {name} IS {mark}
"""

_END_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %(name)s::name
"""

_DATABASES_WITH_ITS_OBJECTS = """
SELECT DISTINCT d.datname
FROM pg_shdepend s
JOIN pg_roles r ON s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
JOIN pg_database d ON s.dbid = d.oid
WHERE r.rolname = %(name)s::name AND d.datallowconn AND d.datname <> current_database()
"""
