"""The simulated Railway over real HTTP: its objects, reads that lag, and refusals."""

import asyncio
from random import Random
from typing import Any

import httpx
import pytest

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.railway.limits import Limits
from claw_dev.simulators.railway.pace import Pace, Quirks
from claw_dev.simulators.railway.tokens import TokenKind
from tests.contract.railway_world import TOKEN, Client, railway_and_client
from tests.eventually import eventually

SLOW_READS = Pace.quick().but(lag=0.5)
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


@pytest.mark.parametrize(
    ("kind", "header", "document", "message"),
    [
        (TokenKind.ACCOUNT, "Authorization", "{ me { id } }", None),
        (TokenKind.WORKSPACE, "Authorization", "{ me { id } }", "Not Authorized"),
        (TokenKind.WORKSPACE, "Authorization", "{ apiToken { workspaces { id } } }", None),
        (TokenKind.WORKSPACE, "Project-Access-Token", "{ projectToken { projectId } }", "Project Token not found"),
        (TokenKind.PROJECT, "Project-Access-Token", "{ projectToken { projectId environmentId } }", None),
        (TokenKind.PROJECT, "Authorization", "{ projectToken { projectId } }", "Not Authorized"),
        (
            TokenKind.PROJECT,
            "Project-Access-Token",
            'mutation M { projectCreate(input: {name: "b"}) { id } }',
            "Not Authorized",
        ),
    ],
)
async def test_each_kind_of_token_has_its_header_and_its_reach(
    kind: TokenKind, header: str, document: str, message: str | None
) -> None:
    async with railway_and_client() as client:
        secret = client.simulator.new_token(kind, f"{kind}-token").secret
        value = f"Bearer {secret}" if header == "Authorization" else secret
        answer = await client.http.post(
            f"{client.simulator.url}?operation=x", json={"query": document}, headers={header: value}
        )
        errors = answer.json().get("errors", [])
        assert (answer.status_code, [error["message"] for error in errors]) == (200, [message] if message else [])


async def test_a_token_that_is_wrong_or_revoked_is_not_authorized() -> None:
    async with railway_and_client() as client:
        identifier = client.simulator.environment.id
        await client.ask(ENVIRONMENT, id=identifier)
        client.simulator.token.revoked = True
        assert await client.refusal(ENVIRONMENT, id=identifier) == "Not Authorized"
        client.simulator.token.revoked = False
        client.simulator.world.quirks.two_factor = True
        answer = (await client.send(ENVIRONMENT, id=identifier)).json()
        assert answer["errors"][0]["message"] == "Two Factor Authentication Required"
        assert answer["errors"][0]["extensions"]["workspaceName"]
        assert TOKEN not in repr(client.simulator.tokens.all())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "{ nope"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nope }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": ENVIRONMENT, "variables": {"id": 7}}, "BAD_USER_INPUT"),
        ({"nonsense": True}, None),
    ],
)
async def test_what_cannot_be_understood_is_answered_with_400(body: dict[str, Any], code: str | None) -> None:
    async with railway_and_client() as client:
        answer = await client.http.post(client.simulator.url, json=body, headers={"Authorization": f"Bearer {TOKEN}"})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error.get("extensions", {}).get("code")) == (400, code)


