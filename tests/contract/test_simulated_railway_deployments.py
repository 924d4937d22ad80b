"""Deployments of the simulated Railway over real HTTP: the states they walk, and what answers at their domains."""

import hashlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from claw_crds import configuration as wire
from claw_dev.simulators.railway.pace import Pace, Quirks
from claw_dev.simulators.railway.records import Deployment, Status
from tests.contract.railway_world import Client, railway_and_client
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


async def ends_as(client: Client, deployment: str, status: str) -> None:
    async def done() -> bool:
        return await client.status(deployment) == status

    await eventually(done, describe=lambda: client.simulator.world.find(Deployment, deployment))


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


@pytest.fixture
async def program() -> AsyncIterator[Client]:
    async with railway_and_client(pace=QUICK, runtimes="process", command=PROGRAM) as client:
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


async def test_a_program_answers_at_the_domain_until_it_is_removed(program: Client) -> None:
    service = await program.create("claw-a", variables={"ANSWER": "one"})
    url = f"http://{await program.domain(service)}"
    nothing = await program.http.get(url)
    assert (nothing.status_code, nothing.json()["message"]) == (404, "Application not found")
    await program.configure(service, source=IMAGE, healthcheckPath="/health")
    first = await program.deploy(service)
    await ends_as(program, first, "SUCCESS")
    assert (await program.http.get(url)).text == "one"
    sent = await program.http.post(f"{url}/x?y=1", content=b"body")
    assert (sent.status_code, sent.content) == (201, b"body")

    await program.set_variables(service, {"ANSWER": "two"})
    second = program.simulator.deployments.of(program.simulator.services["claw-a"])[-1]
    seen: set[str] = set()

    async def taken_over() -> bool:
        seen.add((await program.http.get(url)).text)
        return second.status is Status.SUCCESS

    await eventually(taken_over)
    assert (await program.http.get(url)).text == "two"
    assert seen <= {"one", "two"}, "nobody was turned away while it was taken over"

    await program.ask(REMOVE, id=second.id)
    assert (await program.http.get(url)).status_code == 404
    await ends_as(program, second.id, "REMOVED")


async def test_a_programs_disk_is_its_own_and_empty_after_each_deployment(program: Client) -> None:
    service = await program.create("claw-a")
    url = f"http://{await program.domain(service)}/remember"
    await program.configure(service, source=IMAGE, healthcheckPath="/health")
    first = await program.deploy(service)
    await ends_as(program, first, "SUCCESS")
    assert [(await program.http.get(url)).text for _ in range(2)] == ["0", "1"]
    await program.deploy(service)
    await ends_as(program, first, "REMOVED")
    assert (await program.http.get(url)).text == "0"


@pytest.mark.parametrize("status", [308, 204, 503])
async def test_a_health_check_wants_exactly_200(program: Client, status: int) -> None:
    service = await program.create("claw-a", variables={"HEALTH": str(status)})
    await program.configure(service, source=IMAGE, healthcheckPath="/health", healthcheckTimeout=1)
    deployment = await program.deploy(service)
    await ends_as(program, deployment, "FAILED")
    messages = [entry["message"] for entry in (await program.ask(LOGS, id=deployment))["buildLogs"]]
    assert any(f"status {status}" in message for message in messages)
    assert messages[-1] == "Healthcheck failed!"


async def test_a_program_that_ends_before_it_is_well_fails_after_its_tries_and_its_words_are_logged(
    program: Client,
) -> None:
    service = await program.create("claw-a", variables={"EXIT": "1"})
    await program.configure(
        service, source=IMAGE, healthcheckPath="/health", restartPolicyType="ON_FAILURE", restartPolicyMaxRetries=2
    )
    deployment = await program.deploy(service)
    await ends_as(program, deployment, "FAILED")
    messages = [entry["message"] for entry in (await program.ask(LOGS, id=deployment))["deploymentLogs"]]
    assert messages.count("cannot go on") == 3


async def test_a_program_that_crashes_is_restarted_as_often_as_its_policy_says(program: Client) -> None:
    service = await program.create("claw-a", variables={"ANSWER": "here"})
    url = f"http://{await program.domain(service)}"
    await program.configure(
        service, source=IMAGE, healthcheckPath="/health", restartPolicyType="ON_FAILURE", restartPolicyMaxRetries=1
    )
    deployment = await program.deploy(service)
    await ends_as(program, deployment, "SUCCESS")

    async def answers() -> bool:
        return (await program.http.get(url)).text == "here"

    async def crash() -> None:
        assert (await program.http.get(f"{url}/crash")).status_code == 502

    await crash()
    await eventually(answers)
    assert await program.status(deployment) == "SUCCESS"
    await crash()
    await ends_as(program, deployment, "CRASHED")
    assert (await program.http.get(url)).status_code == 404


