"""The simulated Railway over real HTTP: its objects, reads that lag, and refusals."""

import asyncio
from random import Random
from typing import Any

import pytest

from claw_dev.simulators.railway.pace import Pace, Quirks
from claw_dev.simulators.railway.records import ServiceDomain
from tests.contract.railway_world import Client, railway_and_client
from tests.eventually import eventually

SLOW_READS = Pace.quick().but(lag=2.0)
NO_LAG = Pace.quick().but(lag=0.0)

CREATE = "mutation M($input: ServiceCreateInput!) { serviceCreate(input: $input) { id } }"
CREATE_DOMAIN = "mutation M($input: ServiceDomainCreateInput!) { serviceDomainCreate(input: $input) { domain } }"
CREATE_CUSTOM = """mutation M($input: CustomDomainCreateInput!) { customDomainCreate(input: $input) {
  domain status { verified dnsRecords { hostlabel requiredValue recordType status } } } }"""
ENVIRONMENT = "query Q($id: String!) { environment(id: $id) { name } }"
CONFIG = "query Q($id: String!) { environment(id: $id) { config(decryptVariables: true) } }"


async def test_a_service_is_made_found_renamed_and_deleted() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        service = await client.create("claw-a", variables={"CLAW_OWNER": "ada"})
        assert (await client.instances())["names"] == ["claw-a"]
        assert client.simulator.services["claw-a"].variables == {"CLAW_OWNER": "ada"}
        await client.ask('mutation M($id: String!) { serviceUpdate(id: $id, input: {name: "b"}) { id } }', id=service)
        assert (await client.instances())["names"] == ["b"]
        await client.delete(service)
        assert (await client.instances())["names"] == []
        assert client.simulator.counts()["Service"] == {"created": 1, "deleted": 1}


async def test_lists_and_reads_miss_what_is_new_and_still_show_what_is_gone() -> None:
    async with railway_and_client(pace=SLOW_READS) as client:
        service = await client.create("claw-a")
        assert (await client.instances())["names"] == []
        assert await client.refusal("query Q($id: String!) { service(id: $id) { id } }", id=service) == (
            f"Service {service} not found"
        )
        read = "query Q($s: String!, $e: String!) { serviceInstance(serviceId: $s, environmentId: $e) { id } }"
        place = {"s": service, "e": client.simulator.environment.id}
        assert await client.refusal(read, **place) == "ServiceInstance not found"
        await eventually(lambda: _lists(client, ["claw-a"]))
        await client.delete(service)
        assert (await client.instances())["names"] == ["claw-a"]
        await eventually(lambda: _lists(client, []))
        assert client.simulator.services == {}


async def _lists(client: Client, names: list[str]) -> bool:
    return bool((await client.instances())["names"] == names)


async def test_a_change_of_a_fresh_service_may_be_refused_as_if_there_were_none() -> None:
    async with railway_and_client(pace=NO_LAG.but(write_lag=30)) as client:
        service = await client.create("claw-a")
        wanted = {"serviceId": service, "environmentId": client.simulator.environment.id}
        assert await client.refusal(CREATE_DOMAIN, input=wanted) == "ServiceInstance not found"


async def test_a_second_service_of_a_name_is_refused_even_shortly_after_the_first_one_is_gone() -> None:
    taken = 'A service named "claw-a" already exists in this project'
    async with railway_and_client(pace=SLOW_READS) as client:
        service = await client.create("claw-a")
        wanted = client.place | {"name": "claw-a"}
        assert await client.refusal(CREATE, input=wanted) == taken
        await client.delete(service)
        assert await client.refusal(CREATE, input=wanted) == taken

        async def made_again() -> bool:
            return "errors" not in (await client.send(CREATE, input=wanted)).json()

        await eventually(made_again)
        assert len(client.simulator.services) == 1


async def test_a_name_of_more_than_32_characters_is_a_problem_without_a_code() -> None:
    async with railway_and_client() as client:
        answer = await client.send(CREATE, input=client.place | {"name": "x" * 33})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["message"]) == (200, "Problem processing request")
        assert "extensions" not in error


async def test_lists_have_pages_which_end() -> None:
    async with railway_and_client(pace=NO_LAG, quirks=Quirks(page_limit=3)) as client:
        for number in range(7):
            await client.create(f"claw-{number}")
        names: list[str] = []
        cursor = None
        for _ in range(3):
            page = await client.instances(after=cursor)
            names += page["names"]
            cursor = page["pageInfo"]["endCursor"]
        assert names == [f"claw-{number}" for number in range(7)]
        assert page["pageInfo"]["hasNextPage"] is False


async def test_a_list_goes_on_behind_one_that_was_deleted_meanwhile() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        services = [await client.create(f"claw-{number}") for number in range(4)]
        page = await client.instances(first=2)
        await client.delete(services[1])
        rest = await client.instances(first=2, after=page["pageInfo"]["endCursor"])
        assert rest["names"] == ["claw-2", "claw-3"]


