"""What we wrote at Neon ourselves. Reads lag behind writes, so for a while our own word counts for more.

Without that a branch could look gone in the first seconds of its life, and a loop that asks would stop and call for a
person.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from claw_operator.external import Owner
from claw_operator.external.neon_database import NeonDatabase

_KEPT = 3600.0  # seconds; longer than any reading is good for


@dataclass(frozen=True)
class _Word:
    at: float
    database: NeonDatabase | None


class Words:
    """What we did last to each instance's database. Times are in seconds."""

    def __init__(self, *, settle_seconds: float, monotonic: Callable[[], float]) -> None:
        self._settle_seconds = settle_seconds
        self._monotonic = monotonic
        self._by_mark: dict[str, _Word] = {}

    def is_so(self, database: NeonDatabase) -> None:
        """It was made or changed by us, and this is how it is now."""
        self._say(database.mark, database)

    def is_gone(self, mark: str) -> None:
        """It was deleted by us."""
        self._say(mark, None)

    def of(self, owner: Owner) -> NeonDatabase | None:
        """How the owner's database is, as long as our word counts for more than a reading."""
        word = self._by_mark.get(owner.mark)
        return word.database if word is not None and self._counts(word) else None

    def fresh(self) -> Iterator[NeonDatabase]:
        """All databases for which our word counts."""
        return (word.database for word in self._by_mark.values() if word.database is not None and self._counts(word))

    def over(self, databases: Iterable[NeonDatabase]) -> tuple[NeonDatabase, ...]:
        """What was read, with our word where it counts for more."""
        read = {database.id: database for database in databases}
        return tuple((read | {database.id: database for database in self.fresh()}).values())

    def begun_within(self, owner: Owner) -> float:
        """How old a reading may be to know of what we did."""
        word = self._by_mark.get(owner.mark)
        if word is None:
            return math.inf
        age = self._monotonic() - word.at
        # A reading that still shows what we deleted does no harm, and one that lacks what we made would.
        return age if word.database is None else max(0.0, age - self._settle_seconds)

    def _counts(self, word: _Word) -> bool:
        return self._monotonic() - word.at <= self._settle_seconds

    def _say(self, mark: str, database: NeonDatabase | None) -> None:
        now = self._monotonic()
        self._by_mark = {known: word for known, word in self._by_mark.items() if now - word.at <= _KEPT}
        self._by_mark[mark] = _Word(now, database)
