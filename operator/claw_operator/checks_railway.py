"""Whether the operator could work with this Railway account: token, project, environment, region, calls left."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from claw_operator.checks import Check, Checks, Verdict
from claw_operator.external import ExternalError, Unauthorized
from claw_operator.external.budget import Lane
from claw_operator.external.http import Api
from claw_operator.external.railway.api import RailwayApi
from claw_operator.external.railway.options import RailwayOptions, TokenKind
from claw_operator.settings_railway import RailwaySettings

DOCUMENTS: Mapping[str, str] = {
    "CheckBearer": "query CheckBearer { apiToken { workspaces { id name } } }",
    "CheckProjectToken": "query CheckProjectToken { projectToken { projectId environmentId } }",
    "CheckProject": """
query CheckProject($id: String!) {
  project(id: $id) {
    name
    prDeploys
    workspaceId
    environments(first: 100) { edges { node { id name isEphemeral } } }
  }
}""",
    "CheckConfig": """
query CheckConfig($id: String!, $projectId: String!) {
  environment(id: $id, projectId: $projectId) { config(decryptVariables: true) }
}""",
    "CheckRegions": """
query CheckRegions($projectId: String) {
  regions(projectId: $projectId) {
    name
    deploymentConstraints { deprecationInfo { isDeprecated replacementRegion } }
  }
}""",
    "CheckBudget": """
