"""All Neon projects that are instances' databases, read at once for everybody who asks.

Whose a project is cannot be seen in the list of projects. So each one that has a name of ours is asked once, and what
it said is remembered: its mark cannot change. A project that a person renamed is not found any more after a restart.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic as process_time

from claw_crds import naming
from claw_operator.external import Owner, Transient
from claw_operator.external.budget import Lane
from claw_operator.external.fleet import Shared
from claw_operator.external.neon.api import NeonApi
from claw_operator.external.neon.database import EPOCH, MARK, NeonDatabase, read_write
from claw_operator.external.neon.errors import Missing
from claw_operator.external.neon.models import Branch, Endpoint, Project
from claw_operator.external.neon.names import without_archive
from claw_operator.external.neon.words import Words

_TASK = "list the databases"
_AT_ONCE = 8  # projects that are asked at the same time
_FRESH = 60.0  # seconds for which details are good for somebody in a hurry


@dataclass(frozen=True)
class Details:
    """What only a project itself tells."""

    mark: str
    branch: Branch
    endpoint: Endpoint | None
    read_at: float


@dataclass(frozen=True)
class ProjectReading:
    """The account at one moment."""

    by_mark: Mapping[str, Sequence[NeonDatabase]]
    """The projects that bear an owner mark."""
    complete: bool
    """Neon may leave out projects that it could not read in time. Then what is missing may exist all the same."""


class ProjectFleet:
    """The projects of one account. Times are in seconds."""

    def __init__(
        self,
        api: NeonApi,
        org_id: str | None,
        *,
        settle_seconds: float,
        shortest_age: float,
        monotonic: Callable[[], float] = process_time,
    ) -> None:
        """Readings up to `shortest_age` old are good for everybody; who asks for newer ones is in a hurry."""
        self._api = api
        self._org_id = org_id
        self._shortest_age = shortest_age
        self._monotonic = monotonic
        self._shared = Shared(self._read, monotonic=monotonic)
        self._words = Words(settle_seconds=settle_seconds, monotonic=monotonic)
        self._lane = Lane.ROUTINE
        self._details: dict[str, Details] = {}

    async def aclose(self) -> None:
        """End the reading that is under way."""
        await self._shared.aclose()

    async def all(self) -> list[NeonDatabase]:
        """Every project that bears an owner mark. Raises Transient when the list is not complete."""
        reading = await self._shared.get(self._shortest_age)
        if not reading.complete:
            raise Transient("Neon could not list all projects in time")
        return self._words.over(one for databases in reading.by_mark.values() for one in databases)

    async def of(self, owner: Owner, max_age: float) -> list[NeonDatabase]:
        """What bears the owner's mark. Raises Transient when nothing does and the list is not complete."""
        known = self._words.of(owner, max_age)
        if known is not None:
            return [known]
        age = min(max(max_age, self._shortest_age), self._words.begun_within(owner))
        hurry = age <= self._shortest_age
        if hurry:
            self._lane = Lane.URGENT
        reading = await self._shared.get(age)
        found = self._words.over_owners(owner, reading.by_mark.get(owner.mark, ()))
        if not found and not reading.complete:
            raise Transient(f"Neon could not list all projects in time, and the one of {owner.name} may be missing")
        return [await self._fresh(database) for database in found] if hurry else found

    def known(self, owner: Owner) -> NeonDatabase | None:
        """What we wrote for the owner a moment ago."""
        return self._words.of(owner)

    async def search(self, owner: Owner, task: str) -> list[NeonDatabase]:
        """What bears the owner's name and mark in a list that is made now; it may not be complete."""
        listed = await self._api.projects(self._org_id, task, search=owner.external_name, lane=Lane.URGENT)
        named = [project for project in listed.projects if project.name == owner.external_name]
        databases = [await self._database(project, Lane.URGENT) for project in named]
        return [database for database in databases if database is not None and database.mark == owner.mark]

    def wrote(self, database: NeonDatabase) -> NeonDatabase:
        """It was made or changed by us, and this is how it is now."""
        self._words.is_so(database)
        details = Details(database.mark, database.branch, database.endpoint, self._monotonic())
        self._details[database.project_id] = details
        return database

    def deleted(self, database: NeonDatabase) -> None:
        """It was deleted by us."""
        self._words.is_gone(database)
        self._details.pop(database.project_id, None)

    async def _read(self) -> ProjectReading:
        lane, self._lane = self._lane, Lane.ROUTINE
        listed = await self._api.projects(self._org_id, _TASK, lane=lane)
        named = [one for one in listed.projects if naming.uid_of(without_archive(one.name)) is not None]
        places = asyncio.Semaphore(_AT_ONCE)

        async def asked(project: Project) -> NeonDatabase | None:
            async with places:
                return await self._database(project, lane)

        databases = await asyncio.gather(*(asked(project) for project in named))
        by_mark: dict[str, list[NeonDatabase]] = {}
        for database in databases:
            if database is not None and database.marked is not None:
                by_mark.setdefault(database.mark, []).append(database)
        return ProjectReading(by_mark, listed.complete)

    async def _database(self, project: Project, lane: Lane) -> NeonDatabase | None:
        """The database that a project is; None when it has vanished meanwhile."""
        details = self._details.get(project.id) or await self._asked(project.id, lane)
        return None if details is None else of_project(project, details)

    async def _fresh(self, database: NeonDatabase) -> NeonDatabase:
        """The database with its endpoint as it is now, or was a moment ago."""
        details = self._details.get(database.project_id)
        if details is None or database.is_being_made or self._monotonic() - details.read_at > _FRESH:
            details = await self._asked(database.project_id, Lane.URGENT)
        if details is None:
            return database
        return replace(database, mark=details.mark, branch=details.branch, endpoint=details.endpoint)

    async def _asked(self, project: str, lane: Lane) -> Details | None:
        read_at = self._monotonic()
        try:
            found = await self._api.branches(project, _TASK, lane=lane)
            endpoints = await self._api.endpoints(project, _TASK, lane=lane)
        except Missing:
            self._details.pop(project, None)
            return None
        branch = next((branch for branch in found.branches if branch.default), None)
        if branch is None:
            return None
        mark = str(found.annotations.get(branch.id, {}).get(MARK, ""))
        details = Details(mark, branch, read_write(endpoints, branch.id), read_at)
        self._details[project] = details
        return details


def of_project(project: Project, details: Details) -> NeonDatabase:
    """The database that a project is."""
    return NeonDatabase(
        id=project.id,
        name=project.name,
        mark=details.mark,
        project_id=project.id,
        branch=details.branch,
        endpoint=details.endpoint,
        created_at=project.created_at or EPOCH,
        # Read with the list, while the branch's own size would cost a call for each project.
        size_bytes=project.synthetic_storage_size,
        quota_bytes=project.quota_bytes,
    )
