"""The world as tests compare it: complete, but without what differs between two runs that end alike. Pure."""

from claw_dev.simulators.railway.records import (
    CustomDomain,
    Deployment,
    Environment,
    Instance,
    Json,
    Project,
    ServiceDomain,
    Volume,
)
from claw_dev.simulators.railway.world import World


def picture(world: World) -> Json:
    """All that exists, by name: no ids, no times, no values of variables, and of deployments only those that matter."""
    return {
        project.name: {
            "environments": {one.name: _environment(world, one) for one in world.environments_of(project)},
            "volumes": sorted(one.mount_path for one in world.all(Volume) if one.project_id == project.id),
        }
        for project in world.all(Project)
    }


def _environment(world: World, environment: Environment) -> Json:
    instances = [one for one in world.all(Instance) if one.environment_id == environment.id]
    return {
        "shared": sorted(environment.shared),
        "services": {
            one.service.name: _instance(world, one) for one in sorted(instances, key=lambda i: i.service.name)
        },
    }


def _instance(world: World, instance: Instance) -> Json:
    deployments = list(world.of(Deployment, instance))
    live = [one for one in deployments if one.status.is_live]
    return {
        "source": {name: value for name, value in sorted(instance.source.items()) if value is not None},
        "settings": {name: value for name, value in sorted(instance.settings.items()) if value is not None},
        "variables": sorted(instance.variables),
        "limits": instance.limits,
        "registry": instance.registry is not None,
        "domains": sum(1 for _ in world.of(ServiceDomain, instance)),
        "custom_domains": sorted(one.domain for one in world.of(CustomDomain, instance)),
        "live": [one.status.value for one in live],
        "under_way": [one.status.value for one in deployments if one.status.is_under_way],
        "latest": deployments[-1].status.value if deployments else None,
        "live_is_current": bool(live) and is_current(live[-1], instance),
    }


def is_current(deployment: Deployment, instance: Instance) -> bool:
    """Whether it runs what the service is set to."""
    return (deployment.settings, deployment.source, deployment.variables) == (
        instance.settings,
        instance.source,
        instance.variables,
    )


def counts(world: World) -> dict[str, dict[str, int]]:
    """How many of each kind were ever made and deleted: `{"Service": {"created": 2, "deleted": 1}}`."""
    return {kind: {"created": world.created[kind], "deleted": world.deleted[kind]} for kind in sorted(world.created)}
