"""Everything that is a customer's in an instance's database, as one zip archive.

It is read from the database itself and not from the runtime, so it works while the compute is stopped, for as long as
the data is kept. Tables are not listed here: whatever the schema holds when somebody asks is in the archive, each table
as one JSON object a line, except the workspace, whose files are files again.

Never in it: what would let its holder in somewhere. The runtime's configuration (hashes of keys) stays out as a whole,
and so does every column that is called a secret.
"""

import asyncio
import re
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

_Connection = psycopg.AsyncConnection[TupleRow]

_CONNECT_SECONDS = 30
"""A database that sleeps needs a moment to wake."""
_STATEMENT_SECONDS = 600
_BATCH = 2**16
_LARGE = 100 * 2**20
"""Rows of a table of this size may be gigabytes as text: PostgreSQL compresses, and zip must know beforehand."""

_WORKSPACE = "workspace_files"
_KEPT_BACK = frozenset({"configuration", "schema_migrations"})
_SECRET = re.compile(r"(^|_)(secret|password|credential|token|hash|sha256|api_key|private_key)s?(_|$)")
_HARMLESS_TYPES = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric", "bool", "date", "timestamptz"})
"""Of these types a column is a number about tokens, never a token."""
_DERIVED_TYPES = frozenset({"tsvector"})

_README = """\
This is everything that your assistant kept for you, as of {now:%Y-%m-%d %H:%M} UTC.

workspace/      the files of your assistant's workspace, as they are
data/*.jsonl    one file for each kind of thing, one JSON object a line:
{tables}

Not in here: passwords, keys and their hashes.
"""


@dataclass(frozen=True)
class _Table:
    schema: str
    name: str
    columns: tuple[str, ...]
    bytes: int

    @property
    def path(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


async def archive(url: str, now: datetime) -> AsyncGenerator[bytes, None]:
    """The archive of the database at that URL, piece by piece, all of it as of one moment.

    Raises psycopg.OperationalError before the first piece when the database does not answer.
    """
    connection = await psycopg.AsyncConnection.connect(
        url, connect_timeout=_CONNECT_SECONDS, application_name="claw-export", client_encoding="utf8"
    )
    async with connection:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        await connection.execute(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'")
        await connection.execute("SET LOCAL TIME ZONE 'UTC'")
        tables = await _tables(connection)
        async with aclosing(_zipped(connection, tables, now)) as pieces:
            async for piece in pieces:
                if piece:
                    yield piece


async def _zipped(connection: _Connection, tables: list[_Table], now: datetime) -> AsyncGenerator[bytes, None]:
    outgoing = _Outgoing()
    stamp = now.timetuple()[:6]
    with zipfile.ZipFile(outgoing, "w", zipfile.ZIP_DEFLATED) as opened:
        names = "\n".join(f"                {table.path}" for table in tables if table.name != _WORKSPACE)
        opened.writestr(_info("README.txt", stamp), _README.format(now=now, tables=names))
        for table in tables:
            if table.name == _WORKSPACE:
                async for path, content in _files(connection, table):
                    await asyncio.to_thread(opened.writestr, _info(f"workspace/{_safe(path)}", stamp), content)
                    yield outgoing.take()
                continue
            info = _info(f"data/{table.path}.jsonl", stamp)
            with opened.open(info, "w", force_zip64=table.bytes > _LARGE) as entry:
                async for batch in _batches(connection, table):
                    await asyncio.to_thread(entry.write, batch)  # compression would hold up everybody else
                    yield outgoing.take()
    yield outgoing.take()


async def _tables(connection: _Connection) -> list[_Table]:
    cursor = await connection.execute(
        """
        SELECT nspname, relname, pg_total_relation_size(pg_class.oid),
            array_agg(attname ORDER BY attnum), array_agg(typname ORDER BY attnum)
        FROM pg_class
            JOIN pg_namespace ON pg_namespace.oid = relnamespace
            JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
            JOIN pg_type ON pg_type.oid = atttypid
        WHERE relkind IN ('r', 'p') AND NOT relispartition
            AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
            AND has_table_privilege(pg_class.oid, 'SELECT')
        GROUP BY nspname, relname, pg_class.oid
        ORDER BY nspname, relname
        """
    )
    return [
        _Table(schema, name, tuple(map(str, _shown(columns, types))), size)
        async for schema, name, size, columns, types in cursor
        if name not in _KEPT_BACK
    ]


def _shown(columns: list[str], types: list[str]) -> list[str]:
    return [
        column
        for column, kind in zip(columns, types, strict=True)
        if kind not in _DERIVED_TYPES and (kind in _HARMLESS_TYPES or not _SECRET.search(column))
    ]


async def _batches(connection: _Connection, table: _Table) -> AsyncIterator[bytes]:
    """The table's rows, one JSON object a line, in pieces that fit into memory."""
    query = sql.SQL("COPY (SELECT row_to_json(shown) FROM (SELECT {} FROM {}) AS shown) TO STDOUT").format(
        sql.SQL(", ").join(map(sql.Identifier, table.columns)), sql.Identifier(table.schema, table.name)
    )
    lines: list[str] = []
    size = 0
    async with connection.cursor() as cursor, cursor.copy(query) as copy:
        async for (line,) in copy.rows():
            lines.append(line)
            size += len(line)
            if size >= _BATCH:
                yield _joined(lines)
                lines, size = [], 0
    if lines:
        yield _joined(lines)


def _joined(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


async def _files(connection: _Connection, table: _Table) -> AsyncIterator[tuple[str, str]]:
    query = sql.SQL("SELECT path, content FROM {} ORDER BY path").format(sql.Identifier(table.schema, table.name))
    async with connection.cursor("workspace") as cursor:
        cursor.itersize = 20
        await cursor.execute(query)
        async for path, content in cursor:
            yield path, content


def _safe(path: str) -> str:
    """A path that stays where the archive is unpacked, whatever somebody wrote into the database."""
    parts = (part for part in path.replace("\\", "/").split("/") if part not in {"", ".", ".."})
    return "/".join(part.replace(":", "_").replace("\0", "_") for part in parts) or "_"


def _info(name: str, stamp: tuple[int, ...]) -> zipfile.ZipInfo:
    year, month, day, hour, minute, second = stamp
    info = zipfile.ZipInfo(name, (year, month, day, hour, minute, second))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


class _Outgoing:
    """The file that the archive is written to: it keeps nothing but what was not sent yet."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
