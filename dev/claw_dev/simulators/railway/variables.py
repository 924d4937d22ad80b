"""Mutations of a service's settings and variables. They store; a variable deploys as well, unless it is told not to."""

from typing import Any

from claw_dev.simulators.railway.problems import gateway_failure
from claw_dev.simulators.railway.records import Environment, Instance, Json
from claw_dev.simulators.railway.request import Request


def parse_variables(given: Any) -> dict[str, str]:
    """The map of a scalar that the schema says nothing of. Raises Problem for anything but strings."""
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise gateway_failure()
    return dict(given)


async def upsert_collection(request: Request, args: Json) -> bool:
    """`variableCollectionUpsert`: many at once; with `replace` all others go."""
    wanted: Json = args["input"]
    return await _write(
        request, wanted, parse_variables(wanted["variables"]), replace=bool(wanted.get("replace")), remove=()
    )


async def upsert(request: Request, args: Json) -> bool:
    """`variableUpsert`: one."""
    wanted: Json = args["input"]
    return await _write(request, wanted, {wanted["name"]: wanted["value"]}, replace=False, remove=())


async def delete(request: Request, args: Json) -> bool:
    """`variableDelete`: one. It always deploys."""
    wanted: Json = args["input"]
    return await _write(request, wanted, {}, replace=False, remove=(wanted["name"],))


async def _write(
    request: Request, wanted: Json, variables: dict[str, str], *, replace: bool, remove: tuple[str, ...]
) -> bool:
    request.project(wanted["projectId"])
    environment = request.environment(wanted["environmentId"])
    target: Environment | Instance = environment
    if wanted.get("serviceId") is not None:
        target = request.instance(wanted["serviceId"], environment.id)
    async with request.changing(environment.id):
        kept = {} if replace else dict(target.shared if isinstance(target, Environment) else target.variables)
        now = {name: value for name, value in (kept | variables).items() if name not in remove}
        if isinstance(target, Environment):
            target.shared = now
            return True
        target.variables = now
        target.changed_at = request.world.clock()
        # Nobody deploys what has no source yet.
        if not wanted.get("skipDeploys") and target.source:
            request.deployments.begin(target)
    return True


async def update_instance(request: Request, args: Json) -> bool:
    """`serviceInstanceUpdate`: stores what is given, and puts the replicas back to one when they are not."""
    service = request.service(args["serviceId"])
    if (environment_id := args.get("environmentId")) is not None:
        targets = [request.instance(service.id, environment_id)]
    else:
        request.wide_token()
        targets = request.world.instances_of(service)
    for instance in targets:
        async with request.changing(instance.environment_id):
            _store(instance, args["input"])
            instance.changed_at = request.world.clock()
    return True


def _store(instance: Instance, wanted: Json) -> None:
    given = dict(wanted)
    if (source := given.pop("source", None)) is not None:
        _store_source(instance, source)
    if "registryCredentials" in given:
        instance.registry = given.pop("registryCredentials")
    if given.get("startCommand") is None:
        # null is ignored; only "" takes a command back.
        given.pop("startCommand", None)
    instance.settings |= given | {"numReplicas": given.get("numReplicas") or 1}


def _store_source(instance: Instance, source: Json) -> None:
    if source.get("image"):
        instance.source = {"image": source["image"]}
    elif source.get("repo"):
        branch = instance.source.get("branch") if instance.source.get("repo") == source["repo"] else None
        instance.source = {"repo": source["repo"], "branch": branch}


async def update_limits(request: Request, args: Json) -> bool:
    """`serviceInstanceLimitsUpdate`: CPUs and memory at most."""
    wanted: Json = args["input"]
    instance = request.instance(wanted["serviceId"], wanted["environmentId"])
    async with request.changing(instance.environment_id):
        limits = dict(instance.limits or {})
        if wanted.get("vCPUs") is not None:
            limits["cpu"] = wanted["vCPUs"]
        if wanted.get("memoryGB") is not None:
            limits["memoryBytes"] = round(wanted["memoryGB"] * 1_000_000_000)
        instance.limits = limits
    return True