async def test_the_real_limits_are_told_and_held() -> None:
    async with railway_and_client(limits=Limits(per_hour=3)) as client:
        identifier = client.simulator.environment.id
        answers = [await client.send(ENVIRONMENT, id=identifier) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert "Retry-After" not in answers[2].headers
        assert 3000 < int(answers[3].headers["Retry-After"]) <= 3600


async def test_more_calls_in_a_second_than_the_plan_allows_are_refused_for_a_moment() -> None:
    async with railway_and_client(limits=Limits(per_second=2)) as client:
        identifier = client.simulator.environment.id
        answers = [await client.send(ENVIRONMENT, id=identifier) for _ in range(3)]
        assert answers[2].status_code == 429
        assert answers[2].headers["Retry-After"] == "1"


async def test_cloudflare_throttles_who_has_no_query_string() -> None:
    async with railway_and_client() as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        body = {"query": ENVIRONMENT, "variables": {"id": client.simulator.environment.id}}
        plain = [await client.http.post(client.simulator.url, json=body, headers=headers) for _ in range(11)]
        assert (plain[10].status_code, plain[10].text) == (429, "error code: 1015")
        assert not [name for name in plain[10].headers if "rate" in name.lower() or "retry" in name.lower()]
        assert (await client.send(ENVIRONMENT, id=client.simulator.environment.id)).status_code == 200


FAULTS = {
    "a gateway's page": (Fault(kind=FaultKind.HTML, status=502), 502, False),
    "done, and a gateway's page": (Fault(kind=FaultKind.DONE_BUT_HTML, status=504), 504, True),
    "429 with Retry-After": (Fault(kind=FaultKind.ERROR, status=429, retry_after=7), 429, False),
    "429 without": (Fault(kind=FaultKind.ERROR, status=429), 429, False),
    "Cloudflare": (Fault(kind=FaultKind.CLOUDFLARE), 429, False),
    "200 with an error": (Fault(kind=FaultKind.REFUSED_IN_BODY, message="Not Authorized"), 200, False),
    "200 with a problem": (Fault(kind=FaultKind.REFUSED_IN_BODY), 200, False),
    "late": (Fault(kind=FaultKind.SLOW, seconds=0.01), 200, True),
    "never asked": (Fault(kind=FaultKind.CUT), None, False),
    "lost": (Fault(kind=FaultKind.LOST_ANSWER), None, True),
    "held and lost": (Fault(kind=FaultKind.HELD_ANSWER, seconds=0.01), None, True),
    "nothing, late": (Fault(kind=FaultKind.TIMEOUT, seconds=0.01), None, False),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_hits_the_call_that_it_was_meant_for(name: str) -> None:
    fault, status, done = FAULTS[name]
    async with railway_and_client() as client:
        client.simulator.go_wrong(fault.model_copy(update={"writes": True, "skip": 1}))
        await client.create("claw-1")
        await client.ask(ENVIRONMENT, id=client.simulator.environment.id)
        try:
            answered = (await client.send(CREATE, input=client.place | {"name": "claw-2"})).status_code
        except httpx.TransportError:
            answered = None
        assert answered == status
        assert ("claw-2" in client.simulator.services) is done
        call = client.simulator.calls[-1]
        assert (call.status, call.carried_out) == (status, done)
        await client.create("claw-3")


async def test_faults_by_chance_are_the_same_with_the_same_seed() -> None:
    async def statuses() -> list[int]:
        async with railway_and_client(random=Random(7)) as client:
            client.simulator.go_wrong(Fault(kind=FaultKind.HTML, operation="Q", probability=0.3, times=None))
            identifier = client.simulator.environment.id
            return [(await client.send(ENVIRONMENT, id=identifier)).status_code for _ in range(20)]

    first = await statuses()
    assert {200, 500} == set(first)
    assert await statuses() == first


async def test_who_hangs_up_does_not_take_back_what_was_asked() -> None:
    async with railway_and_client(pace=NO_LAG.but(config_change=0.1)) as client:
        service = await client.create("claw-a")
        write = asyncio.create_task(client.set_variables(service, {"A": "1"}, skipDeploys=True))
        await eventually(lambda: bool(client.simulator.calls[-1].fields == ("variableCollectionUpsert",)))
        write.cancel()
        await eventually(lambda: client.simulator.services["claw-a"].variables == {"A": "1"})


async def test_calls_state_and_faults_are_there_for_other_processes_too() -> None:
    async with railway_and_client(pace=NO_LAG) as client:
        base, http = client.simulator.base_url, client.http
        await client.create("claw-a")
        calls = (await http.get(f"{base}/_sim/calls")).json()["calls"]
        assert [(call["operation"], call["writes"], call["token_kind"]) for call in calls] == [("M", True, "workspace")]
        state = (await http.get(f"{base}/_sim/state")).json()
        assert state["picture"] == client.simulator.picture()
        assert state["counts"]["Service"] == {"created": 1, "deleted": 0}
        await http.post(f"{base}/_sim/hand", json={"do": "rename", "service": "claw-a", "name": "other"})
        assert list(client.simulator.services) == ["other"]
        assert (await http.post(f"{base}/_sim/hand", json={"do": "crash", "service": "nobody"})).status_code == 400
        await http.post(f"{base}/_sim/faults", json={"kind": "html", "path": "/graphql", "times": None, "status": 503})
        assert (await client.send(ENVIRONMENT, id="x")).status_code == 503
        await http.delete(f"{base}/_sim/faults")
        assert (await client.send(ENVIRONMENT, id="x")).status_code == 200
        await http.post(f"{base}/_sim/tokens", json={"secret": TOKEN})
        assert await client.refusal(ENVIRONMENT, id=client.simulator.environment.id) == "Not Authorized"


async def test_two_runs_that_end_alike_have_the_same_picture() -> None:
    async def run(seed: int, *, detour: bool) -> dict[str, Any]:
        async with railway_and_client(pace=NO_LAG, random=Random(seed)) as client:
            if detour:
                await client.delete(await client.create("claw-x"))
            service = await client.create("claw-a", variables={"A": str(seed)})
            await client.domain(service)
            return client.simulator.picture()

    assert await run(1, detour=False) == await run(2, detour=True)