query CheckBudget($workspaceId: String!) {
  workspace(workspaceId: $workspaceId) { name plan apiTokenRateLimit { remainingPoints } }
}""",
}
_KINDS: tuple[TokenKind, ...] = ("workspace", "project")
_FEW_CALLS = 100


async def railway_checks(settings: RailwaySettings, api: Api) -> Checks:
    """Look at everything, in the order in which a person would mend it."""
    kind = settings.railway_token_kind
    if (problem := await _token_problem(settings, api, kind)) is not None:
        yield await _refused(settings, api, problem)
        return
    yield Check("Railway token", Verdict.OK, f"accepted, as a {kind} token")

    railway = _client(settings, api, kind)
    try:
        project = (await _ask(railway, "CheckProject", id=settings.railway_project_id))["project"]
    except ExternalError as error:
        yield Check("Railway project", Verdict.MISSING, str(error), "RAILWAY_PROJECT_ID: the token must reach it")
        return
    yield Check("Railway project", Verdict.OK, f"{project['name']} ({settings.railway_project_id})")
    if project.get("prDeploys"):
        yield Check(
            "Railway project",
            Verdict.NOTE,
            "PR environments are on: deployments from a repository fail in such a project",
            "switch them off in the project's settings",
        )
    environment = _environment(settings, [edge["node"] for edge in project["environments"]["edges"]])
    yield environment.check
    if environment.id is not None:
        yield await _configuration(settings, railway, environment.id)
    if settings.railway_region is not None:
        yield await _region(settings, railway)
    if project.get("workspaceId") and kind != "project":
        yield await _calls_left(railway, project["workspaceId"])
    yield _source(settings)


async def _token_problem(settings: RailwaySettings, api: Api, kind: TokenKind) -> ExternalError | None:
    operation = "CheckProjectToken" if kind == "project" else "CheckBearer"
    try:
        await _ask(_client(settings, api, kind), operation)
    except ExternalError as error:
        return error
    return None


async def _refused(settings: RailwaySettings, api: Api, problem: ExternalError) -> Check:
    """A token of another kind than was said is the likeliest reason, and easy to find out."""
    if not isinstance(problem, Unauthorized):
        return Check("Railway", Verdict.MISSING, str(problem), "check RAILWAY_API_URL and the network")
    told = "project" if settings.railway_token_kind == "project" else "workspace"
    for kind in _KINDS:
        if kind != told and await _token_problem(settings, api, kind) is None:
            return Check(
                "Railway token",
                Verdict.MISSING,
                f"it is a {kind} token, not a {told} one",
                f"RAILWAY_TOKEN_KIND={kind}",
            )
    return Check("Railway token", Verdict.MISSING, str(problem), "make a workspace token and set RAILWAY_TOKEN to it")


@dataclass(frozen=True)
class _Environment:
    check: Check
    id: str | None = None


def _environment(settings: RailwaySettings, environments: list[dict[str, Any]]) -> _Environment:
    lasting = {node["id"]: node["name"] for node in environments if not node.get("isEphemeral")}
    chosen, subject = settings.railway_environment_id, "Railway environment"
    names = ", ".join(f"{name} ({key})" for key, name in sorted(lasting.items(), key=lambda item: item[1])) or "none"
    if chosen is not None and chosen not in lasting:
        detail = f"the project has {names}"
        return _Environment(Check(subject, Verdict.MISSING, detail, "correct RAILWAY_ENVIRONMENT_ID"))
    if chosen is None and len(lasting) != 1:
        detail = f"the project has not one environment but {names}"
        return _Environment(Check(subject, Verdict.MISSING, detail, "set RAILWAY_ENVIRONMENT_ID"))
    found = chosen if chosen is not None else next(iter(lasting))
    if len(lasting) > 1:
        detail = f"{lasting[found]}; there are others, and Railway makes services in all of them"
        return _Environment(Check(subject, Verdict.NOTE, detail, "a project with one environment is safer"), found)
    return _Environment(Check(subject, Verdict.OK, lasting[found]), found)


async def _configuration(settings: RailwaySettings, railway: RailwayApi, environment: str) -> Check:
    """Owner marks are variables: with a token that may not read them, the operator knows nothing and makes nothing."""
    subject = "Railway configuration"
    try:
        answer = await _ask(railway, "CheckConfig", id=environment, projectId=settings.railway_project_id)
    except ExternalError as error:
        return Check(subject, Verdict.MISSING, str(error), "use a token that may read the environment's variables")
    services = answer["environment"].get("config", {}).get("services", {})
    return Check(subject, Verdict.OK, f"may be read; {len(services)} services")


async def _region(settings: RailwaySettings, railway: RailwayApi) -> Check:
    wanted = settings.railway_region
    try:
        regions = (await _ask(railway, "CheckRegions", projectId=settings.railway_project_id))["regions"]
    except ExternalError as error:
        return Check("Railway region", Verdict.NOTE, f"could not be looked up: {error}")
    found = next((region for region in regions if region["name"] == wanted), None)
    if found is None:
        names = ", ".join(sorted(region["name"] for region in regions))
        return Check("Railway region", Verdict.MISSING, f"there is no {wanted}", f"RAILWAY_REGION is one of {names}")
    deprecation = (found.get("deploymentConstraints") or {}).get("deprecationInfo") or {}
    if deprecation.get("isDeprecated"):
        instead = deprecation.get("replacementRegion") or "another one"
        return Check("Railway region", Verdict.NOTE, f"{wanted} is being given up", f"RAILWAY_REGION={instead}")
    return Check("Railway region", Verdict.OK, str(wanted))


async def _calls_left(railway: RailwayApi, workspace_id: str) -> Check:
    try:
        workspace = (await _ask(railway, "CheckBudget", workspaceId=workspace_id))["workspace"]
    except ExternalError as error:
        return Check("Railway calls", Verdict.NOTE, f"how many are left is not known: {error}")
    limit = workspace.get("apiTokenRateLimit")
    if limit is None:
        return Check("Railway calls", Verdict.OK, f"workspace {workspace['name']}, plan {workspace['plan']}")
    left = limit["remainingPoints"]
    detail = f"{left} left in this hour; workspace {workspace['name']}, plan {workspace['plan']}"
    if left < _FEW_CALLS:
        hint = "give the operator a token of a workspace with a larger plan, or wait"
        return Check("Railway calls", Verdict.NOTE, detail, hint)
    return Check("Railway calls", Verdict.OK, detail)


def _source(settings: RailwaySettings) -> Check:
    if settings.clawdbot_image is not None:
        return Check("runtime", Verdict.OK, f"image {settings.clawdbot_image}")
    detail = f"repository {settings.clawdbot_repo}, branch {settings.clawdbot_ref}: built for every customer"
    return Check("runtime", Verdict.NOTE, detail, "an image (CLAWDBOT_IMAGE) starts in seconds instead of a minute")


def _client(settings: RailwaySettings, api: Api, kind: TokenKind) -> RailwayApi:
    assert settings.railway_token is not None  # noqa: S101 - both are validated
    assert settings.railway_project_id is not None  # noqa: S101
    options = RailwayOptions(
        url=str(settings.railway_api_url),
        token=settings.railway_token.get_secret_value(),
        project_id=settings.railway_project_id,
        token_kind=kind,
    )
    return RailwayApi(api, options, documents=DOCUMENTS, random=Random().random)  # noqa: S311 - jitter


async def _ask(railway: RailwayApi, operation: str, **variables: str | None) -> dict[str, Any]:
    return await railway.read(operation, variables, doing="tell about the account", lane=Lane.URGENT)
