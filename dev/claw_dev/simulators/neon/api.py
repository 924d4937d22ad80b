"""The routes: Neon's REST API, by the operationIds of its OpenAPI document. Each family of routes has its own file."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from aiohttp import web

from claw_dev.simulators.neon.branches import Branches, Made
from claw_dev.simulators.neon.chains import Chains
from claw_dev.simulators.neon.credentials import Credentials, host_of
from claw_dev.simulators.neon.endpoints import Endpoints
from claw_dev.simulators.neon.problems import NeonProblem
from claw_dev.simulators.neon.projects import Projects
from claw_dev.simulators.neon.protocol import API_PREFIX
from claw_dev.simulators.neon.records import Branch, Endpoint, Project
from claw_dev.simulators.neon.rendering import Renderer
from claw_dev.simulators.neon.storage import Storage
from claw_dev.simulators.neon.world import World

Answer = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True)
class Neon:
    """Everything that the routes work with."""

    world: World
    chains: Chains
    storage: Storage
    render: Renderer
    projects: Projects
    branches: Branches
    endpoints: Endpoints
    credentials: Credentials

    def project(self, request: web.Request) -> Project:
        """The project of the path. Raises NeonProblem 404."""
        return self.world.project(request.match_info["project_id"])

    def branch(self, request: web.Request) -> Branch:
        """The branch of the path. Raises NeonProblem 404."""
        return self.world.branch(self.project(request).id, request.match_info["branch_id"])

    def endpoint(self, request: web.Request) -> Endpoint:
        """The endpoint of the path. Raises NeonProblem 404."""
        return self.world.endpoint(self.project(request).id, request.match_info["endpoint_id"])

    def connection_uris(self, made: Made) -> dict[str, Any]:
        """`connection_uris` of an answer to a creation: for its only role and its only database."""
        branch, endpoint = made.branch, made.endpoints[0]
        [role], [database] = branch.roles.values(), branch.databases.values()
        parameters = {
            "database": database.name,
            "role": role.name,
            "password": role.password,
            "host": host_of(endpoint),
            "pooler_host": host_of(endpoint, pooled=True),
        }
        uri = self.credentials.uri(branch, endpoint, role, database)
        return {"connection_uris": [{"connection_uri": uri, "connection_parameters": parameters}]}

    async def measure(self) -> None:
        """Bring the sizes of branches up to date, where there is something to measure."""
        for branch_id, size in (await self.storage.sizes()).items():
            branch = self.world.branches.now(branch_id)
            if branch is not None and branch.state == "ready" and branch.logical_size != size:
                self.world.branches.put(replace(branch, logical_size=size))


def route(operation: str, method: str, path: str, answer: Answer) -> web.RouteDef:
    """A route of the API, named after its operationId."""
    return web.route(method, API_PREFIX + path, answer, name=operation)


async def unknown(request: web.Request) -> web.Response:
    """What is not in the simulator."""
    raise NeonProblem(HTTPStatus.NOT_FOUND, f"the simulator has no {request.method} {request.path}")


def gone() -> web.Response:
    """204: what was to be removed is not there."""
    return web.Response(status=HTTPStatus.NO_CONTENT)
