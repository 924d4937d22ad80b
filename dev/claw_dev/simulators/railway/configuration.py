"""The environment's configuration, as Railway's own CLI reads it, and variables with what they refer to."""

import hashlib
import json
import re

from claw_dev.simulators.railway.pages import connection
from claw_dev.simulators.railway.records import (
    CustomDomain,
    Environment,
    Instance,
    Json,
    Record,
    ServiceDomain,
)
from claw_dev.simulators.railway.world import World

_REFERENCE = re.compile(r"\$\{\{\s*(?P<service>[^.{}]+)\.(?P<name>[^{}]+?)\s*\}\}")
_ENCRYPTED = "*****"


def configuration(world: World, environment: Environment, *, decrypt: bool) -> Json:
    """The `EnvironmentConfig`. Values are hidden unless they are wanted decrypted; what is not set is absent."""
    instances = (one for one in world.seen(Instance) if one.environment_id == environment.id)
    return {
        "services": {one.service.id: _service(world, one, decrypt=decrypt) for one in instances},
        "sharedVariables": _variables(environment.shared, decrypt=decrypt),
    }


def etag(world: World, environment: Environment) -> str:
    """Changes with the configuration."""
    text = json.dumps(configuration(world, environment, decrypt=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _service(world: World, instance: Instance, *, decrypt: bool) -> Json:
    settings = {name: value for name, value in instance.settings.items() if value is not None}
    replicas, region = settings.get("numReplicas", 1), settings.get("region")
    if region is not None and "multiRegionConfig" not in settings:
        settings["multiRegionConfig"] = {region: {"numReplicas": replicas}}
    if instance.limits:
        settings["limitOverride"] = {"containers": instance.limits}
    return {
        "source": {name: value for name, value in instance.source.items() if value is not None},
        "variables": _variables(instance.variables, decrypt=decrypt)
        | {name: {"isSealed": True} for name in sorted(instance.sealed & instance.variables.keys())},
        "deploy": settings,
        "networking": {
            "serviceDomains": {one.domain: {"port": one.target_port} for one in world.of(ServiceDomain, instance)},
            "customDomains": {one.domain: {"port": one.target_port} for one in world.of(CustomDomain, instance)},
        },
    }


def _variables(variables: dict[str, str], *, decrypt: bool) -> Json:
    return {name: {"value": value if decrypt else _ENCRYPTED} for name, value in variables.items()}


def rendered(world: World, environment: Environment, variables: dict[str, str]) -> dict[str, str]:
    """The variables with every `${{Service.NAME}}` replaced, across the borders of services, as Railway does."""

    def value(reference: re.Match[str]) -> str:
        if reference["service"] == "shared":
            return environment.shared.get(reference["name"], "")
        for instance in world.all(Instance):
            if instance.environment_id == environment.id and instance.service.name == reference["service"]:
                return instance.variables.get(reference["name"], "")
        return ""

    return {name: _REFERENCE.sub(value, text) for name, text in variables.items()}


def variables_of(world: World, environment: Environment, args: Json) -> Json:
    """The names of all variables of an environment, in pages."""
    owners: list[tuple[Record, str | None, dict[str, str]]] = [(environment, None, environment.shared)]
    owners += [
        (one, one.service.id, one.variables) for one in world.seen(Instance) if one.environment_id == environment.id
    ]
    named = [
        Record(id=f"{owner.id}:{name}", sequence=at * 10_000 + number, created_at=owner.created_at, born=owner.born)
        for at, (owner, _, variables) in enumerate(owners)
        for number, name in enumerate(variables)
    ]
    services = {owner.id: service_id for owner, service_id, _ in owners}

    sealed = {owner.id: owner.sealed for owner, _, _ in owners if isinstance(owner, Instance)}

    def render(record: Record) -> Json:
        owner, _, name = record.id.partition(":")
        return {
            "id": record.id,
            "name": name,
            "serviceId": services[owner],
            "environmentId": environment.id,
            "isSealed": name in sealed.get(owner, ()),
            "createdAt": record.created_at,
            "updatedAt": record.created_at,
        }

    return connection(named, args, world.quirks, render)
