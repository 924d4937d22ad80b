"""What we wrote at Neon ourselves. Reads lag behind writes, so for a while our own word counts for more.

Without that a branch could look gone in the first seconds of its life, and a loop that asks would stop and call for a
person; and one that was deleted would be waited for after it has gone.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from claw_operator.external import Owner
from claw_operator.external.neon.database import NeonDatabase

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
        self._by_mark: dict[str, dict[str, _Word]] = {}
        """By owner mark, then by the database's id: most questions are about one owner, of thousands."""

    def is_so(self, database: NeonDatabase) -> None:
        """It was made or changed by us, and this is how it is now."""
        self._say(database, is_gone=False)

    def is_gone(self, database: NeonDatabase) -> None:
        """It was deleted by us, and Neon has finished that."""
        self._say(database, is_gone=True)

    def of(self, owner: Owner, max_age: float = 0.0) -> NeonDatabase | None:
        """How the owner's database is, as long as our word counts for more than a reading.

        Or, of one that is complete, as long as it is no older than a reading may be: the answer to a write is one, too.
        """
        counting = next(iter(self.over_owners(owner, ())), None)
        if counting is not None:
            return counting
        latest = max(self._by_mark.get(owner.mark, {}).values(), key=lambda word: word.at, default=None)
        if latest is None or latest.is_gone or latest.database.is_being_made:
            return None
        return latest.database if self._monotonic() - latest.at <= max_age else None

    def over_owners(self, owner: Owner, databases: Iterable[NeonDatabase]) -> list[NeonDatabase]:
        """What was read of one owner, with our word where it counts for more."""
        return self._corrected(databases, self._by_mark.get(owner.mark, {}).values())

    def over(self, databases: Iterable[NeonDatabase]) -> list[NeonDatabase]:
        """What was read of everybody, with our word where it counts for more."""
        return self._corrected(databases, (word for words in self._by_mark.values() for word in words.values()))

    def begun_within(self, owner: Owner) -> float:
        """How old a reading may be to know of what we did before our word ceased to count."""
        past = [word for word in self._by_mark.get(owner.mark, {}).values() if not self._counts(word)]
        return min((self._monotonic() - word.at - self._settle_seconds for word in past), default=math.inf)

    def _corrected(self, databases: Iterable[NeonDatabase], words: Iterable[_Word]) -> list[NeonDatabase]:
        known = {database.id: database for database in databases}
        for word in words:
            if self._counts(word) and word.is_gone:
                known.pop(word.database.id, None)
            elif self._counts(word):
                known[word.database.id] = word.database
        return list(known.values())

    def _counts(self, word: _Word) -> bool:
        return self._monotonic() - word.at <= self._settle_seconds

    def _say(self, database: NeonDatabase, *, is_gone: bool) -> None:
        now = self._monotonic()
        for mark, words in list(self._by_mark.items()):
            if all(now - word.at > _KEPT for word in words.values()):
                del self._by_mark[mark]
        self._by_mark.setdefault(database.mark, {})[database.id] = _Word(now, database, is_gone)
