"""What a question asks for: its words, as the index knows them, with their weights. Misspelt ones are corrected."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from claw_runtime.memory import ranking
from claw_runtime.memory.ranking import Term
from claw_runtime.memory.spelling import SHORTEST, meant
from claw_runtime.memory.words import trigrams, words

if TYPE_CHECKING:
    from claw_runtime.database import Connection

MAX_ASKED = 256
"""Different words of a question that are looked up."""
MAX_TERMS = 12
"""Of these, the most telling ones that are looked for."""
MAX_CORRECTED = 4
STOP_SHARE = 0.1
"""Of its weight that a word keeps which says nothing in the customer's language: in a small memory, "who" is rare."""


@dataclass(frozen=True)
class Asked:
    """A question, as the index understands it."""

    terms: tuple[Term, ...]
    best_possible: float
    """The score of a chunk that has all of it."""
    average: float
    """Words of a chunk."""


async def understand(connection: "Connection", text: str, dictionary: str) -> Asked:
    """The words of a text with their weights, misspelt ones corrected, the most telling ones only."""
    asked = list(dict.fromkeys(islice(words(text), 4 * MAX_ASKED)))[:MAX_ASKED]
    cursor = await connection.execute(_UNDERSTAND, {"asked": asked, "dictionary": dictionary})
    rows = await cursor.fetchall()
    if not rows:
        return Asked((), 0.0, 0.0)
    total = rows[0]["total"]
    terms = [
        Term(row["stem"], row["chunks"], ranking.weight(row["chunks"], total) * (STOP_SHARE if row["stops"] else 1))
        for row in rows
        if row["chunks"]
    ]
    terms = sorted(terms, key=lambda term: -term.weight)[:MAX_TERMS]
    unknown = [row["stem"] for row in rows if not row["chunks"] and not row["stops"]]
    corrected = await _corrected(connection, unknown, total, dictionary)
    # A word that nobody ever wrote tells as much as one that is written once: what lacks it is no full answer.
    lacking = ranking.weight(1, total) * min(len(unknown), MAX_TERMS)
    best = max(ranking.best_possible(terms) + lacking, 1e-9)
    if all(row["stops"] for row in rows):  # "how are you" asks for nothing: what shares its words hardly fits
        best /= STOP_SHARE
    return Asked(
        terms=(*terms, *corrected),
        best_possible=best,
        average=rows[0]["length"] / max(total, 1),
    )


async def stems(connection: "Connection", text: str, dictionary: str) -> tuple[str, ...]:
    """The stems of the words of a text."""
    asked = list(dict.fromkeys(islice(words(text), MAX_ASKED)))
    cursor = await connection.execute(_UNDERSTAND, {"asked": asked, "dictionary": dictionary})
    return tuple(row["stem"] for row in await cursor.fetchall())


async def _corrected(connection: "Connection", unknown: Sequence[str], total: int, dictionary: str) -> list[Term]:
    found = []
    for stem in [stem for stem in unknown if len(stem) >= SHORTEST][:MAX_CORRECTED]:
        values = {"trigrams": sorted(trigrams(stem)), "inner": [stem[at : at + 3] for at in range(len(stem) - 2)]}
        cursor = await connection.execute(_ALIKE, values | {"length": len(stem), "dictionary": dictionary})
        known = {row["word"]: row["chunks"] for row in await cursor.fetchall()}
        for word, share in meant(stem, known):
            found.append(Term(word, known[word], share * ranking.weight(known[word], total)))
    return found


_UNDERSTAND = """
select stem, stops, coalesce(known.chunks, 0) as chunks, sums.chunks as total, sums.length
  from (select memory_stem(word, %(dictionary)s) as stem,
               bool_and(ts_lexize(%(dictionary)s::text::regdictionary, word) = '{}') as stops
          from unnest(%(asked)s::text[]) as word group by 1) as asked
  left join memory_words known on known.word = stem
 cross join memory_index sums
"""

_ALIKE = """
select word, chunks from memory_words
 where trigrams && %(trigrams)s::text[] and char_length(word) between %(length)s - 2 and %(length)s + 2
   and ts_lexize(%(dictionary)s::text::regdictionary, word) is distinct from '{}'
union
(select word, chunks from memory_words where trigrams @> %(inner)s::text[] order by char_length(word) limit 20)
"""
