"""Vectors of the chunks, in PostgreSQL's pgvector, where there is an embedder and where that extension can be had.

They are made in the background and never hold up whoever writes. The table belongs to one model and one dimension: with
another one it is made anew. Whatever is missing is told, by `problem`, and never hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from claw_runtime.memory.embedding import Vector
from claw_runtime.memory.index import take_turn
from claw_runtime.memory.ranking import Hit
from claw_runtime.memory.searching import MAY, Filters

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

MAX_INDEXED_DIMENSION = 2_000
"""What pgvector can index. Longer vectors are compared one by one."""
NEAREST = 60


@dataclass(frozen=True)
class Unembedded:
    """A chunk that has no vector yet."""

    id: int
    content: str


class VectorTable:
    """The table of vectors. All methods raise DatabaseAway."""

    def __init__(self, database: "Database", model: str) -> None:
        self._database = database
        self._model = model

    async def missing(self) -> str | None:
        """Why there can be no vectors in this database; None when there can. Installs the extension if it may."""
        from psycopg.errors import InsufficientPrivilege

        async with self._database.connection() as connection:
            cursor = await connection.execute(_EXTENSION)
            (row,) = await cursor.fetchall()
            if row["installed"]:
                return None
            if not row["available"]:
                return "The database has no pgvector."
            try:
                await connection.execute("create extension if not exists vector")
            except InsufficientPrivilege:
                return "The database has pgvector, and it is not switched on: that takes an administrator."
        return None

    async def unembedded(self, count: int) -> list[Unembedded]:
        """Some chunks without a vector of this model, the oldest first."""
        async with self._database.connection() as connection:
            await self._forget_other_models(connection)
            cursor = await connection.execute(_UNEMBEDDED, {"count": count})
            return [Unembedded(**row) for row in await cursor.fetchall()]

    async def put(self, chunks: Sequence[Unembedded], vectors: Sequence[Vector]) -> None:
        """Keep the vectors of these chunks; of those that are still there."""
        async with self._database.connection() as connection, connection.transaction():
            # In turn with those who change chunks: both touch the same rows, in another order.
            await take_turn(connection)
            await self._make(connection, len(vectors[0]))
            values = {"ids": [chunk.id for chunk in chunks], "vectors": [_literal(vector) for vector in vectors]}
            await connection.execute(_PUT, values)

    async def skip(self, chunk: Unembedded) -> None:
        """Do not ask for this one again: its text is not taken."""
        async with self._database.connection() as connection, connection.transaction():
            await take_turn(connection)
            await connection.execute("update memory_chunks set embedded = true where id = %(id)s", {"id": chunk.id})

    async def _forget_other_models(self, connection: "Connection") -> None:
        cursor = await connection.execute("select vector_model from memory_index")
        (row,) = await cursor.fetchall()
        if row["vector_model"] in {None, self._model}:
            return
        async with connection.transaction():
            await take_turn(connection)
            await connection.execute(_RESET, {"model": None, "dimension": None})
            await connection.execute("drop table if exists memory_vectors")

    async def _make(self, connection: "Connection", dimension: int) -> None:
        """Make the table for vectors of this dimension, if it is not there."""
        cursor = await connection.execute("select vector_model, vector_dimension from memory_index")
        (row,) = await cursor.fetchall()
        if (row["vector_model"], row["vector_dimension"]) == (self._model, dimension):
            return
        await connection.execute("drop table if exists memory_vectors")
        await connection.execute(_RESET, {"model": self._model, "dimension": dimension})
        await connection.execute(_CREATE.replace("{dimension}", str(dimension)).encode())
        if dimension <= MAX_INDEXED_DIMENSION:
            await connection.execute(_CREATE_INDEX)


async def nearest(connection: "Connection", vector: Vector, filters: Filters) -> list[Hit]:
    """The chunks whose vectors are nearest to this one, the nearest first; none while there is no such table."""
    async with connection.transaction():
        cursor = await connection.execute(
            """select vector_dimension, (select extversion from pg_extension where extname = 'vector') as version
                 from memory_index"""
        )
        (row,) = await cursor.fetchall()
        if row["vector_dimension"] != len(vector):
            return []
        await connection.execute("select set_config('hnsw.ef_search', '100', true)")
        if _at_least(row["version"], (0, 8)):
            # Or a filter that most do not pass would leave next to nothing of the hundred nearest.
            await connection.execute("select set_config('hnsw.iterative_scan', 'relaxed_order', true)")
        values: dict[str, Any] = {"vector": _literal(vector), "nearest": NEAREST}
        cursor = await connection.execute(_NEAREST, values | filters.values())
        rows = await cursor.fetchall()
    hits = [Hit(**row, counts={}) for row in rows]
    return sorted(hits, key=lambda hit: -(hit.similarity or 0.0))


def _at_least(version: str | None, wanted: tuple[int, int]) -> bool:
    parts = (version or "0").split(".")
    return all(part.isdigit() for part in parts[:2]) and tuple(map(int, parts[:2])) >= wanted


def _literal(vector: Vector) -> str:
    return "[" + ",".join(map(repr, vector)) + "]"


_EXTENSION = """
select exists (select from pg_extension where extname = 'vector') as installed,
       exists (select from pg_available_extensions where name = 'vector') as available
"""

_UNEMBEDDED = """
select id, content from memory_chunks where not embedded order by id limit %(count)s
"""

_RESET = """
with everything as (
    update memory_chunks set embedded = false where embedded
)
update memory_index set vector_model = %(model)s, vector_dimension = %(dimension)s
"""

_CREATE = """
create table memory_vectors (
    chunk_id  bigint primary key references memory_chunks on delete cascade,
    embedding vector({dimension}) not null
)
"""

_CREATE_INDEX = "create index memory_vectors_by_likeness on memory_vectors using hnsw (embedding vector_cosine_ops)"

_PUT = """
with there as (
    update memory_chunks set embedded = true where id = any(%(ids)s::bigint[]) returning id
)
insert into memory_vectors (chunk_id, embedding)
select id, vector::vector from there join unnest(%(ids)s::bigint[], %(vectors)s::text[]) as new (id, vector) using (id)
on conflict (chunk_id) do update set embedding = excluded.embedding
"""

_NEAREST: LiteralString = f"""
select id, thread, place, length, dated, 1 - (embedding <=> %(vector)s::vector) as similarity
  from memory_vectors join memory_chunks on id = chunk_id
 where {MAY}
 order by embedding <=> %(vector)s::vector limit %(nearest)s
"""  # noqa: S608 - our own SQL
