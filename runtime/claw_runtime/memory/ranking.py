"""Which chunks answer a question best. Pure.

Okapi BM25 over the words; then each chunk is lifted by its neighbours, because a question and its answer rarely share
words ("What is your dog called?" "Bello!"); then what is old fades a little. Where there are vectors, the two orders
are fused by reciprocal rank, which needs no agreement on what a score means.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

K1 = 1.2
B = 0.75
SMALLEST = 1_000
"""Chunks. Five memories tell nothing about how rare a word is: of a smaller memory it is assumed to be that large."""
NEIGHBOUR_SHARE = 0.7
"""Of a chunk's score that its neighbour gets, and of that its neighbour again."""
REACH = 3
"""Steps to the farthest neighbour that counts."""
HALF_LIFE_DAYS = 30.0
FADING_SHARE = 0.15
"""Of a score that fades. What is old is less likely to matter, and no less true."""
RRF_K = 60


@dataclass(frozen=True)
class Term:
    """A word that is looked for, as the index knows it."""

    stem: str
    chunks: int
    """That have it."""
    weight: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that may be an answer."""

    id: int
    thread: str
    place: int
    length: int
    dated: datetime | None
    counts: Mapping[str, int]
    """How often it has the terms."""
    similarity: float | None = None
    """Cosine of the vectors of question and chunk, where there are any."""


def weight(chunks: int, total: int) -> float:
    """What a word tells that is in so many of all chunks: much if it is rare, next to nothing if it is everywhere."""
    total = max(total, SMALLEST, chunks)
    return math.log(1 + (total - chunks + 0.5) / (chunks + 0.5))


def probes(terms: Sequence[Term], most: int) -> tuple[Term, ...]:
    """The terms whose chunks are worth fetching: the rarest first, as long as it is at most so many; one at least."""
    found: list[Term] = []
    fetched = 0
    for term in sorted(terms, key=lambda term: term.chunks):
        fetched += term.chunks
        if found and fetched > most:
            break
        found.append(term)
    return tuple(found)


def parts(hit: Hit, terms: Iterable[Term], average: float) -> dict[str, float]:
    """What each term that the chunk has adds to its score; their sum is BM25."""
    crowding = K1 * (1 - B + B * hit.length / max(average, 1.0))
    counts = ((term, hit.counts[term.stem]) for term in terms if term.stem in hit.counts)
    return {term.stem: term.weight * count * (K1 + 1) / (count + crowding) for term, count in counts}


def best_possible(terms: Iterable[Term]) -> float:
    """The score of a chunk of average length that has every term once."""
    return sum(term.weight for term in terms)


def scored(hits: Sequence[Hit], asked: Iterable[Term], average: float, step: int) -> dict[int, float]:
    """Ids to scores: of every term the best that the hit or, for less, a neighbour has.

    Neighbours are of the same thread and at most REACH steps away. So the turn that answers is found by the turn that
    asks, and a turn that has one half of the question by another one that has the other half.
    """
    terms = tuple(asked)
    threads: dict[str, list[tuple[Hit, dict[str, float]]]] = {}
    for hit in hits:
        threads.setdefault(hit.thread, []).append((hit, parts(hit, terms, average)))
    scores = {}
    for together in threads.values():
        giving = [entry for entry in together if entry[1]]
        for hit, own in together:
            best = dict(own)
            for other, theirs in giving:
                steps = -(-abs(other.place - hit.place) // step)
                if other is hit or steps > REACH:
                    continue
                share = NEIGHBOUR_SHARE ** max(steps, 1)
                for stem, part in theirs.items():
                    if share * part > best.get(stem, 0.0):
                        best[stem] = share * part
            scores[hit.id] = sum(best.values())
    return scores


def faded(score: float, dated: datetime | None, now: datetime) -> float:
    """The score, less for what it has lost since that date; None does not fade."""
    if dated is None:
        return score
    days = max(0.0, (now - dated).total_seconds() / 86_400)
    fresh: float = 0.5 ** (days / HALF_LIFE_DAYS)
    return score * (1 - FADING_SHARE + FADING_SHARE * fresh)


def fused(orders: Iterable[Sequence[int]]) -> dict[int, float]:
    """Ids to their score by reciprocal rank, from orders of ids, the best first. 1 is first in every order."""
    orders = [order for order in orders if order]
    scores: dict[int, float] = {}
    for order in orders:
        for rank, identity in enumerate(order, start=1):
            scores[identity] = scores.get(identity, 0.0) + (RRF_K + 1) / (RRF_K + rank) / len(orders)
    return scores
