"""The world without its random parts, so that two runs can be compared. Pure."""

from collections.abc import Mapping
from typing import Any

from claw_dev.simulators.neon.records import Branch, Endpoint, Project
from claw_dev.simulators.neon.world import World

Json = dict[str, Any]

_KINDS = ("projects", "branches", "endpoints")


def picture(world: World) -> list[Json]:
    """All projects with everything in them, by name: no ids, no passwords, no times."""
    projects = sorted(world.projects.all_now(), key=lambda project: (project.name, project.created_at))
    return [_project(world, project) for project in projects]


def counts(world: World) -> dict[str, int]:
    """How often each kind of thing was made and removed, and how many passwords were reset, since the beginning."""
    names = [f"{kind} {what}" for kind in _KINDS for what in ("created", "deleted")]
    return {name: world.tallies[name] for name in (*names, "passwords reset")}


def _project(world: World, project: Project) -> Json:
    names = {branch.id: branch.name for branch in world.branches_of(project.id)}
    branches = sorted(world.branches_of(project.id), key=lambda branch: branch.name)
    return {
        "name": project.name,
        "region": project.region_id,
        "settings": dict(project.settings),
        "compute": dict(project.endpoint_settings),
        "branches": [_branch(world, branch, names) for branch in branches],
    }


def _branch(world: World, branch: Branch, names: Mapping[str, str]) -> Json:
    return {
        "name": branch.name,
        "parent": names.get(branch.parent_id or ""),
        "state": branch.state,
        "default": branch.default,
        "protected": branch.protected,
        "annotation": dict(branch.annotation or {}),
        "expires": branch.expires_at is not None,
        "endpoints": [_endpoint(endpoint) for endpoint in world.endpoints_of(branch.id)],
        "roles": sorted(branch.roles),
        "databases": sorted(branch.databases),
    }


def _endpoint(endpoint: Endpoint) -> Json:
    return {
        "type": endpoint.type,
        "min_cu": endpoint.min_cu,
        "max_cu": endpoint.max_cu,
        "disabled": endpoint.disabled,
    }
