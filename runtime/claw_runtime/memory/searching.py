"""Candidates from the index: the chunks that may answer a question, with what ranking needs to know of them.

All of it is bounded, whatever is asked and however much is kept. A question's rare words fetch the chunks that have
any of them. Words that are everywhere fetch what has two of them, and, only where that is not enough, the newest that
have one. PostgreSQL then orders these roughly, so that only the best are looked at closely.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString

from claw_runtime.memory import ranking
from claw_runtime.memory.asking import Asked
from claw_runtime.memory.index import STEP
from claw_runtime.memory.ranking import Hit, Term

if TYPE_CHECKING:
    from claw_runtime.database import Connection

CANDIDATES = 1200
NEWEST = 400
CLOSELY = 80
"""The best by the rough order."""
LIFTING = 12
"""The best, whose neighbours are looked at as well."""


@dataclass(frozen=True)
class Filters:
    """What a chunk must have. `agent_id` sees its own and everybody's; None sees all."""

    agent_id: str | None = None
    tags: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    origins: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    """Stems that it must not have."""
    without_paths: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """For the statement."""
        return {
            "agent": self.agent_id,
            "tags": list(self.tags) or None,
            "since": self.since,
            "until": self.until,
            "origins": list(self.origins) or None,
            "phrases": [_like(phrase) for phrase in self.phrases] or None,
            "excluded": list(self.excluded) or None,
            "without_paths": list(self.without_paths) or None,
        }


async def by_words(connection: "Connection", asked: Asked, filters: Filters, wanted: int) -> list[tuple[Hit, float]]:
    """The chunks that have the words, and the neighbours of the best, with scores from 0 to about 1, in no order."""
    if not asked.terms:
        return []
    rare = ranking.probes(asked.terms, CANDIDATES)
    common = sorted((term for term in asked.terms if term not in rare), key=lambda term: term.chunks)
    groups = [*([term] for term in rare if term.chunks <= CANDIDATES), *([common[:2]] if len(common) > 1 else [])]
    hits: dict[int, Hit] = {}
    if groups:
        hits = await _fetch(connection, _BY_INDEX, asked, filters, _query(groups))
    if len(hits) < wanted and (left := [term for term in asked.terms if [term] not in groups]):
        hits |= await _fetch(connection, _NEWEST, asked, filters, _query([[term] for term in left]))
    best = sorted(hits.values(), key=lambda hit: -sum(ranking.parts(hit, asked.terms, asked.average).values()))
    around = await _neighbours(connection, best, filters)
    scores = ranking.scored([*best, *around], asked.terms, asked.average, STEP)
    return [(hit, scores[hit.id] / asked.best_possible) for hit in (*best, *around) if scores[hit.id] > 0]


async def _fetch(
    connection: "Connection", statement: str, asked: Asked, filters: Filters, query: str
) -> dict[int, Hit]:
    values: dict[str, Any] = {
        "query": query,
        "stems": [term.stem for term in asked.terms],
        "average": max(asked.average, 1.0),
        "candidates": CANDIDATES,
        "newest": NEWEST,
        "closely": CLOSELY,
    }
    score = []
    for place, term in enumerate(asked.terms):
        score.append(f"ts_match_vq(words, %(term{place})s::tsquery)::int * %(weight{place})s::float8")
        values |= {f"term{place}": _quoted(term.stem), f"weight{place}": term.weight}
    text = statement.replace("{score}", " + ".join(score))
    cursor = await connection.execute(text.encode(), values | filters.values())
    return {row["id"]: _hit(row) for row in await cursor.fetchall()}


async def _neighbours(connection: "Connection", hits: Sequence[Hit], filters: Filters) -> list[Hit]:
    best = hits[:LIFTING]
    values = {
        "threads": [hit.thread for hit in best],
        "places": [hit.place for hit in best],
        "known": [hit.id for hit in hits],
        "reach": ranking.REACH * STEP,
    }
    cursor = await connection.execute(_NEIGHBOURS.encode(), values | filters.values())
    return [_hit(row) for row in await cursor.fetchall()]


def _hit(row: Mapping[str, Any]) -> Hit:
    counts = dict(zip(row["found"], row["times"], strict=True)) if row["found"] else {}
    return Hit(row["id"], row["thread"], row["place"], row["length"], row["dated"], counts)


def _query(groups: Sequence[Sequence[Term]]) -> str:
    """A tsquery: any of the groups, of each all."""
    return " | ".join("(" + " & ".join(_quoted(term.stem) for term in group) + ")" for group in groups)


def _quoted(stem: str) -> str:
    return "'" + stem.replace("\\", "\\\\").replace("'", "''") + "'"


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


MAY: LiteralString = """
    (%(agent)s::text is null or agent_id is null or agent_id = %(agent)s)
    and (%(since)s::timestamptz is null or dated >= %(since)s)
    and (%(until)s::timestamptz is null or dated < %(until)s)
    and (%(without_paths)s::text[] is null or path is null or path <> all(%(without_paths)s))
    and (%(phrases)s::text[] is null or content ilike all(%(phrases)s))
    and (%(excluded)s::text[] is null or not tsvector_to_array(words) && %(excluded)s)
    and ((%(tags)s::text[] is null and %(origins)s::text[] is null)
         or case when memory_id is null then %(tags)s::text[] is null and 'file' = any(%(origins)s)
                 else exists (select from memories where memories.id = memory_id
                                 and (%(tags)s::text[] is null or memories.tags @> %(tags)s)
                                 and (%(origins)s::text[] is null or memories.origin = any(%(origins)s))) end)
"""

_CLOSELY: LiteralString = """
select id, thread, place, length, dated, found, times
  from (select * from candidates order by ({score}) / (1 + 1.2 * (0.25 + 0.75 * length / %(average)s)) desc
         limit %(closely)s) as best,
       lateral (select array_agg(lexeme) as found, array_agg(cardinality(positions)) as times
                  from unnest(words) where lexeme = any(%(stems)s)) as counted
"""

_BY_INDEX: LiteralString = f"""
with candidates as (select * from memory_chunks where words @@ %(query)s::tsquery and {MAY} limit %(candidates)s)
{_CLOSELY}
"""  # noqa: S608 - our own SQL

# Not by the index, which would fetch everything that has the word: from the newest on, until there are enough.
_NEWEST: LiteralString = f"""
with candidates as (
    select * from memory_chunks where ts_match_vq(words, %(query)s::tsquery) and {MAY}
     order by id desc limit %(newest)s)
{_CLOSELY}
"""  # noqa: S608 - our own SQL

_NEIGHBOURS: LiteralString = f"""
select distinct id, thread, place, length, dated, null::text[] as found, null::int[] as times
  from unnest(%(threads)s::text[], %(places)s::int[]) as hit (at, around)
  join memory_chunks on thread = at and place between around - %(reach)s and around + %(reach)s
 where id <> all(%(known)s::bigint[]) and {MAY}
"""  # noqa: S608 - our own SQL
