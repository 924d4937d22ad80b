"""Computes, roles, databases and connection URIs over HTTP."""

from collections.abc import Callable

from aiohttp import web

from claw_dev.simulators.neon.api import Answer, Neon, gone, route
from claw_dev.simulators.neon.endpoints import Changed
from claw_dev.simulators.neon.paging import flag
from claw_dev.simulators.neon.problems import malformed, missing
from claw_dev.simulators.neon.records import Endpoint, Project
from claw_dev.simulators.neon.requests import CreateDatabase, CreateEndpoint, CreateRole, UpdateEndpoint, parsed


def endpoint_routes(neon: Neon) -> list[web.RouteDef]:
    """`/projects/{project_id}/endpoints`."""
    render, world, endpoints = neon.render, neon.world, neon.endpoints

    def changed(change: Changed, status: int = 200) -> web.Response:
        endpoint, operations = change
        answer = {"endpoint": render.endpoint(endpoint), "operations": render.operations(operations)}
        return web.json_response(answer, status=status)

    def command(do: Callable[[Project, Endpoint], Changed]) -> Answer:
        async def answer(request: web.Request) -> web.Response:
            return changed(do(neon.project(request), neon.endpoint(request)))

        return answer

    async def index(request: web.Request) -> web.Response:
        project = neon.project(request)
        branch_id = request.match_info.get("branch_id")
        found = [
            endpoint
            for endpoint in world.endpoints.read_all()
            if endpoint.project_id == project.id and branch_id in (None, endpoint.branch_id)
        ]
        return web.json_response({"endpoints": [render.endpoint(endpoint) for endpoint in found]})

    async def show(request: web.Request) -> web.Response:
        endpoint = world.endpoints.read(request.match_info["endpoint_id"])
        if endpoint is None or endpoint.project_id != neon.project(request).id:
            raise missing("endpoint")
        return web.json_response({"endpoint": render.endpoint(endpoint)})

    async def create(request: web.Request) -> web.Response:
        new = parsed(CreateEndpoint, await request.read()).endpoint
        return changed(endpoints.create(neon.project(request), new), 201)

    async def update(request: web.Request) -> web.Response:
        change = parsed(UpdateEndpoint, await request.read()).endpoint
        return changed(endpoints.update(neon.project(request), neon.endpoint(request), change))

    async def delete(request: web.Request) -> web.Response:
        project = neon.project(request)
        endpoint = world.endpoints.now(request.match_info["endpoint_id"])
        if endpoint is None or endpoint.project_id != project.id:
            return gone()
        return changed(endpoints.delete(project, endpoint))

    all_of_them = "/projects/{project_id}/endpoints"
    one = all_of_them + "/{endpoint_id}"
    return [
        route("listProjectBranchEndpoints", "GET", "/projects/{project_id}/branches/{branch_id}/endpoints", index),
        route("listProjectEndpoints", "GET", all_of_them, index),
        route("createProjectEndpoint", "POST", all_of_them, create),
        route("getProjectEndpoint", "GET", one, show),
        route("updateProjectEndpoint", "PATCH", one, update),
        route("deleteProjectEndpoint", "DELETE", one, delete),
        route("startProjectEndpoint", "POST", one + "/start", command(endpoints.start)),
        route("suspendProjectEndpoint", "POST", one + "/suspend", command(endpoints.suspend)),
        route("restartProjectEndpoint", "POST", one + "/restart", command(endpoints.restart)),
    ]


