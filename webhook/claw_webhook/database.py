"""The customers database: a pool of connections, and migrations that only go forward."""

import asyncio
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
    """Bring the schema up to date: all of it or nothing. Safe for any number of processes at once."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL)"
        )
        applied = {row["name"] for row in await fetch_all(connection, "SELECT name FROM migrations")}
        for name, statements in _migrations():
            if name in applied:
                continue
            await connection.execute(statements)
            await connection.execute("INSERT INTO migrations VALUES (%s, now())", [name])
            logger.info("migration applied", extra={"migration": name})


def _migrations() -> list[tuple[str, bytes]]:
    folder = files(__package__).joinpath("migrations")
    return sorted((entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".sql"))