async def test_a_list_without_a_size_is_cut_and_a_cursor_may_stand_still() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        for number in range(22):
            await client.create(f"claw-{number}")
        document = "query Q($id: String!) { environment(id: $id) { serviceInstances { edges { cursor } } } }"
        data = await client.ask(document, id=client.simulator.environment.id)
        assert len(data["environment"]["serviceInstances"]["edges"]) == 20
        client.simulator.world.quirks.cursor_stands_still = True
        first = (await client.instances(first=5))["pageInfo"]
        assert (await client.instances(first=5, after=first["endCursor"]))["pageInfo"] == first


async def test_a_husk_is_in_the_projects_list_and_in_no_environment() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        await client.create("claw-a")
        await client.simulator.hand.delete("claw-a", leaving_husk=True)
        document = "query Q($id: String!) { project(id: $id) { services { edges { node { name } } } } }"
        data = await client.ask(document, id=client.simulator.project.id)
        assert data["project"]["services"]["edges"] == [{"node": {"name": "claw-a"}}]
        assert (await client.instances())["names"] == []


async def test_the_configuration_tells_what_a_service_is_set_to() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        service = await client.create("claw-a", variables={"A": "1"})
        domain = await client.domain(service)
        await client.configure(service, source={"image": "claw/bot:1"}, healthcheckPath="/health", numReplicas=1)
        await client.ask(
            "mutation M($input: ServiceInstanceLimitsUpdateInput!) { serviceInstanceLimitsUpdate(input: $input) }",
            input={
                "serviceId": service,
                "environmentId": client.simulator.environment.id,
                "vCPUs": 0.5,
                "memoryGB": 0.512,
            },
        )
        config = (await client.ask(CONFIG, id=client.simulator.environment.id))["environment"]["config"]
        told = config["services"][service]
        assert told["source"] == {"image": "claw/bot:1"}
        assert told["variables"] == {"A": {"value": "1"}}
        assert told["deploy"]["healthcheckPath"] == "/health"
        assert told["deploy"]["limitOverride"] == {"containers": {"cpu": 0.5, "memoryBytes": 512_000_000}}
        assert list(told["networking"]["serviceDomains"]) == [domain]
        hidden = await client.ask(
            "query Q($id: String!) { environment(id: $id) { config } }", id=client.place["environmentId"]
        )
        assert hidden["environment"]["config"]["services"][service]["variables"] == {"A": {"value": "*****"}}


async def test_settings_that_are_left_out_stay_but_the_replicas_go_back_to_one() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        service = await client.create("claw-a")
        await client.configure(service, numReplicas=3, startCommand="run", healthcheckPath="/health")
        await client.configure(service, startCommand=None)
        settings = client.simulator.services["claw-a"].settings
        assert (settings["numReplicas"], settings["startCommand"], settings["healthcheckPath"]) == (1, "run", "/health")
        await client.configure(service, startCommand="")
        assert client.simulator.services["claw-a"].settings["startCommand"] == ""


async def test_variables_are_added_or_replaced_and_refer_to_other_services() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        await client.create("neighbour", variables={"SECRET": "hush"})
        service = await client.create("claw-a", variables={"A": "1"})
        await client.set_variables(service, {"B": "${{neighbour.SECRET}}"}, skipDeploys=True)
        assert client.simulator.services["claw-a"].variables == {"A": "1", "B": "${{neighbour.SECRET}}"}
        document = """query Q($p: String!, $e: String!, $s: String) {
          variables(projectId: $p, environmentId: $e, serviceId: $s) }"""
        place = client.place
        data = await client.ask(document, p=place["projectId"], e=place["environmentId"], s=service)
        assert data["variables"] == {"A": "1", "B": "hush"}
        await client.set_variables(service, {"C": "3"}, skipDeploys=True, replace=True)
        assert client.simulator.services["claw-a"].variables == {"C": "3"}


async def test_a_sealed_variable_is_told_by_name_alone() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        service = await client.create("claw-a", variables={"A": "1", "B": "2"})
        client.simulator.hand.seal("claw-a", "A")
        environment = client.simulator.environment.id
        config = (await client.ask(CONFIG, id=environment))["environment"]["config"]
        assert config["services"][service]["variables"] == {"A": {"isSealed": True}, "B": {"value": "2"}}
        names = "query Q($id: String!) { environment(id: $id) { variables { edges { node { name isSealed } } } } }"
        edges = (await client.ask(names, id=environment))["environment"]["variables"]["edges"]
        assert [edge["node"] for edge in edges] == [{"name": "A", "isSealed": True}, {"name": "B", "isSealed": False}]


