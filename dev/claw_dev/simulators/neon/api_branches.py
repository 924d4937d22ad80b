"""Branches over HTTP."""

from collections.abc import Mapping

from aiohttp import web

from claw_dev.simulators.neon.api import Neon, gone, route
from claw_dev.simulators.neon.paging import by_next
from claw_dev.simulators.neon.problems import malformed, missing
from claw_dev.simulators.neon.records import Branch
from claw_dev.simulators.neon.requests import CreateBranch, UpdateBranch, parsed

_SORTED_BY = {
    "name": lambda branch: branch.name,
    "created_at": lambda branch: branch.created_at,
    "updated_at": lambda branch: branch.updated_at,
}


def branch_routes(neon: Neon) -> list[web.RouteDef]:
    """`/projects/{project_id}/branches`."""
    render, world = neon.render, neon.world

    async def create(request: web.Request) -> web.Response:
        made = neon.branches.create(neon.project(request), parsed(CreateBranch, await request.read()))
        uris = neon.connection_uris(made) if made.has_plain_uri and made.endpoints else {}
        return web.json_response(render.made(made) | uris, status=201)

    async def index(request: web.Request) -> web.Response:
        await neon.measure()
        found = _sorted(_searched(neon, request), request.query)
        page, pagination = by_next(found, request.query, lambda branch: branch.id)
        return web.json_response(
            {
                "branches": [render.branch(branch) for branch in page],
                "annotations": {
                    branch.id: render.annotation(branch) for branch in page if branch.annotation is not None
                },
                "pagination": pagination,
            }
        )

    async def count(request: web.Request) -> web.Response:
        return web.json_response({"count": len(_searched(neon, request))})

    async def show(request: web.Request) -> web.Response:
        await neon.measure()
        branch = world.branches.read(request.match_info["branch_id"])
        if branch is None or branch.project_id != neon.project(request).id:
            raise missing("branch")
        return web.json_response({"branch": render.branch(branch), "annotation": render.annotation(branch)})

    async def update(request: web.Request) -> web.Response:
        change = parsed(UpdateBranch, await request.read()).branch
        branch, operations = neon.branches.update(neon.project(request), neon.branch(request), change)
        return web.json_response({"branch": render.branch(branch), "operations": render.operations(operations)})

    async def delete(request: web.Request) -> web.Response:
        project = neon.project(request)
        branch = world.branches.now(request.match_info["branch_id"])
        if branch is None or branch.project_id != project.id:
            return gone()
        branch, operations = neon.branches.delete(project, branch)
        return web.json_response({"branch": render.branch(branch), "operations": render.operations(operations)})

    all_of_them = "/projects/{project_id}/branches"
    one = all_of_them + "/{branch_id}"
    return [
        route("listProjectBranches", "GET", all_of_them, index),
        route("createProjectBranch", "POST", all_of_them, create),
        route("countProjectBranches", "GET", all_of_them + "/count", count),
        route("getProjectBranch", "GET", one, show),
        route("updateProjectBranch", "PATCH", one, update),
        route("deleteProjectBranch", "DELETE", one, delete),
    ]


def _searched(neon: Neon, request: web.Request) -> list[Branch]:
    project = neon.project(request)
    wanted = request.query.get("search", "")
    return [
        branch
        for branch in neon.world.branches.read_all()
        if branch.project_id == project.id and (wanted in branch.name or wanted in branch.id)
    ]


def _sorted(branches: list[Branch], query: Mapping[str, str]) -> list[Branch]:
    by = query.get("sort_by", "updated_at")
    order = query.get("sort_order", "desc")
    if by not in _SORTED_BY or order not in ("asc", "desc"):
        raise malformed("query parameter sort_by or sort_order has an unknown value")
    return sorted(branches, key=lambda branch: (_SORTED_BY[by](branch), branch.id), reverse=order == "desc")
