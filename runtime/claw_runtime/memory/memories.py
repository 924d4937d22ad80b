"""Memories: short texts that the customer, and later the assistant, wants kept; found again by their words.

Full-text search of PostgreSQL, twice in one index: once word for word (`simple`), which knows names and every
language, and once in the customer's language, which knows that "dogs" are a "dog". What full-text search cannot split
into words (Chinese, Japanese, Korean, Thai, a part of a word) is found as a piece of the text instead.
"""

import re
import uuid
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, LiteralString

from pydantic import Field, StringConstraints

from claw_crds.configuration import PlanConfiguration
from claw_crds.resource import Model, Timestamp
from claw_runtime import pages
from claw_runtime.problems import limit_reached, not_found
from claw_runtime.text import Text, Words
from claw_runtime.usage.holdings import Holdings, count_memories

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

_LOCK = 0x6D656D  # "mem": counting and adding are one step

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
"""Locale to text search configuration, of those that PostgreSQL 15 brings along."""

_NOT_SPLIT = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
"""Scripts without blanks between words, of which the default parser makes one long word; and Korean, whose words
carry their particles."""

Tag = Annotated[Text, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]


class NewMemory(Model):
    """A memory to keep."""

    content: Annotated[Words, StringConstraints(max_length=10_000)]
    tags: Annotated[tuple[Tag, ...], Field(max_length=20)] = ()


class Memory(Model):
    """A memory that is kept."""

    id: uuid.UUID
    content: str
    tags: tuple[str, ...]
    created_at: Timestamp


class FoundMemory(Memory):
    """A memory that a search found."""

    score: float = Field(description="Higher is better; comparable within one answer only.")


class MemoryPage(Model):
    """Memories, the latest first."""

    memories: tuple[Memory, ...]
    next_cursor: str | None = Field(description="Asks for the next page; null on the last one.")


class FoundMemories(Model):
    """What a search found, the best first."""

    memories: tuple[FoundMemory, ...]
    mode: Literal["words", "substring"] = Field(
        description="How they were found: as words, or, when no words matched, as a piece of the text."
    )


def language_of(locale: str) -> str:
    """The text search configuration for a BCP 47 tag; `simple` where PostgreSQL has none."""
    return _LANGUAGES.get(re.split("[-_]", locale)[0].lower(), "simple")


def is_split_into_words(text: str) -> bool:
    """Whether full-text search can do something with the text."""
    return len(text.strip()) > 1 and not _NOT_SPLIT.search(text)


def pairs_of(text: str) -> list[str]:
    """Neighbouring characters, of the first two hundred: what stands in for words where there are no blanks."""
    run = text[:200]
    return sorted({pair for pair in map("".join, pairwise(run)) if _NOT_SPLIT.search(pair)})


def like_pattern(text: str) -> str:
    """A LIKE pattern that finds the text as it is, whatever is in it."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text.strip()) + "%"


_COLUMNS: LiteralString = "id, content, tags, created_at"

_ALL_WORDS: LiteralString = """
    websearch_to_tsquery('simple', %(text)s) || websearch_to_tsquery(%(language)s::text::regconfig, %(text)s)
"""
# A question shares some words with its answer, hardly all of them: "what is my dog called?", "My dog is Bello". Only
# in the customer's language, which knows that "what" and "is" tell nothing.
_ANY_WORD: LiteralString = """
    replace(plainto_tsquery(%(language)s::text::regconfig, %(text)s)::text, ' & ', ' | ')::tsquery