async def test_a_repository_cannot_be_connected_where_pull_requests_have_environments() -> None:
    async with railway_and_client(quirks=Quirks(pr_deploys=True)) as client:
        document = """mutation M($id: String!) {
          serviceConnect(id: $id, input: {repo: "claw/bot", branch: "main"}) { id } }"""
        (error,) = (await client.send(document, id=await client.create("claw-a"))).json()["errors"]
        assert error["message"] == "Problem processing request"
        assert "claw-a" in client.simulator.services


async def test_a_railway_domain_gets_another_label_but_no_other_suffix() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        service = await client.create("claw-a")
        await client.domain(service)
        (domain,) = client.simulator.world.all(ServiceDomain)
        document = "mutation M($input: ServiceDomainUpdateInput!) { serviceDomainUpdate(input: $input) }"
        wanted = {
            "serviceDomainId": domain.id,
            "serviceId": service,
            "environmentId": client.simulator.environment.id,
            "domain": "chosen.up.railway.app",
        }
        await client.ask(document, input=wanted)
        assert domain.domain == "chosen.up.railway.app"
        assert "errors" in (await client.send(document, input=wanted | {"domain": "elsewhere.example"})).json()


async def test_a_domain_that_is_made_while_the_configuration_changes_is_refused() -> None:
    async with railway_and_client(pace=NO_LAG.but(config_change=0.3)) as client:
        one, other = await client.create("claw-a"), await client.create("claw-b")
        change = asyncio.create_task(client.configure(one, numReplicas=1))
        await asyncio.sleep(0.05)  # the change is under way, and takes 0.3 s
        wanted = {"serviceId": other, "environmentId": client.simulator.environment.id}
        refused = await client.refusal(CREATE_DOMAIN, input=wanted)
        assert refused == "Failed to create service domain, please try again"
        await change
        assert await client.domain(other)
        assert await client.refusal(CREATE_DOMAIN, input=wanted) == "A service domain already exists for this service"


async def test_a_customers_own_domain_tells_its_dns_records_and_is_made_once() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        wanted = client.place | {"serviceId": await client.create("claw-a"), "domain": "chat.example.com"}
        made = (await client.ask(CREATE_CUSTOM, input=wanted))["customDomainCreate"]
        (record,) = made["status"]["dnsRecords"]
        assert (record["hostlabel"], record["recordType"]) == ("chat", "DNS_RECORD_TYPE_CNAME")
        assert made["status"]["verified"] is False
        assert "already in use" in await client.refusal(CREATE_CUSTOM, input=wanted)
        client.simulator.hand.set_dns("chat.example.com")
        shown = await client.ask(
            """query Q($p: String!, $e: String!, $s: String!) {
              domains(projectId: $p, environmentId: $e, serviceId: $s) { customDomains { status { verified } } } }""",
            p=client.simulator.project.id,
            e=client.simulator.environment.id,
            s=wanted["serviceId"],
        )
        assert shown["domains"]["customDomains"] == [{"status": {"verified": True}}]
        assert "is not a valid domain" in await client.refusal(CREATE_CUSTOM, input=wanted | {"domain": "nonsense"})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            'mutation M { projectCreate(input: {name: "b"}) { id } }',
            "You are creating projects too quickly",
        ),
        (
            'mutation M($p: String!) { environmentCreate(input: {projectId: $p, name: "b"}) { id } }',
            "Only one environment can be created per user every 30s",
        ),
        (
            'mutation M($p: String!) { volumeCreate(input: {projectId: $p, mountPath: "/data"}) { id } }',
            "You are creating volumes too quickly",
        ),
    ],
)
async def test_projects_environments_and_volumes_are_made_one_at_a_time(document: str, message: str) -> None:
    async with railway_and_client() as client:
        await client.ask(document, p=client.simulator.project.id)
        assert await client.refusal(document, p=client.simulator.project.id) == message


async def test_a_project_that_was_just_made_is_not_authorized_yet() -> None:
    async with railway_and_client(pace=SLOW_READS) as client:
        made = await client.ask('mutation M { projectCreate(input: {name: "b"}) { id } }')
        document, identifier = "query Q($id: String!) { project(id: $id) { name } }", made["projectCreate"]["id"]
        assert await client.refusal(document, id=identifier) == "Not Authorized"

        async def known() -> bool:
            return "errors" not in (await client.send(document, id=identifier)).json()

        await eventually(known)


async def test_two_runs_that_end_alike_have_the_same_picture() -> None:
    async def run(seed: int, *, detour: bool) -> dict[str, Any]:
        async with railway_and_client(pace=NO_LAG, random=Random(seed)) as client:
            if detour:
                await client.delete(await client.create("claw-x"))
            service = await client.create("claw-a", variables={"A": str(seed)})
            await client.domain(service)
            return client.simulator.picture()

    assert await run(1, detour=False) == await run(2, detour=True)
