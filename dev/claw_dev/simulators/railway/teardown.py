"""Takes a service out of an environment, with everything that goes with it."""

from claw_dev.simulators.railway.deployments import Deployments
from claw_dev.simulators.railway.edge import Edge
from claw_dev.simulators.railway.records import CustomDomain, Instance, ServiceDomain
from claw_dev.simulators.railway.world import World


async def tear_down(instance: Instance, world: World, deployments: Deployments, edge: Edge) -> None:
    """Its deployments end and its domains lead nowhere. Volumes stay: nobody deletes them but their owner."""
    world.delete(instance)
    for deployment in deployments.of(instance):
        deployments.remove(deployment)
    for custom in list(world.of(CustomDomain, instance)):
        world.delete(custom)
    for domain in list(world.of(ServiceDomain, instance)):
        world.delete(domain)
        await edge.close(domain)