"""


class Memories:
    """The instance's memories. Every method raises DatabaseAway."""

    def __init__(self, database: "Database", holdings: Holdings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._holdings = holdings
        self._clock = clock

    async def add(self, new: NewMemory, locale: str, plan: PlanConfiguration) -> Memory:
        """Keep it. Raises Problem when the plan's memories are used up."""
        values = {
            "id": uuid.uuid4(),
            "content": new.content,
            "tags": list(dict.fromkeys(new.tags)),
            "language": language_of(locale),
            "now": self._clock(),
        }
        async with self._database.connection() as connection, connection.transaction():
            used = await self._counted(connection)
            self._check_limit(used, plan)
            cursor = await connection.execute(
                f"""insert into memories (id, content, tags, language, words, created_at)
                    values (%(id)s, %(content)s::text, %(tags)s::text[], %(language)s::text,
                            to_tsvector('simple', %(content)s::text)
                            || to_tsvector(%(language)s::text::regconfig, %(content)s::text)
                            || to_tsvector('simple', array_to_string(%(tags)s::text[], ' ')),
                            %(now)s)
                    returning {_COLUMNS}""",  # noqa: S608 - our own column names
                values,
            )
            row = await cursor.fetchone()
        self._holdings.memories = used + 1
        return Memory.model_validate(row)

    async def search(self, text: str, locale: str, limit: int) -> FoundMemories:
        """The best matches: all words of `text`, with "quotes", `or` and `-` as in a web search; else a piece of it."""
        if is_split_into_words(text) and (found := await self._by_words(_ALL_WORDS, text, locale, limit)):
            return FoundMemories(memories=found, mode="words")
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                f"""select {_COLUMNS}, char_length(%(text)s::text)::float / greatest(char_length(content), 1) as score
                      from memories where content ilike %(pattern)s
                     order by score desc, created_at desc limit %(limit)s""",  # noqa: S608 - our own column names
                {"text": text.strip(), "pattern": like_pattern(text), "limit": limit},
            )
            rows = await cursor.fetchall()
        return FoundMemories(memories=tuple(FoundMemory(**row) for row in rows), mode="substring")

    async def recall(self, text: str, locale: str, limit: int) -> tuple[Memory, ...]:
        """Memories that share words with a question, or pairs of characters, the most telling first."""
        if is_split_into_words(text):
            return await self._by_words(_ANY_WORD, text, locale, limit)
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                f"""select {_COLUMNS} from memories, lateral (
                        select count(*) as common from unnest(%(pairs)s::text[]) pair where strpos(content, pair) > 0
                    ) as shared
                     where common > 0 order by common desc, created_at desc limit %(limit)s""",  # noqa: S608 - as above
                {"pairs": pairs_of(text), "limit": limit},
            )
            return tuple(Memory(**row) for row in await cursor.fetchall())

    async def list(self, limit: int, cursor: str | None) -> MemoryPage:
        """One page. Raises Problem for a made-up cursor."""
        created_at, last = pages.key(cursor, datetime.fromisoformat, uuid.UUID)
        async with self._database.connection() as connection:
            result = await connection.execute(
                f"""select {_COLUMNS} from memories
                     where %(last)s::uuid is null or (created_at, id) < (%(at)s, %(last)s)
                     order by created_at desc, id desc limit %(limit)s""",  # noqa: S608 - our own column names
                {"at": created_at, "last": last, "limit": limit + 1},
            )
            found = [Memory(**row) for row in await result.fetchall()]
        page, end = pages.split(found, limit)
        after = pages.cursor(end.created_at.isoformat(), end.id) if end is not None else None
        return MemoryPage(memories=tuple(page), next_cursor=after)

    async def delete(self, memory_id: uuid.UUID) -> None:
        """Forget it. Raises Problem for an unknown id."""
        async with self._database.connection() as connection, connection.transaction():
            used = await self._counted(connection)
            result = await connection.execute("delete from memories where id = %(id)s", {"id": memory_id})
            if result.rowcount == 0:
                raise not_found("memory with this id")
        self._holdings.memories = used - 1

    async def _counted(self, connection: "Connection") -> int:
        """How many there are. Until the transaction ends, nobody else adds or deletes one."""
        await connection.execute("select pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
        return await count_memories(connection)

    def _check_limit(self, used: int, plan: PlanConfiguration) -> None:
        limit = plan.limits.memories
        if limit is not None and used >= limit:
            raise limit_reached(
                "memories",
                "memories",
                plan=plan.display_name,
                limit=limit,
                used=used,
                now=self._clock(),
                resets_at=None,
            )

    async def _by_words(self, query: LiteralString, text: str, locale: str, limit: int) -> tuple[FoundMemory, ...]:
        values: dict[str, Any] = {"text": text, "language": language_of(locale), "limit": limit}
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                f"""with wanted as (select {query} as query)
                    select {_COLUMNS}, ts_rank(words, query, 1) as score
                      from memories, wanted where words @@ query
                     order by score desc, created_at desc limit %(limit)s""",  # noqa: S608 - our own SQL
                values,
            )
            return tuple(FoundMemory(**row) for row in await cursor.fetchall())