async def test_a_program_that_ends_well_is_stopped_and_not_crashed(program: Client) -> None:
    service = await program.create("claw-a")
    url = f"http://{await program.domain(service)}"
    await program.configure(service, source=IMAGE, healthcheckPath="/health")
    deployment = program.simulator.world.find(Deployment, await program.deploy(service))
    assert deployment is not None
    await ends_as(program, deployment.id, "SUCCESS")
    await program.http.get(f"{url}/end")
    await eventually(lambda: deployment.stopped)
    assert deployment.status is Status.SUCCESS


async def test_a_service_that_may_sleep_does_and_is_woken_by_the_next_request() -> None:
    pace = QUICK.but(sleeps_after=0.3)
    async with railway_and_client(pace=pace, runtimes="process", command=PROGRAM) as client:
        service = await client.create("claw-a", variables={"ANSWER": "yawn"})
        url = f"http://{await client.domain(service)}"
        await client.configure(service, source=IMAGE, healthcheckPath="/health", sleepApplication=True)
        deployment = await client.deploy(service)
        await ends_as(client, deployment, "SLEEPING")
        assert (await client.http.get(url)).text == "yawn"
        await ends_as(client, deployment, "SUCCESS")
        await ends_as(client, deployment, "SLEEPING")


async def test_a_deleted_service_answers_nobody(program: Client) -> None:
    service = await program.create("claw-a")
    url = f"http://{await program.domain(service)}"
    await program.configure(service, source=IMAGE, healthcheckPath="/health")
    await ends_as(program, await program.deploy(service), "SUCCESS")
    await program.delete(service)
    with pytest.raises(httpx.TransportError):
        await program.http.get(url)


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


TOKEN = "configuration-token"
VARIABLES = {
    wire.ENV_DATABASE_URL: "postgresql://claw:secret@ep-a.neon.tech/claw",
    wire.ENV_CONFIGURATION_TOKEN_SHA256: hashlib.sha256(TOKEN.encode()).hexdigest(),
    wire.ENV_FINGERPRINT: "0123456789abcdef",
}
CONFIGURATION = {
    "instance": {"namespace": "default", "name": "ada", "uid": "00000000-0000-4000-8000-000000000001"},
    "state": "Running",
    "customer": {"id": "cus_1", "email": "ada@example.com"},
    "assistant": {"name": "Claw", "model": "claude-sonnet"},
    "plan": {"name": "pro", "displayName": "Pro"},
    "keys": [],
}


async def test_a_stand_in_is_configured_and_remembers_it_over_deployments() -> None:
    async with railway_and_client(pace=QUICK, runtimes="stand-in") as client:
        service = await client.create("claw-a", variables=VARIABLES)
        url = f"http://{await client.domain(service)}"
        await client.configure(service, source=IMAGE, healthcheckPath=wire.HEALTH_PATH)
        await ends_as(client, await client.deploy(service), "SUCCESS")
        knows = {"Authorization": f"Bearer {TOKEN}"}

        async def report() -> wire.RuntimeReport:
            return wire.RuntimeReport.model_validate(
                (await client.http.get(url + wire.STATUS_PATH, headers=knows)).json()
            )

        assert (await client.http.get(url + wire.STATUS_PATH)).status_code == 401
        blank = await report()
        assert (blank.uid, blank.ready, blank.fingerprint) == (None, False, VARIABLES[wire.ENV_FINGERPRINT])
        put = await client.http.put(url + wire.CONFIGURATION_PATH, headers=knows, json=CONFIGURATION)
        configured = wire.RuntimeReport.model_validate(put.raise_for_status().json())
        assert configured.ready
        assert configured.configuration_revision == wire.revision_of(CONFIGURATION)

        changed = {wire.ENV_DATABASE_URL: "postgresql://claw:other@ep-a.neon.tech/claw", wire.ENV_FINGERPRINT: "f" * 16}
        await client.set_variables(service, changed, skipDeploys=True)
        await ends_as(client, await client.deploy(service), "SUCCESS")
        again = await report()
        assert (again.fingerprint, again.configuration_revision) == ("f" * 16, configured.configuration_revision)

        client.simulator.stand_ins.refusing.add("ep-a.neon.tech")
        assert (await report()).database_refuses


async def test_a_stand_in_without_a_database_never_comes_up() -> None:
    async with railway_and_client(pace=QUICK, runtimes="stand-in") as client:
        service = await client.create("claw-a")
        await client.configure(service, source=IMAGE, healthcheckPath=wire.HEALTH_PATH, restartPolicyType="NEVER")
        await ends_as(client, await client.deploy(service), "FAILED")