def role_routes(neon: Neon) -> list[web.RouteDef]:
    """`…/branches/{branch_id}/roles`."""
    render, credentials = neon.render, neon.credentials

    async def index(request: web.Request) -> web.Response:
        branch = neon.branch(request)
        return web.json_response({"roles": [render.role(role, branch) for role in branch.roles.values()]})

    async def show(request: web.Request) -> web.Response:
        branch = neon.branch(request)
        role = credentials.role(branch, request.match_info["role_name"])
        return web.json_response({"role": render.role(role, branch)})

    async def create(request: web.Request) -> web.Response:
        branch = neon.branch(request)
        role, operations = credentials.create_role(branch, parsed(CreateRole, await request.read()).role.name)
        answer = {"role": render.role(role, branch, tell_password=True), "operations": render.operations(operations)}
        return web.json_response(answer, status=201)

    async def delete(request: web.Request) -> web.Response:
        branch = neon.branch(request)
        role = branch.roles.get(request.match_info["role_name"])
        if role is None:
            return gone()
        role, operations = credentials.delete_role(branch, role)
        return web.json_response({"role": render.role(role, branch), "operations": render.operations(operations)})

    async def reveal(request: web.Request) -> web.Response:
        password = credentials.reveal(neon.project(request), neon.branch(request), request.match_info["role_name"])
        return web.json_response({"password": password})

    async def reset(request: web.Request) -> web.Response:
        branch = neon.branch(request)
        role, operations = credentials.reset(branch, request.match_info["role_name"])
        answer = {"role": render.role(role, branch, tell_password=True), "operations": render.operations(operations)}
        return web.json_response(answer)

    all_of_them = "/projects/{project_id}/branches/{branch_id}/roles"
    one = all_of_them + "/{role_name}"
    return [
        route("listProjectBranchRoles", "GET", all_of_them, index),
        route("createProjectBranchRole", "POST", all_of_them, create),
        route("getProjectBranchRole", "GET", one, show),
        route("deleteProjectBranchRole", "DELETE", one, delete),
        route("getProjectBranchRolePassword", "GET", one + "/reveal_password", reveal),
        route("resetProjectBranchRolePassword", "POST", one + "/reset_password", reset),
    ]


def database_routes(neon: Neon) -> list[web.RouteDef]:
    """`…/branches/{branch_id}/databases` and `/projects/{project_id}/connection_uri`."""
    render, credentials = neon.render, neon.credentials

    async def index(request: web.Request) -> web.Response:
        branch = neon.branch(request)
        found = [render.database(database, branch) for database in branch.databases.values()]
        return web.json_response({"databases": found})

    async def show(request: web.Request) -> web.Response:
        branch = neon.branch(request)
        database = credentials.database(branch, request.match_info["database_name"])
        return web.json_response({"database": render.database(database, branch)})

    async def create(request: web.Request) -> web.Response:
        branch = neon.branch(request)
        new = parsed(CreateDatabase, await request.read()).database
        database, operations = credentials.create_database(branch, new)
        answer = {"database": render.database(database, branch), "operations": render.operations(operations)}
        return web.json_response(answer, status=201)

    async def delete(request: web.Request) -> web.Response:
        branch = neon.branch(request)
        database = branch.databases.get(request.match_info["database_name"])
        if database is None:
            return gone()
        database, operations = credentials.delete_database(branch, database)
        answer = {"database": render.database(database, branch), "operations": render.operations(operations)}
        return web.json_response(answer)

    async def connection_uri(request: web.Request) -> web.Response:
        project, query = neon.project(request), request.query
        if "database_name" not in query or "role_name" not in query:
            raise malformed("query parameters database_name and role_name are required")
        # Neon's trap: who names no branch gets the URI of the default branch, which is everybody's parent.
        branch_id = query.get("branch_id")
        branch = neon.world.branch(project.id, branch_id) if branch_id else neon.world.default_branch(project.id)
        database = credentials.database(branch, query["database_name"])
        role = credentials.role(branch, query["role_name"])
        endpoint_id = query.get("endpoint_id")
        endpoint = neon.world.endpoint(project.id, endpoint_id) if endpoint_id else neon.world.writer_of(branch.id)
        if endpoint is None or endpoint.branch_id != branch.id:
            raise missing("endpoint")
        uri = credentials.uri(branch, endpoint, role, database, pooled=flag(query, "pooled"))
        return web.json_response({"uri": uri})

    all_of_them = "/projects/{project_id}/branches/{branch_id}/databases"
    one = all_of_them + "/{database_name}"
    return [
        route("listProjectBranchDatabases", "GET", all_of_them, index),
        route("createProjectBranchDatabase", "POST", all_of_them, create),
        route("getProjectBranchDatabase", "GET", one, show),
        route("deleteProjectBranchDatabase", "DELETE", one, delete),
        route("getConnectionURI", "GET", "/projects/{project_id}/connection_uri", connection_uri),
    ]
