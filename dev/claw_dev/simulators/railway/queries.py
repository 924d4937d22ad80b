"""The queries. Each is a function of the request and the field's arguments, and returns what the field selects from."""

from collections.abc import Callable, Mapping
from typing import Any

from claw_dev.simulators.railway import rendering
from claw_dev.simulators.railway.configuration import rendered
from claw_dev.simulators.railway.pages import connection
from claw_dev.simulators.railway.problems import not_authorized, not_found
from claw_dev.simulators.railway.records import CustomDomain, Deployment, Instance, Json, Project
from claw_dev.simulators.railway.request import Request
from claw_dev.simulators.railway.tokens import TokenKind
from claw_dev.simulators.railway.world import WORKSPACE_NAME

PLAN_LIMITS = {"containers": {"cpu": 32, "memoryBytes": 32 * 10**9}, "volumes": {"maxCountPerProject": 20}}
REGIONS = (
    ("sfo", "us-west2", "California, USA", "US"),
    ("iad", "us-east4-eqdc4a", "Virginia, USA", "US"),
    ("ams", "europe-west4-drams3a", "Amsterdam, Netherlands", "NL"),
    ("sin", "asia-southeast1-eqsg3a", "Singapore", "SG"),
)


def _me(request: Request, _: Json) -> Json:
    if request.token.kind is not TokenKind.ACCOUNT:
        raise not_authorized()
    return {
        "id": request.world.workspace_id,
        "name": "Simulated user",
        "email": "somebody@example.com",
        "workspaces": [_workspace_shown(request)],
        "apiTokenRateLimit": _rate_limit(request),
    }


def _api_token(request: Request, _: Json) -> Json:
    request.wide_token()
    return {"workspaces": [{"id": request.world.workspace_id, "name": WORKSPACE_NAME}]}


def _project_token(request: Request, _: Json) -> Json:
    token = request.token
    if token.kind is not TokenKind.PROJECT or token.project_id is None or token.environment_id is None:
        raise not_found("Project Token")
    project = request.project(token.project_id)
    return {
        "id": token.environment_id,
        "name": "simulated",
        "displayToken": f"{token.secret[:4]}…",
        "createdAt": project.created_at,
        "projectId": token.project_id,
        "environmentId": token.environment_id,
        "project": rendering.project(request.world, project),
        "environment": rendering.environment(request.world, request.environment(token.environment_id)),
    }


def _workspace(request: Request, args: Json) -> Json:
    request.wide_token()
    if args["workspaceId"] != request.world.workspace_id:
        raise not_authorized()
    return _workspace_shown(request)


def _workspace_shown(request: Request) -> Json:
    return {
        "id": request.world.workspace_id,
        "name": WORKSPACE_NAME,
        "plan": "PRO",
        "has2FAEnforcement": request.world.quirks.two_factor,
        "projectCount": lambda _, includeDeleted=None: len(request.world.all(Project)),
        "subscriptionPlanLimit": PLAN_LIMITS,
        "apiTokenRateLimit": _rate_limit(request),
    }


def _rate_limit(request: Request) -> Json:
    return {"remainingPoints": request.limits.remaining, "resetsAt": str(int(request.limits.resets_at))}


def _project(request: Request, args: Json) -> Json:
    return rendering.project(request.world, request.project(args["id"]))


def _projects(request: Request, args: Json) -> Json:
    token = request.wide_token()
    # An account token sees nothing here unless it says which workspace it means.
    scoped = token.kind is TokenKind.WORKSPACE or args.get("workspaceId") == request.world.workspace_id
    seen = request.world.seen(Project) if scoped else []
    return connection(seen, args, request.world.quirks, lambda one: rendering.project(request.world, one))


def _environment(request: Request, args: Json) -> Json:
    environment = request.environment(args["id"])
    if args.get("projectId") not in (None, environment.project_id):
        raise not_authorized()
    return rendering.environment(request.world, environment)


def _service(request: Request, args: Json) -> Json:
    return rendering.service(request.seen_service(args["id"]))


def _service_instance(request: Request, args: Json) -> Json:
    return rendering.instance(request.world, _seen_instance(request, args))


