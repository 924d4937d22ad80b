"""The simulated Railway's HTTP: tokens, limits, faults, and the back door for other processes."""

import asyncio
from random import Random
from typing import Any

import httpx
import pytest

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.railway.limits import Limits
from claw_dev.simulators.railway.pace import Pace
from claw_dev.simulators.railway.tokens import TokenKind
from tests.contract.railway_world import TOKEN, railway_and_client
from tests.eventually import eventually

NO_LAG = Pace.quick().but(lag=0.0)

CREATE = "mutation M($input: ServiceCreateInput!) { serviceCreate(input: $input) { id } }"
ENVIRONMENT = "query Q($id: String!) { environment(id: $id) { name } }"


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
