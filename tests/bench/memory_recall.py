"""How well memory search finds, and how fast, beside PostgreSQL's own full-text search in the same run.

`measure_recall` asks the questions of our dialogues; `measure_latency` fills a memory with as many entries as wanted
and asks for everything from the rarest word to the commonest ones.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

from claw_runtime.memory import index
from claw_runtime.memory.chunking import chunks
from claw_runtime.memory.entries import MemoryQuery, NewMemory
from claw_runtime.memory.index import Document
from tests.bench.dialogues import Dialogue, Question, Turn, dialogues, questions
from tests.bench.remembering import PLAN, Mind

if TYPE_CHECKING:
    from claw_runtime.database import Connection

BEST = 10
"""recall@10: an answer counts when it is among so many."""


@dataclass(frozen=True)
class Recall:
    """Shares of the questions that were answered, from 0 to 1."""

    questions: int
    ours: float
    plain: float
    """websearch_to_tsquery, where all words must be there, by ts_rank; what version 1 searched with."""
    plain_any: float
    """The same where any word will do; what version 1 recalled with."""

    @property
    def ratio(self) -> float:
        """Ours to the plain search's."""
        return self.ours / self.plain if self.plain else float("inf")


@dataclass(frozen=True)
class Latency:
    """Of single searches, in milliseconds."""

    entries: int
    p50: float
    p95: float


async def measure_recall(mind: Mind, *, copies: int = 6) -> dict[str, Recall]:
    """Recall of "all", "tuned" and "held out", and of "tuned: typo" and the like. The mind must be empty."""
    said = dialogues(copies)
    turns = await _remember(mind, said)
    await _plain(mind, said)
    asked = questions(said)
    found: dict[str, Counter[str]] = {"ours": Counter(), "plain": Counter(), "plain_any": Counter()}
    total: Counter[str] = Counter()
    for question in asked:
        part = "held out" if question.held_out else "tuned"
        parts = ("all", part, f"{part}: {question.kind}")
        total.update(parts)
        ours = await mind.memories.search(MemoryQuery(text=question.text, limit=BEST), mind.locale)
        answers = {
            "ours": {turns[memory.id] for memory in ours.memories if memory.id is not None},
            "plain": await _search(mind, _ALL_WORDS, question),
            "plain_any": await _search(mind, _ANY_WORD, question),
        }
        for how, given in answers.items():
            if given & question.answers:
                found[how].update(parts)
    return {
        part: Recall(count, *(found[how][part] / count for how in ("ours", "plain", "plain_any")))
        for part, count in total.items()
    }


