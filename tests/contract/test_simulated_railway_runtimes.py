"""What the simulated Railway runs: a real process or a stand-in behind a domain, over real HTTP."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from claw_crds import configuration as wire
from claw_dev.simulators.railway.deployments import Deployments
from claw_dev.simulators.railway.pace import Pace
from claw_dev.simulators.railway.records import Deployment, Status
from claw_dev.simulators.railway.running import Nothing, Running
from tests.contract.railway_world import Client, ends_as, railway_and_client
from tests.eventually import eventually

QUICK = Pace.quick().but(lag=0.0)
PROGRAM = (sys.executable, "-S", str(Path(__file__).with_name("railway_program.py")))
IMAGE = {"image": "claw/bot:1"}

LOGS = """query Q($id: String!) { buildLogs(deploymentId: $id, limit: 20) { message }
  deploymentLogs(deploymentId: $id, limit: 20) { message } }"""
REMOVE = "mutation M($id: String!) { deploymentRemove(id: $id) }"


@pytest.fixture
async def program() -> AsyncIterator[Client]:
    async with railway_and_client(pace=QUICK, runtimes="process", command=PROGRAM) as client:
        yield client


async def asked(client: Client, url: str) -> int | None:
    """The status of an answer; None when there was none."""
    try:
        return (await client.http.get(url)).status_code
    except httpx.TransportError:
        return None


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
    statuses: set[int | None] = set()

    async def taken_over() -> bool:
        statuses.add(await asked(program, url))
        return second.status is Status.SUCCESS

    await eventually(taken_over)
    assert (await program.http.get(url)).text == "two"
    # Who is being answered by the old one when it ends is cut off, as by the real one; but there is always one of them.
    assert 404 not in statuses

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
    await program.configure(service, source=IMAGE, healthcheckPath="/health", healthcheckTimeout=4)
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


class SlowToLetGo(Nothing):
    """A container that takes a moment when nobody waits for its end any more."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()
        self.go_on = asyncio.Event()

    async def health(self, path: str) -> int | None:
        await asyncio.sleep(0)  # somebody begins to wait for its end meanwhile
        return 200

    async def ended(self) -> int:
        try:
            return await super().ended()
        except asyncio.CancelledError:
            self.let_go.set()
            await self.go_on.wait()
            raise


class One:
    """Starts the one container."""

    answers = False

    def __init__(self, container: SlowToLetGo) -> None:
        self._container = container

    async def start(self, deployment: Deployment) -> Running:
        return self._container


async def test_what_is_removed_at_the_moment_of_its_success_stays_removed() -> None:
    container = SlowToLetGo()
    async with railway_and_client(pace=QUICK) as client:
        simulator = client.simulator
        deployments = Deployments(simulator.world, One(container), simulator.edge)
        await client.create("claw-a")
        instance = simulator.services["claw-a"]
        instance.source, instance.settings = dict(IMAGE), instance.settings | {"healthcheckPath": "/health"}
        try:
            deployment = deployments.begin(instance)
            await eventually(container.let_go.is_set)
            deployments.remove(deployment)
            container.go_on.set()
            await ends_as(client, deployment.id, "REMOVED")
        finally:
            await deployments.aclose()


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


async def test_the_real_runtime_comes_up_with_what_it_is_deployed_with() -> None:
    command = (sys.executable, "-m", "claw_runtime")
    async with railway_and_client(pace=QUICK.but(health_timeout=60), runtimes="process", command=command) as client:
        nowhere = {wire.ENV_DATABASE_URL: "postgresql://claw:x@127.0.0.1:9/claw", wire.ENV_MODEL_API_KEY: "sk-x"}
        service = await client.create("claw-a", variables=VARIABLES | nowhere)
        url = f"http://{await client.domain(service)}"
        await client.configure(service, source=IMAGE, healthcheckPath=wire.HEALTH_PATH)
        deployment = await client.deploy(service)
        await ends_as(client, deployment, "SUCCESS", patience=60)
        answer = await client.http.get(url + wire.STATUS_PATH, headers={"Authorization": f"Bearer {TOKEN}"})
        report = wire.RuntimeReport.model_validate(answer.raise_for_status().json())
        assert report.fingerprint == VARIABLES[wire.ENV_FINGERPRINT]


async def test_a_stand_in_without_a_database_never_comes_up() -> None:
    async with railway_and_client(pace=QUICK, runtimes="stand-in") as client:
        service = await client.create("claw-a")
        await client.configure(service, source=IMAGE, healthcheckPath=wire.HEALTH_PATH, restartPolicyType="NEVER")
        await ends_as(client, await client.deploy(service), "FAILED")
