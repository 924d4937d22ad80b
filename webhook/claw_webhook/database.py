"""The customers database: a pool of connections, and migrations that only go forward.

A migration that was applied is history: it is never edited, a later one corrects it.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

Connection = psycopg.AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]
Parameters = Sequence[object] | Mapping[str, object]

_MIGRATION_LOCK = 0x636C6177  # "claw"; any number will do, as long as all replicas agree on it
_STATEMENT_SECONDS = 15
_FORGOTTEN_SECONDS = 120

logger = logging.getLogger(__name__)


class MigrationChanged(Exception):
    """A migration is not what was applied to this database. The message is for the person who runs the service."""


@asynccontextmanager
async def open_pool(url: str, *, size: int, wait_seconds: float = 3) -> AsyncIterator[Pool]:
    """A pool of at most `size` connections; whoever waits longer than `wait_seconds` for one gets OperationalError."""
    pool: Pool = AsyncConnectionPool(
        url,
        connection_class=psycopg.AsyncConnection[DictRow],
        kwargs={"row_factory": dict_row, "connect_timeout": 5, "application_name": "claw-webhook"},
        configure=_configure,
        # A connection that died with its server is found out here and not by the first event after the outage.
        check=AsyncConnectionPool.check_connection,
        min_size=1,
        max_size=size,
        timeout=wait_seconds,
        # Short: its pauses double, and after an outage nobody should wait for the rest of a long one. Whoever asks for
        # a connection starts the next attempts.
        reconnect_timeout=wait_seconds,
        open=False,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close()


async def _configure(connection: Connection) -> None:
    """Bounds for what a lost peer could otherwise hold for ever: a statement, and the locks of a transaction.

    And all times in UTC: in a zone east of it, the last day of the calendar could not be read back.
    """
    await connection.execute("SET timezone = 'UTC'")
    await connection.execute(f"SET statement_timeout = '{_STATEMENT_SECONDS}s'")
    await connection.execute(f"SET idle_in_transaction_session_timeout = '{_FORGOTTEN_SECONDS}s'")
    await connection.commit()


@asynccontextmanager
async def committing(pool: Pool) -> AsyncIterator[Connection]:
    """A connection on which each statement is committed by itself: one round trip instead of three."""
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        try:
            yield connection
        finally:
            if not connection.closed:
                await connection.set_autocommit(False)


async def fetch_all(connection: Connection, query: LiteralString, parameters: Parameters = ()) -> list[DictRow]:
    """All rows of a query."""
    return await (await connection.execute(query, parameters)).fetchall()


async def fetch_one(connection: Connection, query: LiteralString, parameters: Parameters = ()) -> DictRow | None:
    """The first row of a query, if there is one."""
    return await (await connection.execute(query, parameters)).fetchone()


async def migrate_when_there(pool: Pool, *, patience_seconds: float) -> None:
    """`migrate`, waiting for a database that is still starting. Raises psycopg.OperationalError after that time."""
    deadline = asyncio.get_running_loop().time() + patience_seconds
    while True:
        try:
            return await migrate(pool)
        except psycopg.OperationalError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.5)


async def migrate(pool: Pool) -> None:
    """Bring the schema up to date: all of it or nothing. Safe for any number of processes at once.

    Raises MigrationChanged when the database was made by another version of a migration.
    """
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL)"
        )
        await connection.execute("ALTER TABLE migrations ADD COLUMN IF NOT EXISTS sha256 text")
        rows = await fetch_all(connection, "SELECT name, sha256 FROM migrations")
        applied = {row["name"]: row["sha256"] for row in rows}
        for name, statements in migrations():
            digest = hashlib.sha256(statements).hexdigest()
            if name not in applied:
                await connection.execute(statements)
                await connection.execute("INSERT INTO migrations VALUES (%s, now(), %s)", [name, digest])
                logger.info("migration applied", extra={"migration": name})
            elif applied[name] is None:  # by a version that did not note it
                await connection.execute("UPDATE migrations SET sha256 = %s WHERE name = %s", [digest, name])
            elif applied[name] != digest:
                raise MigrationChanged(
                    f"the database of DATABASE_URL was migrated with another {name} than this version has: start the"
                    " version that made it, or give this one a database of its own"
                )


def migrations() -> list[tuple[str, bytes]]:
    """All migrations in their order: name and statements."""
    folder = files(__package__).joinpath("migrations")
    return sorted((entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".sql"))
