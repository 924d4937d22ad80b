"""Mutations of what services are in: projects, environments, volumes. One of a kind at a time, or it is too quickly."""

from claw_dev.simulators.railway import rendering
from claw_dev.simulators.railway.problems import gateway_failure, not_found, too_quickly
from claw_dev.simulators.railway.records import Environment, Instance, Json, Project, Record, Service, Volume
from claw_dev.simulators.railway.request import Request
from claw_dev.simulators.railway.teardown import tear_down

_KINDS: dict[type[Record], str] = {Project: "projects", Environment: "environments", Volume: "volumes"}
_VOLUMES = 20


def _throttle(request: Request, kind: type[Record]) -> None:
    newest = max((one.born for one in request.world.ever(kind)), default=None)
    pause = request.world.pace.throttle
    if newest is not None and request.world.monotonic() - newest < pause:
        raise too_quickly(_KINDS[kind], pause)


async def create_project(request: Request, args: Json) -> Json:
    """`projectCreate`: with one environment. It is not authorized for anybody until reads have caught up."""
    request.wide_token()
    _throttle(request, Project)
    wanted: Json = args["input"]
    project = request.world.make(
        Project, name=wanted.get("name") or "charming-simulation", workspace_id=request.world.workspace_id
    )
    request.world.make(Environment, project_id=project.id, name=wanted.get("defaultEnvironmentName") or "production")
    return rendering.project(request.world, project)


async def delete_project(request: Request, args: Json) -> bool:
    """`projectDelete`: with everything in it."""
    request.wide_token()
    project = request.project(args["id"])
    for environment in request.world.environments_of(project):
        await _delete_environment(request, environment)
    for service in request.world.all(Service):
        if service.project_id == project.id:
            request.world.delete(service)
    request.world.delete(project)
    return True


async def create_environment(request: Request, args: Json) -> Json:
    """`environmentCreate`: an empty one. What it would copy from a source environment is not imitated."""
    request.wide_token()
    wanted: Json = args["input"]
    project = request.project(wanted["projectId"])
    if wanted.get("sourceEnvironmentId"):
        raise gateway_failure()
    _throttle(request, Environment)
    environment = request.world.make(Environment, project_id=project.id, name=wanted["name"])
    return rendering.environment(request.world, environment)


async def delete_environment(request: Request, args: Json) -> bool:
    """`environmentDelete`: with everything that runs in it."""
    request.wide_token()
    await _delete_environment(request, request.environment(args["id"]))
    return True


async def _delete_environment(request: Request, environment: Environment) -> None:
    for instance in request.world.all(Instance):
        if instance.environment_id == environment.id:
            await tear_down(instance, request.world, request.deployments, request.edge)
    request.world.delete(environment)


async def create_volume(request: Request, args: Json) -> Json:
    """`volumeCreate`: for one service."""
    wanted: Json = args["input"]
    project = request.project(wanted["projectId"])
    if wanted.get("environmentId") is not None:
        request.environment(wanted["environmentId"])
    _throttle(request, Volume)
    if sum(one.project_id == project.id for one in request.world.all(Volume)) >= _VOLUMES:
        raise gateway_failure()
    volume = request.world.make(
        Volume,
        project_id=project.id,
        environment_id=wanted.get("environmentId"),
        service_id=wanted.get("serviceId"),
        name=f"volume-{request.world.random.getrandbits(16):04x}",
        mount_path=wanted["mountPath"],
        region=wanted.get("region"),
    )
    return rendering.volume(volume)


async def delete_volume(request: Request, args: Json) -> bool:
    """`volumeDelete`."""
    volume = request.world.find(Volume, args["volumeId"])
    if volume is None or not volume.exists:
        raise not_found("Volume")
    request.project(volume.project_id)
    request.world.delete(volume)
    return True
