"""How much of the database is used, and that nothing is written beyond what the plan includes.

Measured when something is about to be written, and at most once a minute; in between, what was written is added up.
So reading costs nothing, and a sleeping database sleeps.

The size of a database never shrinks: what is deleted leaves room in its files. So only while its files are within the
limit do they count as they are. Beyond it, the rows in them count, by a sample of each table's pages: whoever deletes
enough can write again at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

from claw_crds.configuration import PlanConfiguration
from claw_runtime.problems import STORAGE_FULL, Problem

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

EVERY = timedelta(minutes=1)
EVERY_WHEN_FULL = timedelta(seconds=5)
SPARE = 20
"""This part of the limit is kept for what was begun before: the provider refuses that as well, and less politely."""
SAMPLED_PAGES = 500
"""Of one table: enough to know it by a few percent, and read in milliseconds."""

_FILES: LiteralString = "select pg_database_size(current_database()) as bytes"

_TABLES: LiteralString = """
select c.oid::regclass::text as name, pg_total_relation_size(c.oid) as bytes,
       pg_table_size(c.oid) as rows_bytes, pg_relation_size(c.oid) as main_bytes,
       current_setting('block_size')::int as page,
       (select string_agg(format('coalesce(pg_column_size(t.%I), 0)', a.attname), ' + ') from pg_attribute a
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as row_bytes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and n.nspname = current_schema() and pg_relation_size(c.oid) > 0
"""

# PostgreSQL keeps 28 bytes for each row besides its values. The size of a long value is asked for and not the value,
# which may be in another file and is not read.
_SAMPLE: LiteralString = """
select coalesce(sum({row_bytes} + 28), 0) as bytes from {table} t tablesample system ({percent})
"""


@dataclass(frozen=True)
class Measured:
    """What was found out, and when."""

    bytes: int
    at: datetime


class Storage:
    """The database's size against the plan's limit. Raises DatabaseAway where it says so."""

    def __init__(self, database: "Database", clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._measured: Measured | None = None
        self._written = 0

    @property
    def used_bytes(self) -> int | None:
        """As measured last; None before. Never touches the database."""
        return None if self._measured is None else self._measured.bytes + self._written

    async def check(self, plan: PlanConfiguration, adding: int = 0) -> None:
        """To be called before so many bytes are written. Raises Problem when they do not fit, and DatabaseAway."""
        if plan.storage_bytes is None:
            return
        limit = plan.storage_bytes
        room = limit - limit // SPARE
        if self._is_due(room, adding):
            self._measured = Measured(await self._measure(room), self._clock())
            self._written = 0
        used = self.used_bytes or 0
        if used + adding > room:
            raise Problem(
                STORAGE_FULL,
                f"The plan {plan.display_name} includes {_mib(limit)} of storage, and nearly all of it is used. Delete "
                "memories, conversations or files that you no longer need, or choose a larger plan.",
                retry_after=int(EVERY_WHEN_FULL.total_seconds()),
                limit_name="storage",
                limit=limit,
                used=used,
                plan=plan.display_name,
            )
        self._written += adding

    def _is_due(self, room: int, adding: int) -> bool:
        if self._measured is None:
            return True
        age = self._clock() - self._measured.at
        full = self._measured.bytes + self._written + adding > room
        return age >= (EVERY_WHEN_FULL if full else EVERY)

    async def _measure(self, room: int) -> int:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_FILES)
            row = await cursor.fetchone()
            files = int(row["bytes"]) if row is not None else 0
            return files if files <= room else min(files, await self._rows(connection, files))

    async def _rows(self, connection: "Connection", files: int) -> int:
        """The files without the room in them that deleted rows left."""
        from psycopg import sql

        cursor = await connection.execute(_TABLES)
        used = files
        for table in await cursor.fetchall():
            pages = max(1, table["main_bytes"] // table["page"])
            percent = min(100.0, 100.0 * SAMPLED_PAGES / pages)
            sample = sql.SQL(_SAMPLE).format(
                row_bytes=sql.SQL(table["row_bytes"]), table=sql.SQL(table["name"]), percent=sql.Literal(percent)
            )
            row = await (await connection.execute(sample)).fetchone()
            sampled = int(row["bytes"]) if row is not None else 0
            filled = min(1.0, sampled * 100.0 / percent / table["rows_bytes"])
            used -= int(table["bytes"] * (1.0 - filled))
        return used


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
