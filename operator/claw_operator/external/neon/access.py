"""Who gets into a database at Neon: passwords, connection URLs, and endpoints that let nobody in.

A branch begins with the passwords of its parent. So the role gets a new one, and what it was is void, before anybody
learns of the database.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from claw_operator.external import ConnectionUrls, Rejected, Transient
from claw_operator.external.neon.api import NeonApi
from claw_operator.external.neon.database import NeonDatabase, read_write
from claw_operator.external.neon.errors import Conflict, Missing, PasswordsNotStored
from claw_operator.external.neon.models import Endpoint
from claw_operator.external.neon.options import NeonOptions
from claw_operator.external.neon.urls import composed_url, connection_urls
from claw_operator.external.neon.writer import Writer


class Access:
    """Opens and closes databases. `writer` gives the one writer of a Neon project by the project's id."""

    def __init__(self, api: NeonApi, options: NeonOptions, writer: Callable[[str], Writer]) -> None:
        self._api = api
        self._options = options
        self._writer = writer

    async def issue(self, database: NeonDatabase, instance: str) -> ConnectionUrls:
        """Set a new password and say how to get in with it. The password works when this returns."""
        if database.endpoint is None:
            raise Transient(f"The database of {instance} has no compute endpoint yet")
        task = f"issue credentials for the database of {instance}"
        project, branch, role = database.project_id, database.branch.id, self._options.role
        # Before anything is changed: with a URL that leads elsewhere there is no use for a password.
        try:
            uri = await self._uri(project, database.endpoint, task)
            connection_urls(uri, database.endpoint.id, "", instance)
            answer = await self._writer(project).write(
                task, lambda: self._api.reset_password(project, branch, role, task)
            )
        except Missing as error:
            raise Rejected(
                f"Neon does not find the role {role} and the database {self._options.database} for {instance}; "
                "set NEON_ROLE and NEON_DATABASE to what the template branch has"
            ) from error
        if not answer.role.password:
            raise Rejected(f"Neon set a new password for the database of {instance} without telling it")
        return connection_urls(uri, database.endpoint.id, answer.role.password, instance)

    async def close(self, database: NeonDatabase, task: str) -> NeonDatabase:
        """Let nobody in, and end the sessions of whoever is in."""
        if database.endpoint is None or database.endpoint.disabled:
            return database
        return await self._changed(database, database.endpoint, {"disabled": True}, task)

    async def open(self, database: NeonDatabase, task: str, settings: dict[str, Any] | None = None) -> NeonDatabase:
        """Let the role in. A branch without endpoint gets one, with these settings or else the project's defaults."""
        if database.endpoint is None:
            return await self._equipped(database, settings or {}, task)
        if not database.endpoint.disabled:
            return database
        return await self._changed(database, database.endpoint, {"disabled": False}, task)

    async def resize(self, database: NeonDatabase, limits: dict[str, Any], task: str) -> NeonDatabase:
        """Give the endpoint other limits. Sessions of one that is awake may end over it."""
        if database.endpoint is None:
            return database
        return await self._changed(database, database.endpoint, limits, task)

    async def _uri(self, project: str, endpoint: Endpoint, task: str) -> str:
        try:
            return await self._api.connection_uri(project, endpoint, self._options.role, self._options.database, task)
        except PasswordsNotStored:
            return composed_url(endpoint.host, self._options.role, self._options.database)

    async def _changed(
        self, database: NeonDatabase, endpoint: Endpoint, change: dict[str, Any], task: str
    ) -> NeonDatabase:
        project = database.project_id
        answer = await self._writer(project).write(
            task, lambda: self._api.change_endpoint(project, endpoint.id, change, task)
        )
        return replace(database, endpoint=answer.endpoint)

    async def _equipped(self, database: NeonDatabase, settings: dict[str, Any], task: str) -> NeonDatabase:
        project, branch = database.project_id, database.branch.id
        body = {**settings, "type": "read_write", "branch_id": branch}
        try:
            answer = await self._writer(project).write(task, lambda: self._api.create_endpoint(project, body, task))
        except Conflict:  # an earlier, lost call made it
            return replace(database, endpoint=await self._known_to_exist(project, branch, task))
        return replace(database, endpoint=answer.endpoint)

    async def _known_to_exist(self, project: str, branch: str, task: str) -> Endpoint:
        endpoint = read_write(await self._api.endpoints(project, task, branch=branch), branch)
        if endpoint is None:
            raise Transient(f"It was not possible to {task} yet: Neon does not show the endpoint that it has")
        return endpoint
