"""What we wrote at Neon ourselves. Reads lag behind writes, so for a while our own word counts for more.

Without that a branch could look gone in the first seconds of its life, and a loop that asks would stop and call for a
person; and one that was deleted would be waited for after it has gone.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from claw_operator.external import Owner
from claw_operator.external.neon_database import NeonDatabase

_KEPT = 3600.0  # seconds; longer than any reading is good for


@dataclass(frozen=True)
class _Word:
    at: float
    database: NeonDatabase
    """As we left it."""
    is_gone: bool


class Words:
    """What we did last to each database. Times are in seconds."""

    def __init__(self, *, settle_seconds: float, monotonic: Callable[[], float]) -> None:
        self._settle_seconds = settle_seconds
        self._monotonic = monotonic
        self._by_id: dict[str, _Word] = {}

    def is_so(self, database: NeonDatabase) -> None:
        """It was made or changed by us, and this is how it is now."""
        self._say(database, is_gone=False)

    def is_gone(self, database: NeonDatabase) -> None:
        """It was deleted by us, and Neon has finished that."""
        self._say(database, is_gone=True)

    def of(self, owner: Owner) -> NeonDatabase | None:
        """How the owner's database is, as long as our word counts for more than a reading."""
        return next((database for database in self.over(()) if database.mark == owner.mark), None)

    def over(self, databases: Iterable[NeonDatabase]) -> tuple[NeonDatabase, ...]:
        """What was read, with our word where it counts for more."""
        known = {database.id: database for database in databases}
        for word in self._by_id.values():
            if not self._counts(word):
                continue
            if word.is_gone:
                known.pop(word.database.id, None)
            else:
                known[word.database.id] = word.database
        return tuple(known.values())

    def begun_within(self, owner: Owner) -> float:
        """How old a reading may be to know of what we did before our word ceased to count."""
        words = [word for word in self._by_id.values() if word.database.mark == owner.mark and not self._counts(word)]
        ages = [self._monotonic() - word.at - self._settle_seconds for word in words]
        return min(ages, default=math.inf)

    def _counts(self, word: _Word) -> bool:
        return self._monotonic() - word.at <= self._settle_seconds

    def _say(self, database: NeonDatabase, *, is_gone: bool) -> None:
        now = self._monotonic()
        self._by_id = {known: word for known, word in self._by_id.items() if now - word.at <= _KEPT}
        self._by_id[database.id] = _Word(now, database, is_gone)
