"""A simulated Railway and a client for it, and the real schema when this machine has it."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import GraphQLSchema, build_client_schema

from claw_dev.simulators.railway.records import Deployment, Json
from claw_dev.simulators.railway.simulator import RailwaySimulator
from tests.eventually import eventually

REAL_SCHEMA = Path(__file__).parents[3] / "shared" / "data" / "railway-schema.json"
TOKEN = "railway-token"


def real_schema(
    *, unchecked: str, path: Path = REAL_SCHEMA, environment: Mapping[str, str] = os.environ
) -> GraphQLSchema:
    """Railway's own schema. On a machine without it the test says what it did not check; in CI that fails."""
    if not path.exists():
        story = f"there is no {path.name} beside the repository, so nobody checked {unchecked}"
        if environment.get("CI") == "true":
            pytest.fail(story)
        pytest.skip(story)
    introspection = json.loads(path.read_bytes())["data"]
    # It is invalid by graphql-core's own rules: a field is deprecated that its interface has and does not deprecate.
    return build_client_schema(introspection, assume_valid=True)


@dataclass(frozen=True)
class Client:
    """Sends documents as they are, and repeats nothing."""

    simulator: RailwaySimulator
    http: httpx.AsyncClient
    token: str = TOKEN

    async def send(self, document: str, **variables: Any) -> httpx.Response:
        """The whole answer."""
        return await self.http.post(
            f"{self.simulator.url}?operation=test",
            json={"query": document, "variables": variables},
            headers={"Authorization": f"Bearer {self.token}"},
        )

    async def ask(self, document: str, **variables: Any) -> Json:
        """The data. Fails on any error."""
        answer = (await self.send(document, **variables)).json()
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])

    async def refusal(self, document: str, **variables: Any) -> str:
        """What the one error says, which came with 200 and the code that says nothing."""
        response = await self.send(document, **variables)
        assert response.status_code == 200, response.text
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert error["traceId"]
        return str(error["message"])

    @property
    def place(self) -> Json:
        """Project and environment, as most inputs want them."""
        return {"projectId": self.simulator.project.id, "environmentId": self.simulator.environment.id}

    async def create(self, name: str, **more: Any) -> str:
        """A service, and its id."""
        document = "mutation M($input: ServiceCreateInput!) { serviceCreate(input: $input) { id } }"
        made = await self.ask(document, input=self.place | {"name": name} | more)
        return str(made["serviceCreate"]["id"])

    async def delete(self, service_id: str) -> None:
        """Delete a service in all environments."""
        await self.ask("mutation M($id: String!) { serviceDelete(id: $id) }", id=service_id)

    async def domain(self, service_id: str) -> str:
        """A domain for the service."""
        made = await self.ask(
            "mutation M($input: ServiceDomainCreateInput!) { serviceDomainCreate(input: $input) { domain } }",
            input={"serviceId": service_id, "environmentId": self.simulator.environment.id},
        )
        return str(made["serviceDomainCreate"]["domain"])

    async def configure(self, service_id: str, **settings: Any) -> None:
        """Store settings."""
        await self.ask(
            """mutation M($service: String!, $environment: String!, $input: ServiceInstanceUpdateInput!) {
                 serviceInstanceUpdate(serviceId: $service, environmentId: $environment, input: $input) }""",
            service=service_id,
            environment=self.simulator.environment.id,
            input=settings,
        )

    async def set_variables(self, service_id: str, variables: dict[str, str], **how: bool) -> None:
        """Write variables; without `skipDeploys=True` that deploys."""
        await self.ask(
            "mutation M($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }",
            input=self.place | {"serviceId": service_id, "variables": variables} | how,
        )

    async def deploy(self, service_id: str) -> str:
        """Deploy it as it is now, and the deployment's id."""
        made = await self.ask(
            """mutation M($service: String!, $environment: String!) {
                 serviceInstanceDeployV2(serviceId: $service, environmentId: $environment) }""",
            service=service_id,
            environment=self.simulator.environment.id,
        )
        return str(made["serviceInstanceDeployV2"])

    async def instances(self, first: int = 100, after: str | None = None) -> Json:
        """One page of the environment's instances: `names`, `nodes` and `pageInfo`."""
        data = await self.ask(
            """query Q($environment: String!, $first: Int, $after: String) { environment(id: $environment) {
                 serviceInstances(first: $first, after: $after) {
                   edges { node { serviceId serviceName numReplicas source { image repo }
                     latestDeployment { id status } activeDeployments { id status } } }
                   pageInfo { hasNextPage endCursor } } } }""",
            environment=self.simulator.environment.id,
            first=first,
            after=after,
        )
        page = data["environment"]["serviceInstances"]
        nodes = [edge["node"] for edge in page["edges"]]
        return {"names": [node["serviceName"] for node in nodes], "nodes": nodes, "pageInfo": page["pageInfo"]}

    async def status(self, deployment_id: str) -> str:
        """What a deployment is doing; `unseen` while it is too new."""
        document = "query Q($id: String!) { deployment(id: $id) { status } }"
        answer = (await self.send(document, id=deployment_id)).json()
        return "unseen" if "errors" in answer else str(answer["data"]["deployment"]["status"])


@asynccontextmanager
async def railway_and_client(**options: Any) -> AsyncIterator[Client]:
    """A simulator with these options, and a client for it."""
    async with RailwaySimulator(token=TOKEN, **options) as railway, httpx.AsyncClient(trust_env=False) as http:
        yield Client(railway, http)


async def ends_as(client: Client, deployment: str, status: str, *, patience: float = 10) -> None:
    """Wait until the deployment is in that state, for `patience` seconds."""

    async def done() -> bool:
        return await client.status(deployment) == status

    await eventually(done, patience, describe=lambda: client.simulator.world.find(Deployment, deployment))
