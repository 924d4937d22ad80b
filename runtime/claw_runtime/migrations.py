"""The schema, brought forward. Never back: an older runtime on a newer schema leaves it alone and says so.

All in one transaction under an advisory lock, so that two runtimes that start at the same moment on one database do
it once, and a crash in the middle leaves nothing.
"""

import asyncio
import logging
import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

log = logging.getLogger(__name__)

FOLDER = "database/runtime"
_LOCK = 0x636C6177  # "claw"


@dataclass(frozen=True)
class Migration:
    """One numbered file of `templates/claw_templates/database/runtime`."""

    version: int
    name: str
    sql: bytes


def migrations() -> tuple[Migration, ...]:
    """All of them, in order. Raises ValueError when the numbers are not 1, 2, 3, …"""
    templates = import_module("claw_templates")
    found = []
    for path in templates.names(FOLDER, ".sql"):
        name = path.rpartition("/")[2]
        number = re.match(r"(\d{4})_[a-z0-9_]+\.sql$", name)
        if number is None:
            raise ValueError(f"{name} is not named like 0001_initial.sql")
        found.append(Migration(int(number[1]), name.removesuffix(".sql"), templates.text(path).encode()))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the files of {FOLDER} are not numbered 1, 2, 3, …")
    return tuple(found)


async def migrate(database: "Database") -> int:
    """Bring the schema up to date and return its version. Raises DatabaseAway."""
    wanted = await asyncio.to_thread(migrations)
    async with database.connection() as connection:
        if await _version(connection) < wanted[-1].version:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
                await _apply(connection, wanted)
        version = await _version(connection)
    if version > wanted[-1].version:
        log.warning("the schema is newer than this runtime", extra={"schema": version, "known": wanted[-1].version})
    return version


async def _version(connection: "Connection") -> int:
    cursor = await connection.execute("select to_regclass('schema_migrations') is not null as exists")
    row = await cursor.fetchone()
    if row is None or not row["exists"]:
        return 0
    cursor = await connection.execute("select coalesce(max(version), 0) as version from schema_migrations")
    row = await cursor.fetchone()
    return int(row["version"]) if row is not None else 0


async def _apply(connection: "Connection", wanted: tuple[Migration, ...]) -> None:
    await connection.execute(
        """create table if not exists schema_migrations (
               version integer primary key, name text not null, applied_at timestamptz not null default now())"""
    )
    done = await _version(connection)
    for migration in wanted[done:]:
        await connection.execute(migration.sql)
        await connection.execute(
            "insert into schema_migrations (version, name) values (%s, %s)", [migration.version, migration.name]
        )
        log.info("schema migrated", extra={"migration": migration.name})
