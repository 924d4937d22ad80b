"""All branches of the Neon project, read at once for everybody who asks.

Two things are known better than they can be read. What we wrote ourselves: reads lag, so for a while our own word
counts. And endpoints: they seldom change and have a list of their own, so that list is only read when a branch shows
that is not known yet, when something is under way, or when it is old.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic as process_time

from claw_operator.external import Owner
from claw_operator.external.budget import Lane
from claw_operator.external.fleet import Shared
from claw_operator.external.neon_api import NeonApi
from claw_operator.external.neon_database import MARK, NeonDatabase, read_write
from claw_operator.external.neon_models import Branch, Endpoint

_ENDPOINTS_KEPT = 600.0  # seconds
_WORDS_KEPT = 3600.0  # seconds; longer than any reading is good for
_TASK = "list the databases"


@dataclass(frozen=True)
class Reading:
    """The project at one moment, complete."""

    branches: Mapping[str, Branch]
    """All of them, by id."""
    databases: tuple[NeonDatabase, ...]
    """Those that bear an owner mark."""

    def of(self, owner: Owner) -> list[NeonDatabase]:
        """What bears the owner's mark."""
        return [database for database in self.databases if database.mark == owner.mark]

    def children(self, branch: str) -> list[str]:
        """The names of the branches that were made from that one."""
        return sorted(one.name for one in self.branches.values() if one.parent_id == branch)


@dataclass(frozen=True)
class _Word:
    """What we did last to a database; None: we deleted it."""

    at: float
    database: NeonDatabase | None


class BranchFleet:
    """The databases of one Neon project. Times are in seconds."""

    def __init__(
        self,
        api: NeonApi,
        project: str,
        *,
        settle_seconds: float,
        shortest_age: float,
        monotonic: Callable[[], float] = process_time,
    ) -> None:
        """Readings up to `shortest_age` old are good for everybody; who asks for newer ones is in a hurry."""
        self._api = api
        self._project = project
        self._settle_seconds = settle_seconds
        self._shortest_age = shortest_age
        self._monotonic = monotonic
        self._shared = Shared(self._read, monotonic=monotonic)
        self._lane = Lane.ROUTINE
        self._words: dict[str, _Word] = {}
        self._endpoints: dict[str, Endpoint | None] = {}
        self._endpoints_read_at: float | None = None

    async def aclose(self) -> None:
        """End the reading that is under way."""
        await self._shared.aclose()

    async def reading(self, max_age: float, *, begun_within: float = math.inf) -> Reading:
        """The whole project as it was at most `max_age` seconds ago, or `shortest_age` if that is longer.

        `begun_within`: how old it may be in any case, because something is known to have changed since.
        """
        if max_age <= self._shortest_age:
            self._lane = Lane.URGENT
        return await self._shared.get(min(max(max_age, self._shortest_age), max(begun_within, 0.0)))

    async def of(self, owner: Owner, max_age: float) -> list[NeonDatabase]:
        """What bears the owner's mark: one, unless a person had a hand in it. `max_age` is as for `reading`."""
        word = self._words.get(owner.mark)
        if word is None:
            return (await self.reading(max_age)).of(owner)
        age = self._monotonic() - word.at
        if word.database is None:
            return (await self.reading(max_age, begun_within=age)).of(owner)
        if age <= self._settle_seconds:
            return [word.database]
        return (await self.reading(max_age, begun_within=age - self._settle_seconds)).of(owner)

    def wrote(self, database: NeonDatabase) -> NeonDatabase:
        """It was made or changed by us, and this is how it is now."""
        self._say(database.mark, database)
        self._endpoints[database.branch.id] = database.endpoint
        return database

    def deleted(self, database: NeonDatabase) -> None:
        """It was deleted by us."""
        self._say(database.mark, None)
        self._endpoints.pop(database.branch.id, None)

    def _say(self, mark: str, database: NeonDatabase | None) -> None:
        now = self._monotonic()
        self._words = {known: word for known, word in self._words.items() if now - word.at <= _WORDS_KEPT}
        self._words[mark] = _Word(now, database)

    async def _read(self) -> Reading:
        lane, self._lane = self._lane, Lane.ROUTINE
        found = await self._api.branches(self._project, _TASK, lane=lane)
        marks = {branch: str(value[MARK]) for branch, value in found.annotations.items() if MARK in value}
        marked = [branch for branch in found.branches if Owner.of_mark(marks.get(branch.id, "")) is not None]
        await self._read_endpoints(marked, lane)
        return Reading(
            {branch.id: branch for branch in found.branches},
            tuple(self.database(branch, marks[branch.id], self._endpoints.get(branch.id)) for branch in marked),
        )

    async def _read_endpoints(self, marked: list[Branch], lane: Lane) -> None:
        now, read_at = self._monotonic(), self._endpoints_read_at
        good_for = self._settle_seconds if lane is Lane.URGENT else _ENDPOINTS_KEPT
        is_old = read_at is None or now - read_at > good_for
        if not marked or not (is_old or any(branch.id not in self._endpoints for branch in marked)):
            return
        listed = await self._api.endpoints(self._project, _TASK, lane=lane)
        by_branch = {branch.id: read_write(listed, branch.id) for branch in marked}
        # Our own word about an endpoint is newer than a list that was on its way meanwhile.
        for word in self._words.values():
            if word.database is not None and self._monotonic() - word.at <= self._settle_seconds:
                by_branch[word.database.branch.id] = word.database.endpoint
        self._endpoints = by_branch
        self._endpoints_read_at = now

    def database(self, branch: Branch, mark: str, endpoint: Endpoint | None) -> NeonDatabase:
        """The database that a branch is."""
        return NeonDatabase(
            id=branch.id,
            name=branch.name,
            mark=mark,
            project_id=self._project,
            branch=branch,
            endpoint=endpoint,
            created_at=branch.created_at or datetime(1970, 1, 1, tzinfo=UTC),
            size_bytes=branch.logical_size,
        )
