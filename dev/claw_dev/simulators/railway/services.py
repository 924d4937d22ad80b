"""Mutations of services and of what runs: create, rename, connect, delete, deploy, redeploy, remove."""

from claw_dev.simulators.railway import rendering
from claw_dev.simulators.railway.problems import (
    commit_not_found,
    gateway_failure,
    name_taken,
    not_found,
    nothing_to_redeploy,
    still_building,
)
from claw_dev.simulators.railway.records import (
    DEFAULT_SETTINGS,
    Deployment,
    Instance,
    Json,
    Service,
    Status,
)
from claw_dev.simulators.railway.request import Request
from claw_dev.simulators.railway.teardown import tear_down
from claw_dev.simulators.railway.variables import parse_variables
from claw_dev.simulators.railway.world import World

_LONGEST_NAME = 32


async def create(request: Request, args: Json) -> Json:
    """`serviceCreate`: with a source it is deployed at once, with the variables that came along and no others."""
    wanted: Json = args["input"]
    world = request.world
    project = request.project(wanted["projectId"])
    if (environment_id := wanted.get("environmentId")) is not None:
        environments = [request.environment(environment_id)]
    else:
        request.wide_token()
        environments = world.environments_of(project)
    name = wanted.get("name") or f"service-{world.random.getrandbits(24):06x}"
    _check_name(world, project.id, name)
    source = wanted.get("source") or {}
    variables = parse_variables(wanted.get("variables") or {})
    service = world.make(Service, project_id=project.id, name=name, icon=wanted.get("icon"))
    for environment in environments:
        instance = world.make(
            Instance,
            service=service,
            environment_id=environment.id,
            settings=dict(DEFAULT_SETTINGS),
            source=source | ({"branch": wanted.get("branch")} if source.get("repo") else {}),
            registry=wanted.get("registryCredentials"),
            variables=variables,
            changed_at=world.clock(),
        )
        if source:
            request.deployments.begin(instance)
    return rendering.service(service)


def _check_name(world: World, project_id: str, name: str, *, but: Service | None = None) -> None:
    if len(name) > _LONGEST_NAME:
        raise gateway_failure()
    for other in world.ever(Service):
        # Whether a deleted service's name is free at once is not known: it is not, until lists have forgotten it.
        taken = not world.is_forgotten(other)
        if taken and other is not but and (other.project_id, other.name) == (project_id, name):
            raise name_taken(name)


async def update(request: Request, args: Json) -> Json:
    """`serviceUpdate`: its name and icon."""
    service = request.service(args["id"])
    wanted: Json = args["input"]
    if wanted.get("name"):
        _check_name(request.world, service.project_id, wanted["name"], but=service)
        service.name = wanted["name"]
    if "icon" in wanted:
        service.icon = wanted["icon"]
    return rendering.service(service)


async def delete(request: Request, args: Json) -> bool:
    """`serviceDelete`: in one environment or in all. In its last environment it goes, too."""
    service = request.service(args["id"])
    environment_id = args.get("environmentId")
    if environment_id is not None:
        request.environment(environment_id)
    else:
        request.wide_token()
    for instance in request.world.instances_of(service):
        if environment_id in (None, instance.environment_id):
            await tear_down(instance, request.world, request.deployments, request.edge)
    leftover = request.world.instances_of(service)
    if environment_id is None or (not leftover and not request.world.quirks.leaves_husks):
        request.world.delete(service)
    return True


async def connect(request: Request, args: Json) -> Json:
    """`serviceConnect`: another source in all its environments."""
    service = request.service(args["id"])
    wanted: Json = args["input"]
    if request.world.quirks.pr_deploys and wanted.get("repo"):
        raise gateway_failure()
    source = {name: wanted[name] for name in ("image", "repo", "branch") if wanted.get(name)}
    for instance in request.world.instances_of(service):
        async with request.changing(instance.environment_id):
            instance.source = source
            if request.world.quirks.connect_deploys:
                request.deployments.begin(instance)
    return rendering.service(service)


async def disconnect(request: Request, args: Json) -> Json:
    """`serviceDisconnect`: no source any more; what runs goes on."""
    service = request.service(args["id"])
    for instance in request.world.instances_of(service):
        instance.source = {}
    return rendering.service(service)


async def deploy_v2(request: Request, args: Json) -> str:
    """`serviceInstanceDeployV2`: the settings as they are now. Returns the deployment's id."""
    instance = request.instance(args["serviceId"], args["environmentId"])
    if args.get("commitSha") is not None and not instance.source.get("repo"):
        raise commit_not_found()
    return request.deployments.begin(instance).id


async def deploy(request: Request, args: Json) -> bool:
    """`serviceInstanceDeploy`: the older form."""
    await deploy_v2(request, args)
    return True


async def redeploy(request: Request, args: Json) -> bool:
    """`serviceInstanceRedeploy`: the last deployment once more, with its old image and variables."""
    instance = request.instance(args["serviceId"], args["environmentId"])
    earlier = request.deployments.of(instance)
    if not earlier:
        raise not_found("Deployment")
    _again(request, instance, earlier[-1])
    return True


async def deployment_redeploy(request: Request, args: Json) -> Json:
    """`deploymentRedeploy`: that deployment once more."""
    earlier = request.deployment(args["id"])
    instance = request.instance(earlier.service_id, earlier.environment_id)
    return rendering.deployment(request.world, _again(request, instance, earlier))


def _again(request: Request, instance: Instance, earlier: Deployment) -> Deployment:
    if earlier.status is Status.INITIALIZING:
        raise nothing_to_redeploy()
    if earlier.status is Status.BUILDING:
        raise still_building()
    return request.deployments.begin(instance, like=earlier)


async def deployment_remove(request: Request, args: Json) -> bool:
    """`deploymentRemove`: takes it down."""
    request.deployments.remove(request.deployment(args["id"]))
    return True


async def deployment_cancel(request: Request, args: Json) -> bool:
    """`deploymentCancel`: takes it down while it is under way; later it changes nothing."""
    request.deployments.cancel(request.deployment(args["id"]))
    return True


async def deployment_stop(request: Request, args: Json) -> bool:
    """`deploymentStop`: says yes, and does nothing to a deployment that runs, as some have seen."""
    return await deployment_cancel(request, args)


async def deployment_restart(request: Request, args: Json) -> bool:
    """`deploymentRestart`: the same container anew."""
    deployment = request.deployment(args["id"])
    if not deployment.status.is_live:
        raise not_found("Deployment")
    request.deployments.restart(deployment)
    return True
