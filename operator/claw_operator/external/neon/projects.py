"""A Neon project per instance: quota, region and history of its own, and no neighbour's writes to wait for.

The project has the instance's external name and its default branch the owner mark. Names of projects are not unique,
so nothing keeps a repeated request from making a second one: before a project is made, lists have to be up to date,
and after a request without answer they are looked at until reads can no longer lag behind. Should two be made all the
same, by two operators for example, the older one counts and the others are deleted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from claw_operator.external import DesiredDatabase, Owner, Rejected
from claw_operator.external.http import NoAnswer
from claw_operator.external.neon.api import NeonApi
from claw_operator.external.neon.database import EPOCH, MARK, NeonDatabase, chosen, read_write, ready
from claw_operator.external.neon.layout import endpoint_limits, endpoint_settings, region_of
from claw_operator.external.neon.models import ProjectWritten
from claw_operator.external.neon.options import NeonOptions
from claw_operator.external.neon.project_fleet import ProjectFleet
from claw_operator.external.neon.writer import Writer

_GROWTH = 1.5  # from one look for a project to the next


class ProjectLayout:
    """The projects of the account. `new_writer` makes the one writer of a project."""

    def __init__(
        self,
        api: NeonApi,
        options: NeonOptions,
        new_writer: Callable[[str], Writer],
        fleet: ProjectFleet,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._options = options
        self._new_writer = new_writer
        self._fleet = fleet
        self._monotonic = monotonic
        self._sleep = sleep
        self._writers: dict[str, Writer] = {}
        self._makers: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Another process may have made a project just before this one started.
        self._lists_are_current_at = monotonic() + options.settle_seconds

    async def aclose(self) -> None:
        """End the reading that is under way."""
        await self._fleet.aclose()

    def writer(self, project: str) -> Writer:
        """The one writer of a project."""
        return self._writers.setdefault(project, self._new_writer(project))

    def wrote(self, database: NeonDatabase) -> NeonDatabase:
        """It was changed by us, and this is how it is now."""
        return self._fleet.wrote(database)

    async def of(self, owner: Owner, max_age: float = 0.0) -> list[NeonDatabase]:
        """The projects that bear the owner's mark."""
        return await self._fleet.of(owner, max_age)

    async def all(self) -> Sequence[NeonDatabase]:
        """Every project that bears an owner mark."""
        return await self._fleet.all()

    async def single(self, owner: Owner, task: str) -> NeonDatabase | None:
        """The owner's project; younger ones of the same name are deleted."""
        databases = await self.of(owner)
        kept = chosen(databases, owner)
        for database in databases:
            if database is not kept and database.name == owner.external_name:
                await self._delete(database, owner, task)
        return kept if kept is None or len(databases) == 1 else self.wrote(kept)

    async def make(self, desired: DesiredDatabase, task: str) -> NeonDatabase:
        """Make the project, or adopt the one that an earlier, lost call made."""
        owner = desired.owner
        async with self._makers.setdefault(owner.mark, asyncio.Lock()):
            found = await self._made_meanwhile(owner, task)
            if found is not None:
                return found
            try:
                answer = await self._api.create_project(self._project_of(desired), task)
            except NoAnswer as error:
                return await self._adopted(await self._made_after_all(owner, error, task), task)
            await self.writer(answer.project.id).finished(answer, task)
            return self.wrote(_database(answer, owner))

    async def allot(self, database: NeonDatabase, desired: DesiredDatabase, task: str) -> NeonDatabase:
        """Change the project's quota, and the size of endpoints to come."""
        project, quota = database.project_id, database.observed.quota_for(desired)
        change = {"settings": _settings(quota), "default_endpoint_settings": endpoint_limits(desired)}
        await self.writer(project).write(task, lambda: self._api.change_project(project, change, task))
        return self.wrote(replace(database, quota_bytes=quota))

    async def rename(self, database: NeonDatabase, name: str, task: str) -> NeonDatabase:
        """Give the project another name."""
        project = database.project_id
        answer = await self.writer(project).write(task, lambda: self._api.change_project(project, {"name": name}, task))
        return self.wrote(replace(database, name=answer.project.name))

    async def remove(self, owner: Owner, task: str) -> None:
        """Delete the projects that bear the owner's mark."""
        for database in await self.of(owner):
            await self._delete(database, owner, task)

    async def _delete(self, database: NeonDatabase, owner: Owner, task: str) -> None:
        project = database.project_id
        if project == self._options.project_id:
            raise Rejected(f"The Neon project of {owner.name} is the one of all branches; it is not deleted")
        if database.branch.protected:
            raise Rejected(f"The branch of {owner.name} is protected; take the protection away to let it be deleted")
        await self.writer(project).write(task, lambda: self._api.delete_project(project, task))
        self._fleet.deleted(database)
        self._writers.pop(project, None)

    async def _adopted(self, database: NeonDatabase, task: str) -> NeonDatabase:
        await self.writer(database.project_id).settled(database.branch.id, task)
        return self.wrote(replace(database, branch=ready(database.branch)))

    async def _made_meanwhile(self, owner: Owner, task: str) -> NeonDatabase | None:
        """What another task of ours made, or another process just before this one started."""
        too_early = self._lists_are_current_at - self._monotonic()
        if too_early <= 0:
            return self._fleet.known(owner)
        await self._sleep(too_early)
        found = self._fleet.known(owner) or chosen(await self._fleet.search(owner, task), owner)
        return None if found is None else await self._adopted(found, task)

    async def _made_after_all(self, owner: Owner, error: NoAnswer, task: str) -> NeonDatabase:
        """What the unanswered request made. Raises the error when it certainly made nothing."""
        deadline = self._monotonic() + self._options.settle_seconds
        pause = self._options.poll_seconds
        while True:
            looked_at = self._monotonic()
            found = chosen(await self._fleet.search(owner, task), owner)
            if found is not None:
                return found
            if looked_at >= deadline:
                raise error
            await self._sleep(pause)
            pause *= _GROWTH

    def _project_of(self, desired: DesiredDatabase) -> dict[str, Any]:
        options = self._options
        body: dict[str, Any] = {
            "name": desired.owner.external_name,
            "branch": {
                "role_name": options.role,
                "database_name": options.database,
                "annotations": {MARK: desired.owner.mark},
            },
            "default_endpoint_settings": endpoint_settings(desired, options),
            "settings": _settings(desired.storage_bytes),
        }
        region = region_of(desired, options)
        body |= {"region_id": region} if region is not None else {}
        return body | ({"org_id": options.org_id} if options.org_id is not None else {})


def _settings(quota: int) -> dict[str, Any]:
    return {"quota": {"logical_size_bytes": quota}}


def _database(answer: ProjectWritten, owner: Owner) -> NeonDatabase:
    """The project that was made; its operations have finished."""
    project, branch = answer.project, answer.branch
    if branch is None:
        raise NoAnswer(f"Neon made a project for {owner.name} without telling its branch")
    return NeonDatabase(
        id=project.id,
        name=project.name,
        mark=owner.mark,
        project_id=project.id,
        branch=ready(branch),
        endpoint=read_write(answer.endpoints, branch.id),
        created_at=project.created_at or EPOCH,
        quota_bytes=project.quota_bytes,
    )
