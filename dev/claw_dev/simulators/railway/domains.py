"""Mutations of domains: Railway's own, which race with every other change, and customers'."""

import re

from claw_dev.simulators.railway import rendering
from claw_dev.simulators.railway.problems import (
    domain_exists,
    domain_race,
    domain_taken,
    gateway_failure,
    not_a_domain,
    not_found,
)
from claw_dev.simulators.railway.records import CustomDomain, Environment, Json, ServiceDomain
from claw_dev.simulators.railway.request import Request

_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", re.IGNORECASE)
_LONGEST_LABEL = 63


async def create(request: Request, args: Json) -> Json:
    """`serviceDomainCreate`: fails when anything else of the environment changes meanwhile."""
    wanted: Json = args["input"]
    instance = request.instance(wanted["serviceId"], wanted["environmentId"])
    environment = request.environment(wanted["environmentId"])
    label = f"{instance.service.name}-{environment.name}"
    # Refused to some who set both a target port and the variable PORT, and to all whose label is no label.
    both_ports = wanted.get("targetPort") is not None and "PORT" in instance.variables
    if both_ports or len(label) > _LONGEST_LABEL:
        raise gateway_failure()
    async with request.changing(environment.id) as raced:
        if raced():
            raise domain_race()
        if any(True for _ in request.world.of(ServiceDomain, instance)):
            raise domain_exists()
        name, suffix = await request.edge.open(label, (instance.service.id, environment.id))
        domain = request.world.make(
            ServiceDomain,
            service_id=instance.service.id,
            environment_id=environment.id,
            domain=name,
            suffix=suffix,
            target_port=wanted.get("targetPort"),
        )
    return rendering.service_domain(domain)


async def update(request: Request, args: Json) -> bool:
    """`serviceDomainUpdate`: another label, or another port."""
    wanted: Json = args["input"]
    instance = request.instance(wanted["serviceId"], wanted["environmentId"])
    domain = _own(request, wanted["serviceDomainId"])
    if not wanted["domain"].endswith(domain.suffix):
        raise gateway_failure()
    if any(one.domain == wanted["domain"] and one is not domain for one in request.world.all(ServiceDomain)):
        raise domain_taken(wanted["domain"])
    async with request.changing(instance.environment_id):
        domain.domain = wanted["domain"]
        if "targetPort" in wanted:
            domain.target_port = wanted["targetPort"]
    return True


async def delete(request: Request, args: Json) -> bool:
    """`serviceDomainDelete`."""
    domain = _own(request, args["id"])
    async with request.changing(domain.environment_id):
        await request.edge.close(domain)
        request.world.delete(domain)
    return True


async def create_custom(request: Request, args: Json) -> Json:
    """`customDomainCreate`: not the same one twice."""
    wanted: Json = args["input"]
    request.project(wanted["projectId"])
    instance = request.instance(wanted["serviceId"], wanted["environmentId"])
    name = wanted["domain"].lower()
    if not _DOMAIN.fullmatch(name):
        raise not_a_domain(wanted["domain"])
    if any(one.domain == name for one in request.world.all(CustomDomain)):
        raise domain_taken(name)
    if sum(1 for _ in request.world.of(CustomDomain, instance)) >= request.world.quirks.custom_domains:
        raise gateway_failure()
    async with request.changing(instance.environment_id):
        domain = request.world.make(
            CustomDomain,
            service_id=instance.service.id,
            environment_id=instance.environment_id,
            domain=name,
            target_port=wanted.get("targetPort"),
        )
    return rendering.custom_domain(domain)


async def update_custom(request: Request, args: Json) -> bool:
    """`customDomainUpdate`: its port."""
    domain = _custom(request, args["id"])
    request.environment(args["environmentId"])
    domain.target_port = args.get("targetPort")
    return True


async def delete_custom(request: Request, args: Json) -> bool:
    """`customDomainDelete`."""
    request.world.delete(_custom(request, args["id"]))
    return True


def _own(request: Request, identifier: str) -> ServiceDomain:
    domain = request.world.find(ServiceDomain, identifier)
    if domain is None or not domain.exists:
        raise not_found("Service domain")
    _reach(request, domain)
    return domain


def _custom(request: Request, identifier: str) -> CustomDomain:
    domain = request.world.find(CustomDomain, identifier)
    if domain is None or not domain.exists:
        raise not_found("Custom domain")
    _reach(request, domain)
    return domain


def _reach(request: Request, domain: ServiceDomain | CustomDomain) -> Environment:
    return request.environment(domain.environment_id)
