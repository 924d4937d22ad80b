"""One request while it is executed: who asks, and everything that it may touch."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from claw_dev.simulators.railway.deployments import Deployments
from claw_dev.simulators.railway.edge import Edge
from claw_dev.simulators.railway.limits import Limits
from claw_dev.simulators.railway.problems import Problem, not_authorized, not_found, two_factor
from claw_dev.simulators.railway.records import Deployment, Environment, Instance, Project, Service
from claw_dev.simulators.railway.tokens import Token, TokenKind
from claw_dev.simulators.railway.world import WORKSPACE_NAME, World


@dataclass(frozen=True)
class Request:
    """Finds records for the one who asks. Each finder raises Problem as Railway would."""

    world: World
    deployments: Deployments
    edge: Edge
    limits: Limits
    authenticated: Token | Problem

    @property
    def token(self) -> Token:
        """The token. Raises Problem when there is no valid one: authorization is each field's own matter."""
        if isinstance(self.authenticated, Problem):
            raise self.authenticated
        if self.world.quirks.two_factor:
            raise two_factor(WORKSPACE_NAME)
        return self.authenticated

    def wide_token(self) -> Token:
        """The token, if it reaches more than one environment."""
        if self.token.kind is TokenKind.PROJECT:
            raise not_authorized()
        return self.token

    def project(self, project_id: str) -> Project:
        """The project. One that was just made is not authorized yet."""
        project = self.world.find(Project, project_id)
        if self.token.project_id not in (None, project_id):
            raise not_authorized()
        if project is None or not project.exists:
            raise not_found("Project")
        if not self.world.is_seen(project):
            raise not_authorized()
        return project

    def environment(self, environment_id: str) -> Environment:
        """The environment. Whether there is none or it is not yours is not told."""
        environment = self.world.find(Environment, environment_id)
        if self.token.environment_id not in (None, environment_id) or environment is None or not environment.exists:
            raise not_authorized()
        return environment

    def service(self, service_id: str) -> Service:
        """The service, to change it."""
        service = self.world.find(Service, service_id)
        if service is None or not service.exists:
            raise not_found(f"Service {service_id}")
        self._reachable(service)
        return service

    def seen_service(self, service_id: str) -> Service:
        """The service, to read it."""
        service = self.world.find(Service, service_id)
        if service is None or not self.world.is_seen(service):
            raise not_found(f"Service {service_id}")
        self._reachable(service)
        return service

    def instance(self, service_id: str, environment_id: str) -> Instance:
        """The service in the environment, to change it."""
        self.environment(environment_id)
        instance = self.world.instance(service_id, environment_id)
        if instance is None or not instance.exists:
            raise not_found("ServiceInstance")
        if self.world.monotonic() - instance.born < self.world.pace.write_lag:
            raise not_found("ServiceInstance")
        return instance

    def seen_instance(self, service_id: str, environment_id: str) -> Instance:
        """The service in the environment, to read it."""
        self.environment(environment_id)
        instance = self.world.instance(service_id, environment_id)
        if instance is None or not self.world.is_seen(instance):
            raise not_found("ServiceInstance")
        return instance

    def deployment(self, deployment_id: str) -> Deployment:
        """The deployment, to change it."""
        deployment = self.world.find(Deployment, deployment_id)
        if deployment is None or not deployment.exists:
            raise not_found("Deployment")
        self.environment(deployment.environment_id)
        return deployment

    def seen_deployment(self, deployment_id: str) -> Deployment:
        """The deployment, to read it."""
        deployment = self.deployment(deployment_id)
        if not self.world.is_seen(deployment):
            raise not_found("Deployment")
        return deployment

    @asynccontextmanager
    async def changing(self, environment_id: str) -> AsyncIterator[Callable[[], bool]]:
        """Change the environment's configuration, which takes its time. Yields whether another change is under way."""
        with self.world.changing(environment_id) as raced:
            await asyncio.sleep(self.world.pace.config_change)
            yield raced

    def _reachable(self, service: Service) -> None:
        if self.token.project_id not in (None, service.project_id):
            raise not_authorized()