def _seen_instance(request: Request, args: Json) -> Instance:
    return request.seen_instance(args["serviceId"], args["environmentId"])


def _limit_override(request: Request, args: Json) -> Json | None:
    instance = _seen_instance(request, args)
    return None if instance.limits is None else {"containers": instance.limits}


def _limits(request: Request, args: Json) -> Json:
    instance = _seen_instance(request, args)
    return PLAN_LIMITS | {"containers": PLAN_LIMITS["containers"] | (instance.limits or {})}


def _deployment(request: Request, args: Json) -> Json:
    return rendering.deployment(request.world, request.seen_deployment(args["id"]))


def _deployments(request: Request, args: Json) -> Json:
    wanted: Json = args["input"]
    status: Json = wanted.get("status") or {}
    if (environment_id := wanted.get("environmentId")) is not None:
        request.environment(environment_id)
    else:
        request.wide_token()
    if (project_id := wanted.get("projectId")) is not None:
        request.project(project_id)

    def matches(one: Deployment) -> bool:
        return (
            environment_id in (None, one.environment_id)
            and wanted.get("serviceId") in (None, one.service_id)
            and (status.get("in") is None or one.status in status["in"])
            and one.status not in (status.get("notIn") or ())
        )

    newest_first = [one for one in request.world.seen(Deployment) if matches(one)][::-1]
    return connection(newest_first, args, request.world.quirks, lambda one: rendering.deployment(request.world, one))


def _build_logs(request: Request, args: Json) -> list[Json]:
    deployment = request.seen_deployment(args["deploymentId"])
    return _log(deployment, deployment.build_log, args)


def _deployment_logs(request: Request, args: Json) -> list[Json]:
    deployment = request.seen_deployment(args["deploymentId"])
    return _log(deployment, deployment.log, args)


def _log(deployment: Deployment, lines: list[str], args: Json) -> list[Json]:
    wanted = [line for line in lines if (args.get("filter") or "") in line][-(args.get("limit") or 500) :]
    tags = {
        "deploymentId": deployment.id,
        "serviceId": deployment.service_id,
        "environmentId": deployment.environment_id,
    }
    return [
        {
            "message": line,
            "severity": "error" if "ERROR" in line or "ailed" in line else "info",
            "timestamp": deployment.status_at.isoformat(),
            "attributes": [],
            "tags": tags,
        }
        for line in wanted
    ]


def _variables(request: Request, args: Json) -> dict[str, str]:
    request.project(args["projectId"])
    environment = request.environment(args["environmentId"])
    if args.get("serviceId") is None:
        variables = environment.shared
    else:
        instance = request.seen_instance(args["serviceId"], environment.id)
        variables = {name: value for name, value in instance.variables.items() if name not in instance.sealed}
    return dict(variables) if args.get("unrendered") else rendered(request.world, environment, variables)


def _domains(request: Request, args: Json) -> Json:
    request.project(args["projectId"])
    return rendering.domains(request.world, _seen_instance(request, args))


def _custom_domain(request: Request, args: Json) -> Json:
    request.project(args["projectId"])
    domain = request.world.find(CustomDomain, args["id"])
    if domain is None or not domain.exists:
        raise not_found("Custom domain")
    return rendering.custom_domain(domain)


def _regions(_request: Request, _args: Json) -> list[Json]:
    return [
        {"id": code, "name": name, "region": name, "location": location, "country": country}
        for code, name, location, country in REGIONS
    ]


QUERIES: Mapping[str, Callable[[Request, Json], Any]] = {
    "apiToken": _api_token,
    "buildLogs": _build_logs,
    "customDomain": _custom_domain,
    "deployment": _deployment,
    "deploymentLogs": _deployment_logs,
    "deployments": _deployments,
    "domains": _domains,
    "environment": _environment,
    "me": _me,
    "project": _project,
    "projectToken": _project_token,
    "projects": _projects,
    "regions": _regions,
    "service": _service,
    "serviceInstance": _service_instance,
    "serviceInstanceLimitOverride": _limit_override,
    "serviceInstanceLimits": _limits,
    "variables": _variables,
    "workspace": _workspace,
}
