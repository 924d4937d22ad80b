"""What people do by hand, behind the back of whoever manages the services: nobody's call, and no fault hits it."""

from collections.abc import Mapping

from claw_dev.simulators.railway.deployments import Deployments
from claw_dev.simulators.railway.edge import Edge
from claw_dev.simulators.railway.records import (
    DEFAULT_SETTINGS,
    CustomDomain,
    Deployment,
    Instance,
    Service,
    Status,
)
from claw_dev.simulators.railway.teardown import tear_down
from claw_dev.simulators.railway.world import World


class Hand:
    """Somebody in the panel. Services are meant by name; KeyError when there is none."""

    def __init__(self, world: World, deployments: Deployments, edge: Edge) -> None:
        self._world = world
        self._deployments = deployments
        self._edge = edge

    def service(self, name: str) -> Instance:
        """The service in its first environment."""
        for instance in self._world.all(Instance):
            if instance.service.name == name:
                return instance
        raise KeyError(name)

    async def delete(self, name: str, *, leaving_husk: bool = False) -> None:
        """Delete it with everything in it; as a husk it stays in the project's list, in no environment."""
        instance = self.service(name)
        await tear_down(instance, self._world, self._deployments, self._edge)
        if not leaving_husk:
            self._world.delete(instance.service)

    def rename(self, name: str, other: str) -> None:
        """Give it another name."""
        self.service(name).service.name = other

    def scale(self, name: str, replicas: int) -> None:
        """Change its replicas, without deploying."""
        self.service(name).settings["numReplicas"] = replicas

    def set_variables(self, name: str, variables: Mapping[str, str | None], *, deploy: bool = True) -> None:
        """Change variables, or remove those that are None, and deploy as the panel does."""
        instance = self.service(name)
        kept = {key: value for key, value in instance.variables.items() if key not in variables}
        instance.variables = kept | {key: value for key, value in variables.items() if value is not None}
        if deploy:
            self._deployments.begin(instance)

    def seal(self, name: str, variable: str) -> None:
        """Seal one of its variables: it goes on to work, and nobody reads it any more."""
        instance = self.service(name)
        instance.sealed |= {variable}

    def set_dns(self, domain: str) -> None:
        """Set the DNS record that a customer's own domain wants."""
        for custom in self._world.all(CustomDomain):
            if custom.domain == domain:
                custom.verified = True

    def crash(self, name: str, *, for_good: bool = True) -> None:
        """Let what runs crash: so often that it is not started again, or once."""
        deployment = self.live(name)
        if for_good:
            self._deployments.give_up(deployment)
        else:
            self._deployments.crash(deployment)

    def look_crashed(self, name: str) -> None:
        """Let its deployment say CRASHED while its one container runs."""
        deployment = self.live(name)
        deployment.status, deployment.replicas = Status.CRASHED, "RUNNING"

    def live(self, name: str) -> Deployment:
        """Its newest deployment that is live."""
        return [one for one in self._deployments.of(self.service(name)) if one.status.is_live][-1]

    def make(self, environment_id: str, project_id: str, name: str, **variables: str) -> Instance:
        """A service of somebody else's, empty."""
        service = self._world.make(Service, project_id=project_id, name=name)
        return self._world.make(
            Instance,
            service=service,
            environment_id=environment_id,
            settings=dict(DEFAULT_SETTINGS),
            source={},
            variables=variables,
            changed_at=self._world.clock(),
        )
