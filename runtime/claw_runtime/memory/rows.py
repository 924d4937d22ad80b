"""Memories in the database: statements, and what their rows become."""

from collections.abc import Mapping
from typing import Any, LiteralString

from claw_runtime.memory.chunking import chunks
from claw_runtime.memory.entries import Memory
from claw_runtime.memory.index import Document

KEPT_EVENTS = 50
"""Of one memory's history; older ones go."""

COLUMNS: LiteralString = "id, content, tags, agent_id, origin, thread, metadata, created_at, updated_at"


def memory(row: Mapping[str, Any]) -> Memory:
    """A memory as the API shows it."""
    return Memory(**{name: row[name] for name in Memory.model_fields})


def document(row: Mapping[str, Any]) -> Document:
    """A memory as it is indexed."""
    return Document(
        memory_id=row["id"],
        path=None,
        agent_id=row["agent_id"],
        # Whatever customers call their threads, none is another memory's, or a file's.
        thread=f"thread:{row['thread']}" if row["thread"] is not None else f"memory:{row['id']}",
        place=row["place"],
        dated=row["updated_at"] if row["created_at"] < row["updated_at"] else row["created_at"],
        chunks=tuple(chunks(row["content"])),
        hints=" ".join(row["tags"]),
    )


INSERT: LiteralString = f"""
insert into memories (id, content, tags, agent_id, origin, thread, place, metadata, created_at, updated_at, indexed)
values (%(id)s, %(content)s, %(tags)s, %(agent)s, %(origin)s, %(thread)s::text,
        coalesce((select max(place) + %(step)s from memories where thread = %(thread)s::text), 0),
        %(metadata)s, %(created)s, %(created)s, %(indexed)s)
returning {COLUMNS}, place
"""  # noqa: S608 - our own column names

UPDATE: LiteralString = f"""
update memories
   set content = %(content)s, tags = coalesce(%(tags)s::text[], tags), updated_at = %(now)s, indexed = %(indexed)s
 where id = %(id)s
returning {COLUMNS}, place
"""  # noqa: S608 - our own column names

NOTE: LiteralString = """
with full_history as (
    select id from memory_history where memory_id = %(id)s order by id desc offset %(kept)s - 1
), cut as (
    delete from memory_history where id in (select id from full_history)
)
insert into memory_history (memory_id, event, content, author, at)
values (%(id)s, %(event)s, %(content)s, %(author)s, %(now)s)
"""
