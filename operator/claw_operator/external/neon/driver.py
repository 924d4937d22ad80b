"""The Neon driver: a branch per instance in one Neon project, or a Neon project per instance.

Whatever bears the instance's owner mark is its database. The mark is an annotation, written by the same request that
makes the branch and unchangeable afterwards; what has the instance's name and not the mark is a stranger's and left
alone.

A branch is a copy of its parent: rows, roles and passwords. So the parent has to be an empty template, and the role's
password is set anew before anybody learns how to get in.

Archived means: nobody is let in, and the name tells until when it is kept. Neon's own expiry is never used; a date that
was mistaken would delete a customer's data without asking again.

    neon ── branches ─┬─ fleet, words      what is there
            projects ─┤
                      └─ access ── writer ── api      who gets in; one write at a time; requests
"""

import asyncio
import random as system_random
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic as process_time

from claw_operator.external import ConnectionUrls, DesiredDatabase, Marked, ObservedDatabase, Owner, Transient
from claw_operator.external.http import Api
from claw_operator.external.neon.access import Access
from claw_operator.external.neon.api import NeonApi
from claw_operator.external.neon.branches import BranchLayout
from claw_operator.external.neon.database import NeonDatabase, chosen
from claw_operator.external.neon.fleet import BranchFleet
from claw_operator.external.neon.layout import Layout, endpoint_limits, endpoint_settings
from claw_operator.external.neon.names import archived_name
from claw_operator.external.neon.options import Isolation, NeonOptions
from claw_operator.external.neon.project_fleet import ProjectFleet
from claw_operator.external.neon.projects import ProjectLayout
from claw_operator.external.neon.writer import Durations, Sleep, Writer

_GOOD_FOR = 10.0
"""How many polls a reading is good for. Every call here returns when Neon has finished what it began, so readings only
find what others did, and one serves all instances that are waiting for something else."""


class NeonDriver:
    """Makes databases at Neon, isolated as the options say."""

    name = "neon"

    def __init__(
        self,
        api: Api,
        options: NeonOptions,
        *,
        random: Callable[[], float] = system_random.random,
        monotonic: Callable[[], float] = process_time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Raises ValueError when databases are to be branches and the options name no project."""
        self.poll_seconds = options.poll_seconds
        self._options = options
        requests = NeonApi(api, options.url, options.key, page_size=options.page_size)
        durations = Durations()

        def writer(project: str) -> Writer:
            return Writer(requests, project, options, durations, random=random, sleep=sleep, monotonic=monotonic)

        self._layout = _layout(requests, options, writer, monotonic, sleep)
        self._access = Access(requests, options, self._layout.writer)

    async def aclose(self) -> None:
        """End the reading that is under way."""
        await self._layout.aclose()

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedDatabase | None:
        """The database; None when nothing bears the owner's mark.

        What we did ourselves is known at once; what others did, after ten times `poll_seconds` at the latest.
        """
        database = chosen(await self._layout.of(owner, max_age), owner)
        return None if database is None else database.observed

    async def create(self, desired: DesiredDatabase) -> ObservedDatabase:
        """Make the database with its endpoint, or finish and adopt what is there. Nobody knows its password yet."""
        owner = desired.owner
        task = f"create the database of {owner.name}"
        database = await self._layout.single(owner, task)
        if database is None:
            database = await self._layout.make(desired, task)
        if database.is_archived:
            database = await self._back(database, owner, task)
        if database.endpoint is None:
            settings = endpoint_settings(desired, self._options)
            database = self._layout.wrote(await self._access.open(database, task, settings))
        return database.observed

    async def issue_credentials(self, owner: Owner) -> ConnectionUrls:
        """Give the role a new password. What it was, the parent's at first, opens nothing afterwards."""
        database = await self._layout.single(owner, f"issue credentials for the database of {owner.name}")
        if database is None or not database.is_open:
            raise Transient(f"The database of {owner.name} is not ready; it has to be created first")
        return await self._access.issue(database, owner.name)

    async def adjust(self, desired: DesiredDatabase) -> ObservedDatabase:
        """Give the endpoint, and a project of its own, the desired size. Open sessions may end over it."""
        task = f"resize the database of {desired.owner.name}"
        database = await self._existing(desired.owner)
        if not database.observed.is_sized_for(desired):
            database = await self._layout.allot(database, desired, task)
        if not database.observed.is_sized_for(desired):
            database = self._layout.wrote(await self._access.resize(database, endpoint_limits(desired), task))
        return database.observed

    async def suspend(self, owner: Owner) -> ObservedDatabase:
        """Disable the endpoint: sessions end, and no connection wakes it."""
        database = await self._existing(owner)
        closed = await self._access.close(database, f"suspend the database of {owner.name}")
        return self._layout.wrote(closed).observed

    async def resume(self, owner: Owner) -> ObservedDatabase:
        """Enable the endpoint, or make one where it is missing. Brings an archived database back, too."""
        task = f"resume the database of {owner.name}"
        database = await self._existing(owner)
        if database.is_archived:
            return (await self._back(database, owner, task)).observed
        return self._layout.wrote(await self._access.open(database, task)).observed

    async def archive(self, owner: Owner, until: datetime) -> None:
        """Disable the endpoint, then put the last day into the name."""
        task = f"archive the database of {owner.name}"
        for database in await self._layout.of(owner):
            closed = self._layout.wrote(await self._access.close(database, task))
            if not closed.is_archived:
                await self._layout.rename(closed, archived_name(owner.external_name, until), task)

    async def delete(self, owner: Owner) -> None:
        """Delete everything that bears the owner's mark."""
        await self._layout.remove(owner, f"delete the database of {owner.name}")

    async def inventory(self) -> Sequence[Marked]:
        """Everything that bears an owner mark."""
        return [marked for database in await self._layout.all() if (marked := database.marked) is not None]

    async def _existing(self, owner: Owner) -> NeonDatabase:
        database = chosen(await self._layout.of(owner), owner)
        if database is None:
            raise Transient(f"The database of {owner.name} is not there; it has to be created first")
        return database

    async def _back(self, database: NeonDatabase, owner: Owner, task: str) -> NeonDatabase:
        """An archived database in service again."""
        named = await self._layout.rename(database, owner.external_name, task)
        return self._layout.wrote(await self._access.open(named, task))


def _layout(
    api: NeonApi,
    options: NeonOptions,
    writer: Callable[[str], Writer],
    monotonic: Callable[[], float],
    sleep: Sleep,
) -> Layout:
    ages = {"settle_seconds": options.settle_seconds, "shortest_age": _GOOD_FOR * options.poll_seconds}
    if options.isolation is Isolation.PROJECT:
        projects = ProjectFleet(api, options.org_id, monotonic=monotonic, **ages)
        return ProjectLayout(api, options, writer, projects, monotonic=monotonic, sleep=sleep)
    project = options.project_id
    if not project:
        raise ValueError("databases are to be branches of one Neon project; set NEON_PROJECT_ID")
    branches = BranchFleet(api, project, poll_seconds=options.poll_seconds, monotonic=monotonic, **ages)
    return BranchLayout(api, project, options, writer(project), branches, monotonic=monotonic, sleep=sleep)
