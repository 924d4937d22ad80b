"""A branch per instance, all in one Neon project.

The branch has the instance's external name, which Neon lets exist once in a project: so a creation that was not
answered is repeated safely, the second one is told "exists", and what exists is adopted if it bears our owner mark.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from claw_operator.external import DesiredDatabase, NameTaken, Owner, Rejected, Transient
from claw_operator.external.http import NoAnswer
from claw_operator.external.neon.api import NeonApi
from claw_operator.external.neon.database import MARK, NeonDatabase, chosen, of_branch, read_write, ready
from claw_operator.external.neon.errors import Conflict
from claw_operator.external.neon.fleet import BranchFleet, Reading
from claw_operator.external.neon.layout import endpoint_settings
from claw_operator.external.neon.models import Branch
from claw_operator.external.neon.options import NeonOptions
from claw_operator.external.neon.writer import Writer


class BranchLayout:
    """The branches of the options' project, `project`."""

    def __init__(
        self,
        api: NeonApi,
        project: str,
        options: NeonOptions,
        writer: Writer,
        fleet: BranchFleet,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._project = project
        self._options = options
        self._writer = writer
        self._fleet = fleet
        self._monotonic = monotonic
        self._sleep = sleep

    async def aclose(self) -> None:
        """End the reading that is under way."""
        await self._fleet.aclose()

    def writer(self, project: str) -> Writer:
        """The writer of the one project."""
        return self._writer

    def wrote(self, database: NeonDatabase) -> NeonDatabase:
        """It was changed by us, and this is how it is now."""
        return self._fleet.wrote(database)

    async def of(self, owner: Owner, max_age: float = 0.0) -> list[NeonDatabase]:
        """The branches that bear the owner's mark, whatever their name: a person may have renamed one."""
        return await self._fleet.of(owner, max_age)

    async def all(self) -> Sequence[NeonDatabase]:
        """Every branch that bears an owner mark."""
        return await self._fleet.all()

    async def make(self, desired: DesiredDatabase, task: str) -> NeonDatabase:
        """Make the branch with its endpoint, or adopt the one that an earlier, lost call made."""
        body = await self._branch_of(desired)
        try:
            answer = await self._writer.write(
                task, lambda: self._api.create_branch(self._project, body, task), begins=True
            )
        except (Conflict, NoAnswer) as error:
            return await self._adopted(desired.owner, error, task)
        endpoint = read_write(answer.endpoints, answer.branch.id)
        return self.wrote(of_branch(ready(answer.branch), desired.owner.mark, self._project, endpoint))

    async def single(self, owner: Owner, task: str) -> NeonDatabase | None:
        """The owner's branch. If a person made others with the same mark, they are left alone."""
        return chosen(await self.of(owner), owner)

    async def rename(self, database: NeonDatabase, name: str, task: str) -> NeonDatabase:
        """Give the branch another name. Its endpoint and host stay."""
        branch = database.branch.id
        answer = await self._writer.write(task, lambda: self._api.rename_branch(self._project, branch, name, task))
        return self.wrote(replace(database, name=answer.branch.name, branch=answer.branch))

    async def allot(self, database: NeonDatabase, desired: DesiredDatabase, task: str) -> NeonDatabase:
        """Nothing: the project is everybody's."""
        return database

    async def remove(self, owner: Owner, task: str) -> None:
        """Delete the branches that bear the owner's mark, with their endpoints."""
        known = await self._fleet.of(owner)
        reading = await self._fleet.reading()
        for database in {one.id: one for one in (*reading.of(owner), *known)}.values():
            _refuse_to_delete(database, reading, owner)
            await self._delete(database, task)

    async def _delete(self, database: NeonDatabase, task: str) -> None:
        branch = database.branch.id
        await self._writer.write(task, lambda: self._api.delete_branch(self._project, branch, task))
        self._fleet.deleted(database)

    async def _branch_of(self, desired: DesiredDatabase) -> dict[str, Any]:
        branch = {"name": desired.owner.external_name}
        if self._options.parent_branch is not None:
            branch["parent_id"] = await self._parent(self._options.parent_branch)
        return {
            "branch": branch,
            "endpoints": [{"type": "read_write", **endpoint_settings(desired, self._options)}],
            "annotation_value": {MARK: desired.owner.mark},
        }

    async def _parent(self, wanted: str) -> str:
        """The id of the template branch, which is told by id or by name."""
        reading = await self._fleet.reading()
        found = next((branch.id for branch in reading.branches.values() if wanted in (branch.id, branch.name)), None)
        if found is None:
            raise Rejected(f"The Neon project has no branch {wanted} to make databases from; set NEON_PARENT_BRANCH")
        if any(database.branch.id == found for database in reading.databases):
            raise Rejected(f"The branch {wanted} is a customer's; set NEON_PARENT_BRANCH to an empty template branch")
        return found

    async def _adopted(self, owner: Owner, error: Conflict | NoAnswer, task: str) -> NeonDatabase:
        """What an earlier or unanswered call made. Raises the error if there is nothing to adopt yet."""
        branch, mark = await self._looked_up(owner, error, task)
        if mark != owner.mark:
            raise NameTaken(
                f"The Neon project has a branch {owner.external_name} that does not belong to "
                f"{owner.namespace}/{owner.name}; rename or delete it"
            ) from error
        await self._writer.settled(branch.id, task)
        endpoint = read_write(await self._api.endpoints(self._project, task, branch=branch.id), branch.id)
        return self.wrote(of_branch(ready(branch), owner.mark, self._project, endpoint))

    async def _looked_up(self, owner: Owner, error: Conflict | NoAnswer, task: str) -> tuple[Branch, object]:
        """The branch of the owner's name and the mark on it."""
        deadline = self._monotonic() + self._options.settle_seconds
        while True:
            found = await self._api.branches(self._project, task, search=owner.external_name)
            branch = next((one for one in found.branches if one.name == owner.external_name), None)
            if branch is not None:
                return branch, found.annotations.get(branch.id, {}).get(MARK)
            # Repeating is safe, since the name can exist only once. A conflict is a fact, and reads lag behind it.
            if isinstance(error, NoAnswer):
                raise error
            if self._monotonic() >= deadline:
                raise Transient(f"Neon has a branch {owner.external_name} and does not show it yet") from error
            await self._sleep(self._options.poll_seconds)


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
