"""All branches of the Neon project, read at once for everybody who asks.

Endpoints seldom change and have a list of their own. That list is only read when a branch shows that is not known yet,
when something is under way, or when it is old: at rest a fleet costs one call a page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic as process_time

from claw_operator.external import Owner, Rejected
from claw_operator.external.budget import Lane
from claw_operator.external.fleet import Shared
from claw_operator.external.neon.api import NeonApi
from claw_operator.external.neon.database import MARK, NeonDatabase, of_branch, read_write
from claw_operator.external.neon.errors import Missing
from claw_operator.external.neon.models import Branch, Endpoint
from claw_operator.external.neon.words import Words

_ENDPOINTS_KEPT, _KEPT_IN_A_HURRY = 3600.0, 60.0  # seconds
_TASK = "list the databases"


@dataclass(frozen=True)
class Reading:
    """The project at one moment, complete."""

    branches: Mapping[str, Branch]
    """All of them, by id."""
    by_mark: Mapping[str, Sequence[NeonDatabase]]
    """Those that bear an owner mark."""

    @property
    def databases(self) -> list[NeonDatabase]:
        """All that bear an owner mark."""
        return [database for databases in self.by_mark.values() for database in databases]

    def of(self, owner: Owner) -> Sequence[NeonDatabase]:
        """What bears the owner's mark."""
        return self.by_mark.get(owner.mark, ())

    def children(self, branch: str) -> list[str]:
        """The names of the branches that were made from that one."""
        return sorted(one.name for one in self.branches.values() if one.parent_id == branch)


class BranchFleet:
    """The databases of one Neon project. Times are in seconds."""

    def __init__(
        self,
        api: NeonApi,
        project: str,
        *,
        settle_seconds: float,
        shortest_age: float,
        poll_seconds: float,
        monotonic: Callable[[], float] = process_time,
    ) -> None:
        """Readings up to `shortest_age` old are good for everybody; who asks for newer ones is in a hurry."""
        self._api = api
        self._project = project
        self._shortest_age = shortest_age
        self._poll_seconds = poll_seconds
        self._monotonic = monotonic
        self._shared = Shared(self._read, monotonic=monotonic)
        self._words = Words(settle_seconds=settle_seconds, monotonic=monotonic)
        self._lane = Lane.ROUTINE
        self._endpoints: dict[str, Endpoint | None] = {}
        self._endpoints_read_at: float | None = None

    async def aclose(self) -> None:
        """End the reading that is under way."""
        await self._shared.aclose()

    async def all(self) -> list[NeonDatabase]:
        """Every branch that bears an owner mark."""
        return self._words.over((await self._shared.get(self._shortest_age)).databases)

    async def reading(self) -> Reading:
        """The whole project as it was at most `shortest_age` seconds ago, for somebody who is in a hurry."""
        self._lane = Lane.URGENT
        return await self._shared.get(self._shortest_age)

    async def of(self, owner: Owner, max_age: float = 0.0) -> list[NeonDatabase]:
        """What bears the owner's mark: one, unless a person had a hand in it.

        From a reading that is at most `max_age` seconds old, or `shortest_age` if that is longer; while it is being
        made, from one that is as new as `poll_seconds` asks for.
        """
        known = self._words.of(owner, max_age)
        if known is not None:
            return [known]
        age = min(max(max_age, self._shortest_age), self._words.begun_within(owner))
        if age <= self._shortest_age:
            self._lane = Lane.URGENT
        found = self._words.over_owners(owner, (await self._shared.get(age)).of(owner))
        if not any(database.is_being_made for database in found):
            return found
        self._lane = Lane.URGENT
        return self._words.over_owners(owner, (await self._shared.get(self._poll_seconds)).of(owner))

    def wrote(self, database: NeonDatabase) -> NeonDatabase:
        """It was made or changed by us, and this is how it is now."""
        self._words.is_so(database)
        self._endpoints[database.branch.id] = database.endpoint
        return database

    def deleted(self, database: NeonDatabase) -> None:
        """It was deleted by us."""
        self._words.is_gone(database)
        self._endpoints.pop(database.branch.id, None)

    async def _read(self) -> Reading:
        lane, self._lane = self._lane, Lane.ROUTINE
        try:
            found = await self._api.branches(self._project, _TASK, lane=lane)
        except Missing as error:
            raise Rejected(f"Neon does not know the project {self._project}; set NEON_PROJECT_ID") from error
        marks = {branch: str(value[MARK]) for branch, value in found.annotations.items() if MARK in value}
        marked = [branch for branch in found.branches if Owner.of_mark(marks.get(branch.id, "")) is not None]
        await self._read_endpoints(marked, lane)
        by_mark: dict[str, list[NeonDatabase]] = {}
        for branch in marked:
            database = of_branch(branch, marks[branch.id], self._project, self._endpoints.get(branch.id))
            by_mark.setdefault(database.mark, []).append(database)
        return Reading({branch.id: branch for branch in found.branches}, by_mark)

    async def _read_endpoints(self, marked: list[Branch], lane: Lane) -> None:
        now, read_at = self._monotonic(), self._endpoints_read_at
        good_for = _KEPT_IN_A_HURRY if lane is Lane.URGENT else _ENDPOINTS_KEPT
        if not marked:
            self._endpoints_read_at = now  # none is all there are; those that we make meanwhile are known
            return
        is_old = read_at is None or now - read_at > good_for
        if not is_old and all(branch.id in self._endpoints for branch in marked):
            return
        listed = await self._api.endpoints(self._project, _TASK, lane=lane)
        read = {branch.id: read_write(listed, branch.id) for branch in marked}
        self._endpoints = read | {one.branch.id: one.endpoint for one in self._words.over(())}
        self._endpoints_read_at = now
