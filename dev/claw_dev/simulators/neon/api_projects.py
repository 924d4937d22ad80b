"""Projects and operations over HTTP."""

from aiohttp import web

from claw_dev.simulators.neon.api import Neon, route
from claw_dev.simulators.neon.paging import by_cursor, whole_number
from claw_dev.simulators.neon.problems import missing
from claw_dev.simulators.neon.protocol import KEY
from claw_dev.simulators.neon.requests import CreateProject, UpdateProject, parsed


def project_routes(neon: Neon) -> list[web.RouteDef]:
    """`/projects` and `/projects/{project_id}/operations`."""
    render, world = neon.render, neon.world

    async def create(request: web.Request) -> web.Response:
        new = parsed(CreateProject, await request.read()).project
        org_id = request[KEY].organisation(new.org_id)
        project, made = neon.projects.create(new, org_id)
        answer = render.made(made) | {"project": render.project(project)}
        return web.json_response(answer | neon.connection_uris(made), status=201)

    async def index(request: web.Request) -> web.Response:
        query = request.query
        org_id = request[KEY].organisation(query.get("org_id"))
        wanted = query.get("search", "")
        found = [
            project
            for project in world.projects.read_all()
            if project.org_id == org_id and (wanted in project.name or wanted in project.id)
        ]
        # A list that ran out of time names what it could not fetch, and says 200.
        unavailable = [project.id for project in found if project.id in world.unavailable_projects]
        available = [project for project in found if project.id not in world.unavailable_projects]
        limit = whole_number(query, "limit", 10, largest=400)
        page, pagination = by_cursor(available, query, limit, lambda project: project.id)
        answer = {
            "projects": [render.listed_project(project) for project in page],
            "pagination": pagination,
            "applications": {},
            "integrations": {},
        }
        return web.json_response(answer | ({"unavailable_project_ids": unavailable} if unavailable else {}))

    async def show(request: web.Request) -> web.Response:
        project = world.projects.read(request.match_info["project_id"])
        if project is None:
            raise missing("project")
        return web.json_response({"project": render.project(project)})

    async def update(request: web.Request) -> web.Response:
        change = parsed(UpdateProject, await request.read()).project
        project, operations = neon.projects.update(neon.project(request), change)
        return web.json_response({"project": render.project(project), "operations": render.operations(operations)})

    async def delete(request: web.Request) -> web.Response:
        return web.json_response({"project": render.project(neon.projects.delete(neon.project(request)))})

    async def operations(request: web.Request) -> web.Response:
        found = world.operations_of(neon.project(request).id)
        limit = whole_number(request.query, "limit", 1000, largest=1000)
        page, pagination = by_cursor(found, request.query, limit, lambda operation: operation.id)
        return web.json_response({"operations": render.operations(page), "pagination": pagination})

    async def operation(request: web.Request) -> web.Response:
        found = world.operations.get(request.match_info["operation_id"])
        if found is None or found.project_id != neon.project(request).id:
            raise missing("operation")
        return web.json_response({"operation": render.operation(found)})

    one = "/projects/{project_id}"
    return [
        route("listProjects", "GET", "/projects", index),
        route("createProject", "POST", "/projects", create),
        route("getProject", "GET", one, show),
        route("updateProject", "PATCH", one, update),
        route("deleteProject", "DELETE", one, delete),
        route("listProjectOperations", "GET", one + "/operations", operations),
        route("getProjectOperation", "GET", one + "/operations/{operation_id}", operation),
    ]
