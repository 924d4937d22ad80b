"""The Neon driver: a branch with a compute endpoint per instance, all in one Neon project.

The branch has the instance's external name, which Neon lets exist once in a project: so a creation that was not
answered is repeated safely, the second one is told "exists", and what exists is adopted if it bears our owner mark. The
mark is an annotation that cannot be changed afterwards. Whatever bears it is the instance's database, even if a person
renamed it; what has the name and not the mark is a stranger's and left alone.

A branch is a copy of its parent: rows, roles and passwords. So the parent has to be an empty template, and the role's
password is set anew before anybody learns how to get in.

Archived means: nobody is let in, and the name tells until when it is kept. Neon's own expiry is never used; a date that
was mistaken would delete a customer's data without asking again.
"""

import asyncio
import random as system_random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic as process_time
from typing import Any

from claw_operator.external import (
    ConnectionUrls,
    DatabaseDriver,
    DesiredDatabase,
    Marked,
    NameTaken,
    ObservedDatabase,
    Owner,
    Rejected,
    Transient,
)
from claw_operator.external.http import Api, NoAnswer
from claw_operator.external.neon_access import Access
from claw_operator.external.neon_api import NeonApi
from claw_operator.external.neon_database import MARK, NeonDatabase, chosen, read_write
from claw_operator.external.neon_errors import Conflict
from claw_operator.external.neon_fleet import BranchFleet, Reading
from claw_operator.external.neon_models import BranchWritten
from claw_operator.external.neon_names import archived_name
from claw_operator.external.neon_options import NeonOptions
from claw_operator.external.neon_sizes import compute_units
from claw_operator.external.neon_writer import Durations, Sleep, Writer