async def measure_latency(
    mind: Mind,
    sizes: Sequence[int] = (1_000, 10_000, 100_000),
    *,
    queries: int = 200,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Latency]:
    """Latency at growing sizes, filled in one after another. The mind must be empty."""
    measured = []
    filled = 0
    random = Random(11)
    for size in sizes:
        tell(f"filling up to {size:,} memories")
        await _fill(mind, random, filled, size)
        filled = size
        tell(f"searching {size:,} memories")
        asked = _asked(random, queries)
        for text in asked[:20]:
            await mind.find(text)
        spent = []
        for text in asked:
            begun = time.perf_counter()
            await mind.find(text, agent_id="main")
            spent.append(1000 * (time.perf_counter() - begun))
        spent.sort()
        measured.append(Latency(size, spent[len(spent) // 2], spent[int(len(spent) * 0.95)]))
    return measured


async def _remember(mind: Mind, said: Iterable[Dialogue]) -> dict[UUID, Turn]:
    turns = {}
    for dialogue in said:
        for place, text in enumerate(dialogue.turns):
            kept = await mind.memories.add(NewMemory(content=text, thread=dialogue.name), mind.locale, PLAN)
            turns[kept.id] = (dialogue.name, place)
    return turns


async def _plain(mind: Mind, said: Iterable[Dialogue]) -> None:
    """The same turns, as version 1 kept them."""
    async with mind.database.connection() as connection, connection.transaction():
        await connection.execute("create table plain (dialogue text, place int, content text, words tsvector)")
        for dialogue in said:
            for place, text in enumerate(dialogue.turns):
                await connection.execute(
                    """insert into plain values (%(dialogue)s, %(place)s, %(text)s::text,
                       to_tsvector('simple', %(text)s::text) || to_tsvector('english', %(text)s::text))""",
                    {"dialogue": dialogue.name, "place": place, "text": text},
                )


_ALL_WORDS = "websearch_to_tsquery('simple', %(text)s) || websearch_to_tsquery('english', %(text)s)"
_ANY_WORD = "replace(plainto_tsquery('english', %(text)s)::text, ' & ', ' | ')::tsquery"


async def _search(mind: Mind, query: str, question: Question) -> set[Turn]:
    statement = f"""with wanted as (select {query} as query)
        select dialogue, place from plain, wanted where words @@ query
         order by ts_rank(words, query, 1) desc limit {BEST}"""
    async with mind.database.connection() as connection:
        cursor = await connection.execute(statement.encode(), {"text": question.text})
        return {(row["dialogue"], row["place"]) for row in await cursor.fetchall()}


_VOCABULARY = 30_000
_SYLLABLES = [consonant + vowel for consonant in "bcdfghklmnprstvwz" for vowel in "aeiou"]


def _words() -> list[str]:
    """Made-up words, always the same, the commonest first: the real ones of the dialogues, then invented ones."""
    spoken = Counter(word for dialogue in dialogues(1) for turn in dialogue.turns for word in turn.lower().split())
    invented = Random(5)
    made = ["".join(invented.choices(_SYLLABLES, k=invented.randint(2, 5))) for _ in range(_VOCABULARY)]
    return list(dict.fromkeys([word for word, _ in spoken.most_common() if word.isalpha()] + made))


def _weights(words: Sequence[str]) -> list[float]:
    """As often as words are used: the second half as often as the first, the third a third as often (Zipf)."""
    return [1 / (rank + 2) for rank in range(len(words))]


async def _fill(mind: Mind, random: Random, start: int, end: int) -> None:
    """Memories of 8 to 45 words, twenty to a thread, a minute apart; not by the API, which would take too long."""
    words = _words()
    weights = _weights(words)
    dictionary = index.dictionary_of(mind.locale)
    for first in range(start, end, 500):
        documents = []
        now = datetime.now(UTC)
        for number in range(first, min(first + 500, end)):
            content = " ".join(random.choices(words, weights, k=random.randint(8, 45)))
            at = now - timedelta(minutes=end - number)
            identity = UUID(int=random.getrandbits(128))
            place = number % 20 * index.STEP
            thread = f"thread-{number // 20}"
            documents.append(Document(identity, None, None, thread, place, at, tuple(chunks(content))))
        async with mind.database.connection() as connection, connection.transaction():
            await _insert(connection, documents, index.version_of(dictionary))
            await index.put(connection, dictionary, documents)
    async with mind.database.connection() as connection:
        await connection.execute("vacuum analyze")


async def _insert(connection: "Connection", documents: Sequence[Document], version: str) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """insert into memories (id, content, thread, place, created_at, updated_at, indexed)
               values (%s, %s, %s, %s, %s, %s, %s)""",
            [
                (each.memory_id, each.chunks[0].content, each.thread, each.place, each.dated, each.dated, version)
                for each in documents
            ],
        )


def _asked(random: Random, count: int) -> list[str]:
    """Questions of every sort: common words, rare ones, both, long ones, misspelt ones."""
    words = _words()
    weights = _weights(words)
    sorts: list[Callable[[], str]] = [
        lambda: " ".join(random.choices(words[:40], k=random.randint(1, 5))),
        lambda: " ".join([*random.choices(words[:60], k=4), *random.choices(words, k=2)]),
        lambda: " ".join(random.choices(words[500:], k=2)),
        lambda: " ".join(random.choices(words, weights, k=30)),
        lambda: _misspelt(random, random.choice(words[200:3000])),
    ]
    return [sorts[number % len(sorts)]() for number in range(count)]


def _misspelt(random: Random, word: str) -> str:
    place = random.randrange(max(1, len(word) - 1))
    return word[:place] + word[place + 1 : place + 2] + word[place : place + 1] + word[place + 2 :]
