"""Records as objects of the schema. Fields that cost something, or that take arguments, are functions."""

from typing import Any

from claw_dev.simulators.railway.configuration import configuration, etag, variables_of
from claw_dev.simulators.railway.pages import connection
from claw_dev.simulators.railway.records import (
    CustomDomain,
    Deployment,
    Environment,
    Instance,
    Json,
    Project,
    Record,
    Service,
    ServiceDomain,
    Volume,
)
from claw_dev.simulators.railway.world import World


def _record(record: Record) -> Json:
    # A read that lags shows what was deleted as it was.
    return {"id": record.id, "createdAt": record.created_at, "deletedAt": None}


def project(world: World, record: Project) -> Json:
    """A `Project`."""

    def environments(_: Any, **args: Any) -> Json:
        return connection(world.environments_of(record), args, world.quirks, lambda one: environment(world, one))

    def services(_: Any, **args: Any) -> Json:
        seen = [one for one in world.seen(Service) if one.project_id == record.id]
        return connection(seen, args, world.quirks, service)

    def volumes(_: Any, **args: Any) -> Json:
        seen = [one for one in world.seen(Volume) if one.project_id == record.id]
        return connection(seen, args, world.quirks, volume)

    return _record(record) | {
        "name": record.name,
        "prDeploys": world.quirks.pr_deploys,
        "primaryEnvironmentId": next((one.id for one in world.environments_of(record)), None),
        "workspaceId": record.workspace_id,
        "environments": environments,
        "services": services,
        "volumes": volumes,
    }


def environment(world: World, record: Environment) -> Json:
    """An `Environment`, with its instances, deployments and its whole configuration."""

    def instances(_: Any, **args: Any) -> Json:
        seen = [one for one in world.seen(Instance) if one.environment_id == record.id]
        return connection(seen, args, world.quirks, lambda one: instance(world, one))

    def deployments(_: Any, **args: Any) -> Json:
        seen = [one for one in world.seen(Deployment) if one.environment_id == record.id]
        return connection(seen[::-1], args, world.quirks, lambda one: deployment(world, one))

    def volumes(_: Any, **args: Any) -> Json:
        seen = [one for one in world.seen(Volume) if one.environment_id == record.id]
        return connection(seen, args, world.quirks, volume_instance)

    def variables(_: Any, **args: Any) -> Json:
        return variables_of(world, record, args)

    def config(_: Any, decryptVariables: bool | None = None) -> Json:
        return configuration(world, record, decrypt=bool(decryptVariables))

    return _record(record) | {
        "name": record.name,
        "projectId": record.project_id,
        "isEphemeral": False,
        "config": config,
        "configEtag": lambda _: etag(world, record),
        "serviceInstances": instances,
        "deployments": deployments,
        "variables": variables,
        "volumeInstances": volumes,
    }


def service(record: Service) -> Json:
    """A `Service`."""
    return _record(record) | {
        "name": record.name,
        "icon": record.icon,
        "projectId": record.project_id,
        "updatedAt": record.created_at,
    }


def instance(world: World, record: Instance) -> Json:
    """A `ServiceInstance`: its deployments are those that can be seen already."""
    seen = [one for one in world.of(Deployment, record) if world.is_seen(one)]

    def active(_: Any) -> list[Json]:
        return [deployment(world, one) for one in seen if one.status.is_live or one.status.is_under_way]

    return (
        _record(record)
        | record.settings
        | {
            "serviceId": record.service.id,
            "serviceName": record.service.name,
            "environmentId": record.environment_id,
            "updatedAt": record.changed_at,
            "source": {name: record.source.get(name) for name in ("image", "repo")} if record.source else None,
            "activeDeployments": active,
            "latestDeployment": lambda _: deployment(world, seen[-1]) if seen else None,
            "domains": lambda _: domains(world, record),
            "isUpdatable": False,
        }
    )


def deployment(world: World, record: Deployment) -> Json:
    """A `Deployment`."""
    environment_record = world.find(Environment, record.environment_id)

    def url(_: Any) -> str | None:
        domains_made = world.all(ServiceDomain)
        return next((one.domain for one in domains_made if one.service_id == record.service_id), None)

    manifest = {"deploy": {name: value for name, value in record.settings.items() if value is not None}}
    return _record(record) | {
        "status": record.status.value,
        "updatedAt": record.status_at,
        "statusUpdatedAt": record.status_at,
        "deploymentStopped": record.stopped,
        "instances": [{"id": record.id, "status": record.replicas}] if record.replicas else [],
        "meta": record.source | {"serviceManifest": manifest},
        "projectId": environment_record.project_id if environment_record else "",
        "environmentId": record.environment_id,
        "serviceId": record.service_id,
        "staticUrl": url,
        "url": url,
        "canRedeploy": not record.status.is_under_way,
        "canRollback": False,
        "snapshotId": record.id,
    }


def domains(world: World, record: Instance) -> Json:
    """`AllDomains` of an instance."""
    return {
        "serviceDomains": [service_domain(one) for one in world.of(ServiceDomain, record)],
        "customDomains": [custom_domain(one) for one in world.of(CustomDomain, record)],
    }


def service_domain(record: ServiceDomain) -> Json:
    """A `ServiceDomain`."""
    return _record(record) | {
        "domain": record.domain,
        "suffix": record.suffix,
        "serviceId": record.service_id,
        "environmentId": record.environment_id,
        "targetPort": record.target_port,
        "syncStatus": "ACTIVE",
    }


def custom_domain(record: CustomDomain) -> Json:
    """A `CustomDomain`, with the DNS record that its owner has to set."""
    label, _, zone = record.domain.partition(".")
    target = f"{record.id[:8]}.up.railway.app"
    wanted = {
        "fqdn": record.domain,
        "hostlabel": label,
        "zone": zone,
        "recordType": "DNS_RECORD_TYPE_CNAME",
        "purpose": "DNS_RECORD_PURPOSE_TRAFFIC_ROUTE",
        "requiredValue": target,
        "currentValue": target if record.verified else "",
        "status": "DNS_RECORD_STATUS_PROPAGATED" if record.verified else "DNS_RECORD_STATUS_REQUIRES_UPDATE",
    }
    certificate = "VALID" if record.verified else "VALIDATING_OWNERSHIP"
    return _record(record) | {
        "domain": record.domain,
        "serviceId": record.service_id,
        "environmentId": record.environment_id,
        "targetPort": record.target_port,
        "isRailwayDomain": False,
        "syncStatus": "ACTIVE",
        "status": {
            "dnsRecords": [wanted],
            "verified": record.verified,
            "verificationToken": f"railway-verify={record.id[-12:]}",
            "verificationDnsHost": f"_railway-verify.{label}",
            "certificateStatus": f"CERTIFICATE_STATUS_TYPE_{certificate}",
        },
    }


def volume(record: Volume) -> Json:
    """A `Volume`."""
    return _record(record) | {"name": record.name, "projectId": record.project_id}


def volume_instance(record: Volume) -> Json:
    """A `VolumeInstance`: the simulator has one per volume."""
    return _record(record) | {
        "volumeId": record.id,
        "serviceId": record.service_id,
        "environmentId": record.environment_id,
        "mountPath": record.mount_path,
        "region": record.region,
        "sizeMB": 5000,
        "currentSizeMB": 0.0,
        "state": "READY" if record.exists else "DELETING",
        "isPendingDeletion": not record.exists,
    }
