"""Executes documents against schema.graphql, a part of Railway's real schema."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from inspect import isawaitable
from typing import Any

from graphql import GraphQLResolveInfo, GraphQLSchema, build_schema

from claw_dev.simulators.railway import domains, places, services, variables
from claw_dev.simulators.railway.queries import QUERIES
from claw_dev.simulators.railway.records import Json
from claw_dev.simulators.railway.request import Request

MUTATIONS: Mapping[str, Callable[[Request, Json], Awaitable[Any]]] = {
    "customDomainCreate": domains.create_custom,
    "customDomainDelete": domains.delete_custom,
    "customDomainUpdate": domains.update_custom,
    "deploymentCancel": services.deployment_cancel,
    "deploymentRedeploy": services.deployment_redeploy,
    "deploymentRemove": services.deployment_remove,
    "deploymentRestart": services.deployment_restart,
    "deploymentStop": services.deployment_stop,
    "environmentCreate": places.create_environment,
    "environmentDelete": places.delete_environment,
    "projectCreate": places.create_project,
    "projectDelete": places.delete_project,
    "serviceConnect": services.connect,
    "serviceCreate": services.create,
    "serviceDelete": services.delete,
    "serviceDisconnect": services.disconnect,
    "serviceDomainCreate": domains.create,
    "serviceDomainDelete": domains.delete,
    "serviceDomainUpdate": domains.update,
    "serviceInstanceDeploy": services.deploy,
    "serviceInstanceDeployV2": services.deploy_v2,
    "serviceInstanceLimitsUpdate": variables.update_limits,
    "serviceInstanceRedeploy": services.redeploy,
    "serviceInstanceUpdate": variables.update_instance,
    "serviceUpdate": services.update,
    "variableCollectionUpsert": variables.upsert_collection,
    "variableDelete": variables.delete,
    "variableUpsert": variables.upsert,
    "volumeCreate": places.create_volume,
    "volumeDelete": places.delete_volume,
}


def sdl() -> str:
    """The schema as text."""
    return files("claw_dev.simulators.railway").joinpath("schema.graphql").read_text(encoding="utf-8")


@cache
def executable_schema() -> GraphQLSchema:
    """The schema, the same for everybody. Raises KeyError when a field of its roots has no resolver."""
    schema = build_schema(sdl())
    for root, resolvers in ((schema.query_type, QUERIES), (schema.mutation_type, MUTATIONS)):
        assert root is not None  # noqa: S101 - the schema has both
        for name, field in root.fields.items():
            field.resolve = _resolver(resolvers[name])
    moment = schema.get_type("DateTime")
    moment.coerce_output_value = _moment  # type: ignore[union-attr]  # it is a scalar, and build_schema cannot know how to write it
    return schema


def _resolver(answer: Callable[[Request, Json], Any]) -> Callable[..., Awaitable[Any]]:
    async def resolve(_: Any, info: GraphQLResolveInfo[Request], **args: Any) -> Any:
        request = info.context
        _ = request.token  # every field of the roots wants a valid one
        result = answer(request, args)
        return await result if isawaitable(result) else result

    return resolve


def _moment(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
