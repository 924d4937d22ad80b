"""Deployments of the simulated Railway over real HTTP: the states they walk, and what answers at their domains."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from claw_dev.simulators.railway.pace import Pace, Quirks
from claw_dev.simulators.railway.records import Status
from tests.contract.railway_world import Client, ends_as, railway_and_client
from tests.eventually import eventually

QUICK = Pace.quick().but(lag=0.0)
PROGRAM = (sys.executable, "-S", str(Path(__file__).with_name("railway_program.py")))
IMAGE = {"image": "claw/bot:1"}

REDEPLOY = """mutation M($service: String!, $environment: String!) {
  serviceInstanceRedeploy(serviceId: $service, environmentId: $environment) }"""
STOP = "mutation M($id: String!) { deploymentStop(id: $id) }"
REMOVE = "mutation M($id: String!) { deploymentRemove(id: $id) }"
LOGS = """query Q($id: String!) { buildLogs(deploymentId: $id, limit: 20) { message }
  deploymentLogs(deploymentId: $id, limit: 20) { message } }"""
CONNECT = "mutation M($id: String!, $input: ServiceConnectInput!) { serviceConnect(id: $id, input: $input) { id } }"


async def deployed(client: Client, name: str = "claw-a", **settings: Any) -> tuple[str, str]:
    """A service that runs, and its deployment."""
    service = await client.create(name)
    await client.configure(service, **({"source": IMAGE} | settings))
    deployment = await client.deploy(service)
    await ends_as(client, deployment, "SUCCESS")
    return service, deployment


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with railway_and_client(pace=QUICK) as client:
        yield client


async def walked(client: Client, deployment: str) -> list[str]:
    """The states that a deployment comes by, until it stays in one."""
    states: list[str] = []

    async def over() -> bool:
        status = await client.status(deployment)
        if status not in states:
            states.append(status)
        return not Status(status).is_under_way

    await eventually(over)
    return states


SLOW_STEPS = QUICK.but(initializing=0.2, building=0.2, deploying=0.2)


async def test_an_image_is_deployed_without_being_built() -> None:
    async with railway_and_client(pace=SLOW_STEPS) as client:
        service = await client.create("claw-a")
        await client.configure(service, source=IMAGE)
        assert client.simulator.counts().get("Deployment") is None, "settings alone deploy nothing"
        assert await walked(client, await client.deploy(service)) == ["INITIALIZING", "DEPLOYING", "SUCCESS"]


def test_at_the_real_pace_an_image_takes_twenty_seconds() -> None:
    pace = Pace.realistic()
    assert pace.initializing + pace.deploying == 20


async def test_a_repository_is_built_first() -> None:
    async with railway_and_client(pace=SLOW_STEPS) as client:
        service = await client.create("claw-a")
        await client.ask(CONNECT, id=service, input={"repo": "claw/bot", "branch": "main"})
        (deployment,) = client.simulator.deployments.of(client.simulator.services["claw-a"])
        assert await walked(client, deployment.id) == ["INITIALIZING", "BUILDING", "DEPLOYING", "SUCCESS"]


async def test_a_deployment_that_was_just_asked_for_is_not_found_yet() -> None:
    async with railway_and_client(pace=QUICK.but(lag=0.4)) as client:
        service = await client.create("claw-a")
        await client.configure(service, source=IMAGE)
        deployment = await client.deploy(service)
        document = "query Q($id: String!) { deployment(id: $id) { id } }"
        assert await client.refusal(document, id=deployment) == "Deployment not found"
        await ends_as(client, deployment, "SUCCESS")
        (node,) = (await client.instances())["nodes"]
        assert node["latestDeployment"] == {"id": deployment, "status": "SUCCESS"}


async def test_the_next_deployment_takes_over_and_the_earlier_one_is_removed(client: Client) -> None:
    service, first = await deployed(client)
    second = await client.deploy(service)
    await ends_as(client, second, "SUCCESS")
    assert await client.status(first) in {"REMOVING", "REMOVED"}
    await ends_as(client, first, "REMOVED")
    (node,) = (await client.instances())["nodes"]
    assert node["activeDeployments"] == [{"id": second, "status": "SUCCESS"}]


async def test_the_newest_deployments_come_first_and_can_be_chosen_by_status(client: Client) -> None:
    service, first = await deployed(client)
    second = await client.deploy(service)
    await ends_as(client, first, "REMOVED")
    document = """query Q($input: DeploymentListInput!) {
      deployments(input: $input, first: 100) { edges { node { id } } } }"""

    async def listed(**more: Any) -> list[str]:
        data = await client.ask(document, input=client.place | more)
        return [edge["node"]["id"] for edge in data["deployments"]["edges"]]

    assert await listed(serviceId=service) == [second, first]
    assert await listed(status={"in": ["REMOVED"]}) == [first]
    assert await listed(status={"notIn": ["REMOVED"]}) == [second]


@pytest.mark.parametrize(
    ("source", "status", "log"),
    [
        ({"image": "claw/broken:1"}, "FAILED", "manifest unknown"),
        ({"image": "claw/private:1"}, "FAILED", "authentication required"),
        ({"repo": "claw/broken"}, "FAILED", "Build failed: exit code 1"),
        ({"repo": "claw/bot"}, "FAILED", None),
        ({}, "FAILED", "No source is connected"),
    ],
    ids=["no image", "no credentials", "no build", "no branch", "no source"],
)
async def test_a_deployment_that_fails_leaves_the_earlier_one_alone(
    client: Client, source: dict[str, str], status: str, log: str | None
) -> None:
    service, first = await deployed(client)
    if not source:
        await client.ask("mutation M($id: String!) { serviceDisconnect(id: $id) { id } }", id=service)
    await client.configure(service, source=source)
    second = await client.deploy(service)
    await ends_as(client, second, status)
    data = await client.ask(LOGS, id=second)
    lines = [entry["message"] for entry in data["buildLogs"] + data["deploymentLogs"]]
    assert any(log in line for line in lines) if log else not lines
    assert await client.status(first) == "SUCCESS"


async def test_a_private_image_is_pulled_with_credentials_which_nobody_can_read(client: Client) -> None:
    secret = "registry-secret"
    credentials = {"username": "u", "password": secret}
    await deployed(client, source={"image": "claw/private:1"}, registryCredentials=credentials)
    config = await client.ask(
        "query Q($id: String!) { environment(id: $id) { config(decryptVariables: true) } }",
        id=client.simulator.environment.id,
    )
    assert secret not in str(config)
    assert secret not in str(client.simulator.picture())


async def test_a_variable_deploys_unless_it_is_told_not_to(client: Client) -> None:
    service, _ = await deployed(client)

    def deployments() -> int:
        return client.simulator.counts()["Deployment"]["created"]

    await client.set_variables(service, {"A": "1"}, skipDeploys=True)
    assert deployments() == 1
    await client.set_variables(service, {"A": "2"})
    assert deployments() == 2
    document = "mutation M($input: VariableDeleteInput!) { variableDelete(input: $input) }"
    await client.ask(document, input=client.place | {"serviceId": service, "name": "A"})
    assert deployments() == 3


async def test_a_redeployment_has_the_old_image_and_the_old_variables(client: Client) -> None:
    service, first = await deployed(client)
    await client.configure(service, source={"image": "claw/bot:2"})
    await client.set_variables(service, {"A": "new"}, skipDeploys=True)
    place = {"service": service, "environment": client.simulator.environment.id}
    await client.ask(REDEPLOY, **place)
    await ends_as(client, first, "REMOVED")
    second = client.simulator.deployments.of(client.simulator.services["claw-a"])[-1]
    assert (second.source, second.variables) == (IMAGE, {})
    assert (
        client.simulator.picture()["claw"]["environments"]["production"]["services"]["claw-a"]["live_is_current"]
        is False
    )


async def test_what_was_never_deployed_or_is_not_built_yet_cannot_be_redeployed() -> None:
    async with railway_and_client(pace=QUICK.but(initializing=0.5, building=30)) as client:
        service = await client.create("claw-a")
        place = {"service": service, "environment": client.simulator.environment.id}
        assert await client.refusal(REDEPLOY, **place) == "Deployment not found"
        await client.ask(CONNECT, id=service, input={"repo": "claw/bot", "branch": "main"})
        assert await client.refusal(REDEPLOY, **place) == "Cannot redeploy without a snapshot"
        (deployment,) = client.simulator.deployments.of(client.simulator.services["claw-a"])
        await ends_as(client, deployment.id, "BUILDING")
        assert (await client.refusal(REDEPLOY, **place)).startswith("Cannot redeploy yet, please wait")


async def test_stopping_what_runs_is_said_to_work_and_does_nothing(client: Client) -> None:
    _, deployment = await deployed(client)
    assert await client.ask(STOP, id=deployment) == {"deploymentStop": True}
    assert await client.status(deployment) == "SUCCESS"


@pytest.mark.parametrize("stays", [Status.NEEDS_APPROVAL, Status.SKIPPED])
async def test_a_deployment_may_never_go_on(stays: Status) -> None:
    async with railway_and_client(pace=QUICK, quirks=Quirks(detour=stays)) as client:
        service = await client.create("claw-a", source=IMAGE)
        (deployment,) = client.simulator.deployments.of(client.simulator.services["claw-a"])
        await ends_as(client, deployment.id, stays.value)
        await client.ask(REMOVE, id=deployment.id)
        await ends_as(client, deployment.id, "REMOVED")
        assert service in {one.service.id for one in client.simulator.services.values()}


@pytest.mark.parametrize("passes", [Status.QUEUED, Status.WAITING])
async def test_a_deployment_may_have_to_wait_first(passes: Status) -> None:
    async with railway_and_client(pace=SLOW_STEPS, quirks=Quirks(detour=passes)) as client:
        service = await client.create("claw-a")
        await client.configure(service, source=IMAGE)
        assert await walked(client, await client.deploy(service)) == [
            "INITIALIZING",
            passes.value,
            "DEPLOYING",
            "SUCCESS",
        ]


async def test_a_crash_by_hand_ends_it_for_good_or_only_looks_like_one(client: Client) -> None:
    _, deployment = await deployed(client)
    client.simulator.hand.look_crashed("claw-a")
    document = "query Q($id: String!) { deployment(id: $id) { status instances { status } } }"
    looks = (await client.ask(document, id=deployment))["deployment"]
    assert looks == {"status": "CRASHED", "instances": [{"status": "RUNNING"}]}
    client.simulator.hand.crash("claw-a")

    async def crashed() -> bool:
        told = (await client.ask(document, id=deployment))["deployment"]
        return bool(told == {"status": "CRASHED", "instances": [{"status": "CRASHED"}]})

    await eventually(crashed)
