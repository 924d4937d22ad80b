"""A search from question to answer: by words, by meaning where there are vectors, and what of both is best."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString

from claw_runtime.memory import asking, index, ranking, searching
from claw_runtime.memory.embedding import Vector
from claw_runtime.memory.entries import FoundMemories, FoundMemory, MemoryQuery
from claw_runtime.memory.indexing import BEHIND, Indexer
from claw_runtime.memory.meaning import Meaning
from claw_runtime.memory.ranking import Hit
from claw_runtime.memory.searching import Filters
from claw_runtime.memory.sources import folder

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

OVERSAMPLED = 4
"""Candidates for each result that is wanted: several may be pieces of one memory."""
NO_MEANING = "The runtime has no embedding model; this was searched by words."
LEAST_FUSED = 0.1
RECALL_THRESHOLD = 0.12
RECALLED_CHARACTERS = 1_600
"""Of a single memory that is put before the model unasked."""


@dataclass(frozen=True)
class Answer:
    """A chunk that is an answer."""

    chunk: int
    score: float
    """Orders the answers."""
    relevance: float


class MemorySearch:
    """Searches everything that is remembered. All methods raise DatabaseAway."""

    def __init__(
        self, database: "Database", clock: Callable[[], datetime], indexer: Indexer, meaning: Meaning | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._indexer = indexer
        self._meaning = meaning

    def grown(self) -> None:
        """Something was added to the index."""
        if self._meaning is not None:
            self._meaning.grown()

    async def stop(self) -> None:
        """Let go of what is done in the background."""
        await self._indexer.stop()
        if self._meaning is not None:
            await self._meaning.stop()

    async def search(self, query: MemoryQuery, locale: str) -> FoundMemories:
        """What answers the query, the best first."""
        dictionary = index.dictionary_of(locale)
        behind = not await self._indexer.ready(dictionary)
        # Before a connection is taken: the embedder is somewhere in the network.
        vector = await self._vector(query)
        hits: list[tuple[Hit, float]] = []
        near: list[Hit] = []
        async with self._database.connection() as connection:
            filters = await _filters(connection, query, dictionary)
            if vector is not None and self._meaning is not None:
                near = await self._meaning.near(connection, vector, filters)
            if query.mode != "vector" or vector is None:
                asked = await asking.understand(connection, query.text, dictionary)
                hits = await searching.by_words(connection, asked, filters, OVERSAMPLED * query.limit)
            found = await _found(connection, self._ordered(hits, near, query))
        reason = BEHIND if behind else self._lacking(query)
        return FoundMemories(
            memories=found[: query.limit],
            mode="keyword" if vector is None else "vector" if query.mode == "vector" else "hybrid",
            degraded=reason is not None,
            degraded_reason=reason,
        )

    async def recall(self, text: str, agent_id: str, locale: str, limit: int) -> tuple[FoundMemory, ...]:
        """What may help an agent with a question, the best first; nothing that its prompt holds anyway."""
        in_prompt = ("USER.md", *(folder(agent_id) + name for name in ("MEMORY.md", "USER.md")))
        query = MemoryQuery(
            text=text, limit=limit, agent_id=agent_id, threshold=RECALL_THRESHOLD, without_paths=in_prompt
        )
        found = await self.search(query, locale)
        return tuple(
            memory.model_copy(update={"content": memory.content[:RECALLED_CHARACTERS]}) for memory in found.memories
        )

    async def _vector(self, query: MemoryQuery) -> Vector | None:
        if self._meaning is None or query.mode == "keyword":
            return None
        return await self._meaning.vector_of(query.text)

    def _lacking(self, query: MemoryQuery) -> str | None:
        """Why this search is less than was asked for; None when it is not."""
        if self._meaning is None:
            return NO_MEANING if query.mode == "vector" else None
        return self._meaning.problem if query.mode != "keyword" else None

    def _ordered(self, hits: Sequence[tuple[Hit, float]], near: Sequence[Hit], query: MemoryQuery) -> list[Answer]:
        """The hits that are good enough, the best first, as many as may be needed."""
        now = self._clock()
        by_words = {hit.id: ranking.faded(score, hit.dated, now) for hit, score in hits}
        relevance = {hit.id: min(score, 1.0) for hit, score in hits}
        for hit in near:
            relevance[hit.id] = max(relevance.get(hit.id, 0.0), hit.similarity or 0.0)
        score = by_words
        if near:
            # Ranks know no "hardly": what shares a word like "is" with the question would be as good as what fits best.
            telling = [chunk for chunk, own in by_words.items() if own >= LEAST_FUSED]
            telling.sort(key=lambda chunk: -by_words[chunk])
            score = ranking.fused([telling, [hit.id for hit in near]])
        answers = [Answer(chunk, score[chunk], relevance[chunk]) for chunk in score]
        answers = [answer for answer in answers if answer.relevance >= query.threshold]
        answers.sort(key=lambda answer: (-answer.score, -answer.chunk))
        return answers[: OVERSAMPLED * query.limit]


async def _filters(connection: "Connection", query: MemoryQuery, dictionary: str) -> Filters:
    excluded = await asking.stems(connection, query.excluded, dictionary) if query.excluded else ()
    return Filters(
        agent_id=query.agent_id,
        tags=query.tags,
        since=query.since,
        until=query.until,
        origins=query.origins,
        phrases=query.phrases,
        excluded=excluded,
        without_paths=query.without_paths,
    )


async def _found(connection: "Connection", answers: Sequence[Answer]) -> tuple[FoundMemory, ...]:
    """The answers with what they say. Of a memory that was found by several of its pieces, only the best counts."""
    cursor = await connection.execute(_READ, {"chunks": [answer.chunk for answer in answers]})
    rows = {row["chunk"]: row for row in await cursor.fetchall()}
    found: dict[Any, FoundMemory] = {}
    for answer in answers:
        row = rows.get(answer.chunk)  # None: it was deleted meanwhile
        if row is not None:
            key = row["id"] or answer.chunk
            found.setdefault(key, _memory(row, answer))
    return tuple(found.values())


def _memory(row: Mapping[str, Any], answer: Answer) -> FoundMemory:
    members = {name: row[name] for name in FoundMemory.model_fields if name in row}
    score, relevance = round(answer.score, 4), round(answer.relevance, 4)
    return FoundMemory(**members, score=score, relevance=relevance)


_READ: LiteralString = """
select chunk.id as chunk, memory.id, chunk.path, chunk.agent_id,
       case when memory.id is null then chunk.first_line end as first_line,
       case when memory.id is null then chunk.last_line end as last_line,
       case when memory.id is null then chunk.content else memory.content end as content,
       coalesce(memory.tags, '{}') as tags,
       coalesce(memory.origin, 'file') as origin,
       coalesce(memory.created_at, chunk.dated, file.updated_at) as created_at
  from memory_chunks chunk
  left join memories memory on memory.id = chunk.memory_id
  left join workspace_files file on file.path = chunk.path
 where chunk.id = any(%(chunks)s::bigint[])
   and (chunk.path is null or file.path is not null)  -- a file that was deleted a moment ago
"""
