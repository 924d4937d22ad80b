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
interrupted is still seen, and still ours. A suspended or archived database keeps its data behind a role that may not
log in. An advisory lock per instance keeps two operators from working on the same one.

PostgreSQL has no quota per database; `size_bytes` is what the loop can compare with the plan.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, LiteralString
from urllib.parse import quote, urlencode

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from claw_operator.external import (
    ConnectionUrls,
    DesiredDatabase,
    Marked,
    NameTaken,
    ObservedDatabase,
    Owner,
    Transient,
)
from claw_operator.external.postgres.catalog import Facts, Standing, State, everyone, read
from claw_operator.external.postgres.sessions import Connection, Sessions

CONNECTION_LIMIT = 20
"""Connections of one instance's role: a runtime's pool and a person with psql, but not the whole server."""


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

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedDatabase | None:
        """The database as it is now; None when it is not there, was never finished, or the name is a stranger's."""
        async with self._sessions.session(f"look for the database of {owner.name}") as session:
            return self._observed(await read(session, owner))

    async def create(self, desired: DesiredDatabase) -> ObservedDatabase:
        """Make it or finish it. One that is there stays as it is, also a suspended or archived one."""
        owner = desired.owner
        async with self._alone(owner, f"create the database of {owner.name}") as session:
            facts = await read(session, owner)
            if facts.name_is_taken:
                raise NameTaken(
                    f"PostgreSQL has a role or a database {owner.external_name} that does not belong to "
                    f"{owner.namespace}/{owner.name}; rename or remove it"
                )
            if not facts.has_database:
                begin = _CREATE_ROLE if facts.state is None else _CLOSE_ROLE
                await _execute(session, owner, begin, Standing(State.CREATING))
                await _execute(session, owner, _CREATE_DATABASE)
            if not facts.has_database or facts.state in (State.CREATING, State.DELETING):
                await _execute(session, owner, _OPEN_BOTH)
            observed = self._observed(await read(session, owner))
        if observed is None:
            raise Transient(f"the database of {owner.name} vanished while it was being created")
        return observed

    async def issue_credentials(self, owner: Owner) -> ConnectionUrls:
        """Give the role a new password. Sessions that are open stay open."""
        async with self._alone(owner, f"set a password for the database of {owner.name}") as session:
            facts = await read(session, owner)
            if facts.state is not State.COMPLETE or not facts.has_database:
                raise Transient(f"the database of {owner.name} is not open; it has to be created or resumed first")
            password = self._new_password()
            # The server gets, and may log, the SCRAM verifier. The password itself never leaves this process.
            verifier = session.pgconn.encrypt_password(
                password.encode(), owner.external_name.encode(), b"scram-sha-256"
            )
            await _execute(session, owner, "ALTER ROLE {name} PASSWORD {verifier}", verifier=verifier.decode())
        return ConnectionUrls(connection_url(self._admin_url, owner.external_name, password))

    async def adjust(self, desired: DesiredDatabase) -> ObservedDatabase:
        """Nothing: all databases share one server. So `size` is never told, and nobody asks."""
        owner = desired.owner
        async with self._sessions.session(f"look for the database of {owner.name}") as session:
            return self._described(await self._existing(session, owner))

    async def suspend(self, owner: Owner) -> ObservedDatabase:
        """Keep the data; the role can no longer log in, and its sessions end."""
        async with self._alone(owner, f"suspend the database of {owner.name}") as session:
            if (await self._existing(session, owner)).state is State.COMPLETE:
                await _execute(session, owner, _CLOSE_BOTH, Standing(State.SUSPENDED))
            await _end_sessions(session, owner)
            return self._described(await read(session, owner))

    async def resume(self, owner: Owner) -> ObservedDatabase:
        """Let the role log in again, with the password it had; also brings back an archived one."""
        async with self._alone(owner, f"resume the database of {owner.name}") as session:
            if (await self._existing(session, owner)).state in (State.SUSPENDED, State.ARCHIVED):
                await _execute(session, owner, _OPEN_BOTH)
            return self._described(await read(session, owner))

    async def archive(self, owner: Owner, until: datetime) -> None:
        """As suspend; the moment is written into the mark."""
        async with self._alone(owner, f"archive the database of {owner.name}") as session:
            facts = await read(session, owner)
            if not facts.has_database:
                return
            if facts.state is not State.ARCHIVED:
                await _execute(session, owner, _CLOSE_BOTH, Standing(State.ARCHIVED, until))
            await _end_sessions(session, owner)

    async def delete(self, owner: Owner) -> None:
        """Remove database and role. What does not bear our mark is left alone."""
        async with self._alone(owner, f"delete the database of {owner.name}") as session:
            facts = await read(session, owner)
            if facts.state is None:
                return
            await _execute(session, owner, _CLOSE_ROLE, Standing(State.DELETING))
            await _end_sessions(session, owner)
            if facts.has_database:
                await _execute(session, owner, "DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await self._drop_owned(session, owner)
            await _execute(session, owner, "DROP ROLE IF EXISTS {name}")

    async def inventory(self) -> Sequence[Marked]:
        """Every role of ours, whether it has a database or not."""
        async with self._sessions.session("list the databases") as session:
            return await everyone(session)

    async def _existing(self, session: Connection, owner: Owner) -> Facts:
        facts = await read(session, owner)
        if not facts.has_database or facts.state in (State.CREATING, State.DELETING):
            raise Transient(f"the database of {owner.name} is not there; it has to be created first")
        return facts

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

    def _observed(self, facts: Facts) -> ObservedDatabase | None:
        """What the loop is told. Half of a creation is nothing; half of a deletion is still there."""
        unfinished = not facts.has_database or facts.state is State.CREATING
        return None if unfinished and facts.state is not State.DELETING else self._described(facts)

    def _described(self, facts: Facts) -> ObservedDatabase:
        obstacle = _OBSTACLES.get(facts.state, "")
        return ObservedDatabase(
            # The number and not the name: a database that is made again after a loss is another one.
            id=str(facts.database_id or ""),
            host=_host(conninfo_to_dict(self._admin_url)),
            ready=not obstacle,
            message=obstacle,
            size_bytes=facts.size_bytes,
            suspended=facts.state in (State.SUSPENDED, State.ARCHIVED),
        )


_OBSTACLES: Mapping[State | None, str] = {
    State.DELETING: "The database is being deleted.",
    State.SUSPENDED: "The database is suspended.",
    State.ARCHIVED: "The database is archived.",
}


async def _end_sessions(session: Connection, owner: Owner) -> None:
    await session.execute(_END_SESSIONS, {"name": owner.external_name})


async def _execute(
    session: Connection,
    owner: Owner,
    script: LiteralString,
    standing: Standing = Standing(State.COMPLETE),  # noqa: B008 - frozen
    verifier: str = "",
) -> None:
    """Run statements that take no parameters, with the owner's name and mark quoted into them.

    Several statements that are sent together are one transaction.
    """
    values = {
        "name": sql.Identifier(owner.external_name),
        "mark": sql.Literal(standing.comment(owner)),
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