class NeonDriver:
    """Makes branches in the project of the options."""

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
        """Raises ValueError when the options name no project."""
        if options.project_id is None:
            raise ValueError("isolation by branch needs the Neon project of all branches; set NEON_PROJECT_ID")
        # Every call here returns when Neon has finished what it began. Looks from outside only find what others did.
        self.poll_seconds = 4 * options.poll_seconds
        self._options = options
        self._project = options.project_id
        self._api = NeonApi(api, options.url, options.key)
        self._writer = Writer(
            self._api, self._project, options, Durations(), random=random, sleep=sleep, monotonic=monotonic
        )
        self._access = Access(self._api, options, lambda _project: self._writer)
        self._fleet = BranchFleet(
            self._api,
            self._project,
            settle_seconds=options.settle_seconds,
            shortest_age=self.poll_seconds,
            monotonic=monotonic,
        )
        self._monotonic = monotonic
        self._sleep = sleep

    async def aclose(self) -> None:
        """End the reading that is under way."""
        await self._fleet.aclose()

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedDatabase | None:
        """The branch and its endpoint; None when no branch of the project bears the owner's mark."""
        database = chosen(await self._fleet.of(owner, max_age), owner)
        return None if database is None else database.observed

    async def create(self, desired: DesiredDatabase) -> ObservedDatabase:
        """Make the branch with its endpoint, or finish and adopt what is there. Nobody knows its password yet."""
        owner = desired.owner
        task = f"create the database of {owner.name}"
        database = chosen(await self._fleet.of(owner, 0.0), owner)
        if database is None:
            database = await self._made(desired, task)
        if database.is_archived:
            database = await self._renamed(database, owner.external_name, task)
        if database.endpoint is None:
            database = self._fleet.wrote(await self._access.open(database, task, self._endpoint_settings(desired)))
        return database.observed

    async def issue_credentials(self, owner: Owner) -> ConnectionUrls:
        """Give the branch's role a new password. What the parent's was opens nothing afterwards."""
        database = chosen(await self._fleet.of(owner, 0.0), owner)
        return await self._access.issue(database, owner.name)

    async def suspend(self, owner: Owner) -> ObservedDatabase:
        """Disable the endpoint: sessions end, and no connection wakes it."""
        database = await self._existing(owner)
        closed = await self._access.close(database, f"suspend the database of {owner.name}")
        return self._fleet.wrote(closed).observed

    async def resume(self, owner: Owner) -> ObservedDatabase:
        """Enable the endpoint, or make one where it is missing. Brings an archived branch back, too."""
        task = f"resume the database of {owner.name}"
        database = await self._existing(owner)
        if database.is_archived:
            database = await self._renamed(database, owner.external_name, task)
        return self._fleet.wrote(await self._access.open(database, task)).observed

    async def archive(self, owner: Owner, until: datetime) -> None:
        """Disable the endpoint, then put the last day into the branch's name."""
        task = f"archive the database of {owner.name}"
        for database in await self._fleet.of(owner, 0.0):
            closed = self._fleet.wrote(await self._access.close(database, task))
            if not closed.is_archived:
                await self._renamed(closed, archived_name(owner.external_name, until), task)

    async def delete(self, owner: Owner) -> None:
        """Delete every branch that bears the owner's mark."""
        task = f"delete the database of {owner.name}"
        known = await self._fleet.of(owner, 0.0)
        reading = await self._fleet.reading(0.0)
        for database in {one.id: one for one in (*reading.of(owner), *known)}.values():
            _refuse_to_delete(database, reading, owner)
            await self._deleted(database, task)

    async def inventory(self) -> Sequence[Marked]:
        """Every branch that bears an owner mark."""
        reading = await self._fleet.reading(0.0)
        return [marked for database in reading.databases if (marked := database.marked) is not None]

    async def _made(self, desired: DesiredDatabase, task: str) -> NeonDatabase:
        owner = desired.owner
        body = await self._branch_of(desired)
        try:
            answer = await self._writer.write(task, lambda: self._api.create_branch(self._project, body, task))
        except (Conflict, NoAnswer) as error:
            return await self._adopted(owner, error, task)
        return self._fleet.wrote(self._of_answer(answer, owner))

    async def _branch_of(self, desired: DesiredDatabase) -> dict[str, Any]:
        owner = desired.owner
        branch = {"name": owner.external_name}
        if self._options.parent_branch is not None:
            branch["parent_id"] = await self._parent(self._options.parent_branch)
        return {
            "branch": branch,
            "endpoints": [{"type": "read_write", **self._endpoint_settings(desired)}],
            "annotation_value": {MARK: owner.mark},
        }

    async def _parent(self, wanted: str) -> str:
        """The id of the template branch, which is told by id or by name."""
        branches = (await self._fleet.reading(0.0)).branches
        found = next((branch.id for branch in branches.values() if wanted in (branch.id, branch.name)), None)
        if found is None:
            raise Rejected(f"The Neon project has no branch {wanted} to make databases from; set NEON_PARENT_BRANCH")
        return found

    def _endpoint_settings(self, desired: DesiredDatabase) -> dict[str, Any]:
        least, most = compute_units(desired.cpu_millis)
        settings: dict[str, Any] = {"autoscaling_limit_min_cu": least, "autoscaling_limit_max_cu": most}
        if self._options.suspend_timeout_seconds is not None:  # the Free plan refuses any value, even its own
            settings["suspend_timeout_seconds"] = self._options.suspend_timeout_seconds
        return settings

    def _of_answer(self, answer: BranchWritten, owner: Owner) -> NeonDatabase:
        """The branch that was made. Its operations have finished, so it is what it was about to be."""
        branch = answer.branch
        ready = branch.model_copy(update={"current_state": branch.pending_state or "ready", "pending_state": None})
        return self._fleet.database(ready, owner.mark, read_write(answer.endpoints, branch.id))

    async def _adopted(self, owner: Owner, error: Conflict | NoAnswer, task: str) -> NeonDatabase:
        """What an earlier or unanswered call made. Raises the error if there is nothing to adopt yet."""
        deadline = self._monotonic() + self._options.settle_seconds
        while True:
            found = await self._api.branches(self._project, task, search=owner.external_name)
            branch = next((one for one in found.branches if one.name == owner.external_name), None)
            if branch is not None:
                break
            # Repeating is safe, since the name can exist only once. A conflict is a fact, and reads lag behind it.
            if isinstance(error, NoAnswer):
                raise error
            if self._monotonic() >= deadline:
                raise Transient(f"Neon has a branch {owner.external_name} and does not show it yet") from error
            await self._sleep(self._options.poll_seconds)
        if found.annotations.get(branch.id, {}).get(MARK) != owner.mark:
            raise NameTaken(
                f"The Neon project has a branch {owner.external_name} that does not belong to "
                f"{owner.namespace}/{owner.name}; rename or delete it"
            ) from error
        await self._writer.settled(branch.id, task)
        endpoint = read_write(await self._api.endpoints(self._project, task, branch=branch.id), branch.id)
        answer = BranchWritten(branch=branch, endpoints=() if endpoint is None else (endpoint,))
        return self._fleet.wrote(self._of_answer(answer, owner))

    async def _existing(self, owner: Owner) -> NeonDatabase:
        database = chosen(await self._fleet.of(owner, 0.0), owner)
        if database is None:
            raise Transient(f"The database of {owner.name} is not there; it has to be created first")
        return database

    async def _deleted(self, database: NeonDatabase, task: str) -> None:
        branch = database.branch.id
        await self._writer.write(task, lambda: self._api.delete_branch(self._project, branch, task))
        self._fleet.deleted(database)

    async def _renamed(self, database: NeonDatabase, name: str, task: str) -> NeonDatabase:
        branch = database.branch.id
        answer = await self._writer.write(task, lambda: self._api.rename_branch(self._project, branch, name, task))
        return self._fleet.wrote(replace(database, name=answer.branch.name, branch=answer.branch))


def _refuse_to_delete(database: NeonDatabase, reading: Reading, owner: Owner) -> None:
    """What Neon would refuse, or what must not be lost by mistake. Raises Rejected."""
    branch = reading.branches.get(database.branch.id, database.branch)
    if branch.default or branch.parent_id is None:
        raise Rejected(f"The branch of {owner.name} is a root branch of the Neon project; it is not deleted")
    if branch.protected:
        raise Rejected(f"The branch of {owner.name} is protected; take the protection away to let it be deleted")
    children = reading.children(branch.id)
    if children:
        raise Rejected(
            f"The branch of {owner.name} has branches of its own ({', '.join(children[:3])}); delete these first"
        )


def neon_driver(
    api: Api,
    options: NeonOptions,
    *,
    random: Callable[[], float] = system_random.random,
    monotonic: Callable[[], float] = process_time,
    sleep: Sleep = asyncio.sleep,
) -> DatabaseDriver:
    """The driver for the isolation of the options."""
    return NeonDriver(api, options, random=random, monotonic=monotonic, sleep=sleep)
