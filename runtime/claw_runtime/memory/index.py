"""The index in the database: chunks with their words, and how many chunks have each word.

All counts change in the transaction that changes a chunk. Writers take turns by a lock, because they all touch the same
counts; readers never wait.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from claw_runtime.memory.chunking import Chunk
from claw_runtime.memory.words import words

if TYPE_CHECKING:
    from claw_runtime.database import Connection

VERSION = "1"
"""Of chunks and words. Another one, or another language, and everything is indexed anew."""

STEP = 16
"""Between the places of two neighbours: what is added to a thread is a step on, and its chunks fit in between."""

_LOCK = 0x6D656D  # "mem"

_LANGUAGES = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "nb": "norwegian",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
"""Locale to stemmer, of those that PostgreSQL 15 brings along."""


@dataclass(frozen=True)
class Document:
    """A memory, or a file, as it is to be indexed."""

    memory_id: UUID | None
    path: str | None
    agent_id: str | None
    thread: str
    place: int
    dated: datetime | None
    """What it was written on, of things that fade; None does not fade."""
    chunks: Sequence[Chunk]
    hints: str = ""
    """What it is found by beside its content: tags, or the name of a file."""


def dictionary_of(locale: str) -> str:
    """The stemmer for a BCP 47 tag; PostgreSQL's `simple`, which leaves words as they are, where it has none."""
    language = _LANGUAGES.get(locale.replace("_", "-").split("-")[0].lower())
    return f"{language}_stem" if language is not None else "simple"


def version_of(dictionary: str) -> str:
    """What a memory or a file is marked with once it is indexed."""
    return f"{VERSION}:{dictionary}"


async def take_turn(connection: "Connection") -> None:
    """Until the transaction ends, nobody else changes memories or their index."""
    await connection.execute("select pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})


async def put(connection: "Connection", dictionary: str, documents: Iterable[Document]) -> int:
    """Index documents that are not indexed, in the caller's transaction and turn. Returns how many chunks they have."""
    rows = [_row(document, place, chunk) for document in documents for place, chunk in enumerate(document.chunks)]
    if rows:
        columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
        await connection.execute(_PUT, columns | {"dictionary": dictionary})
    return len(rows)


async def drop_memories(connection: "Connection", memory_ids: Sequence[UUID]) -> None:
    """Take memories out of the index, in the caller's transaction and turn."""
    await connection.execute(_DROP, {"memories": list(memory_ids), "paths": []})


async def drop_files(connection: "Connection", paths: Sequence[str]) -> None:
    """Take files out of the index, in the caller's transaction and turn."""
    await connection.execute(_DROP, {"memories": [], "paths": list(paths)})


def _row(document: Document, place: int, chunk: Chunk) -> dict[str, Any]:
    found_by = [*words(chunk.content), *words(chunk.heading), *words(document.hints)]
    # A file's chunks are neighbours as turns are; a memory's stay within its step, however many they are.
    offset = min(place, STEP - 1) if document.path is None else place * STEP
    return {
        "memory": document.memory_id,
        "path": document.path,
        "agent": document.agent_id,
        "thread": document.thread,
        "place": document.place + offset,
        "first_line": chunk.first_line,
        "last_line": chunk.last_line,
        "content": chunk.content,
        "words": " ".join(found_by),
        "length": len(found_by),
        "dated": document.dated,
    }


_PUT = """
with made as (
    insert into memory_chunks
           (memory_id, path, agent_id, thread, place, first_line, last_line, content, words, length, dated)
    select memory_id, path, agent_id, thread, place, first_line, last_line, content, stems.found, length, dated
      from unnest(%(memory)s::uuid[], %(path)s::text[], %(agent)s::text[], %(thread)s::text[], %(place)s::int[],
                  %(first_line)s::int[], %(last_line)s::int[], %(content)s::text[], %(words)s::text[],
                  %(length)s::int[], %(dated)s::timestamptz[])
           as new (memory_id, path, agent_id, thread, place, first_line, last_line, content, words, length, dated),
           lateral (
               select coalesce(string_agg(stem || ':' || places, ' '), '')::tsvector as found
                 from (select memory_stem(word, %(dictionary)s) as stem,
                              string_agg(least(nth, 16383)::text, ',') as places
                         from string_to_table(new.words, ' ') with ordinality as t (word, nth)
                        where word <> '' group by 1) as stemmed
           ) as stems
    returning words, length
), counted as (
    insert into memory_words as known (word, chunks, trigrams)
    select word, count(*), array(
               select distinct substr(' ' || word || ' ', start, 3) from generate_series(1, char_length(word)) as start)
      from made, unnest(tsvector_to_array(words)) as word group by word
    on conflict (word) do update set chunks = known.chunks + excluded.chunks
)
update memory_index set chunks = memory_index.chunks + sums.chunks, length = memory_index.length + sums.length
  from (select count(*) as chunks, coalesce(sum(length), 0) as length from made) as sums
"""

_DROP = """
with gone as (
    delete from memory_chunks where memory_id = any(%(memories)s::uuid[]) or path = any(%(paths)s::text[])
    returning words, length
), lost as (
    select word, count(*) as chunks from gone, unnest(tsvector_to_array(words)) as word group by word
), counted as (
    update memory_words as known set chunks = known.chunks - lost.chunks
      from lost where known.word = lost.word and known.chunks > lost.chunks
), forgotten as (
    delete from memory_words as known using lost where known.word = lost.word and known.chunks <= lost.chunks
)
update memory_index set chunks = memory_index.chunks - sums.chunks, length = memory_index.length - sums.length
  from (select count(*) as chunks, coalesce(sum(length), 0) as length from gone) as sums
"""
