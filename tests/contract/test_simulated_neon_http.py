"""How the simulated Neon speaks: keys, limits, pages, faults, lag, and whole projects."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from claw_dev.simulators.faults import FaultKind
from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.limits import RateLimits
from claw_dev.simulators.neon.pace import Pace
from claw_dev.simulators.neon.simulator import DEFAULT_PROJECT
from claw_dev.simulators.neon.world import PlanLimits
from tests.contract.neon_world import KEY, ROLE, Client, client_of, fault, simulated_neon
from tests.eventually import eventually


@pytest.mark.parametrize(
    ("key", "method", "path", "status"),
    [
        (None, "GET", f"/projects/{DEFAULT_PROJECT}", 401),
        ("napi_nobodys", "GET", f"/projects/{DEFAULT_PROJECT}", 401),
        ("napi_reader", "GET", f"/projects/{DEFAULT_PROJECT}", 200),
        ("napi_reader", "POST", f"/projects/{DEFAULT_PROJECT}/branches", 403),
        ("napi_project", "POST", f"/projects/{DEFAULT_PROJECT}/branches", 201),
        ("napi_project", "GET", "/projects", 403),
        ("napi_elsewhere", "GET", f"/projects/{DEFAULT_PROJECT}", 403),
        ("napi_stranger", "GET", f"/projects/{DEFAULT_PROJECT}", 404),
        ("napi_person", "GET", "/projects", 400),
        ("napi_person", "GET", "/projects?org_id=org-simulated-12345678", 200),
    ],
)
async def test_a_key_may_what_it_may(key: str | None, method: str, path: str, status: int) -> None:
    keys = [
        Key(KEY),
        Key("napi_reader", may_write=False),
        Key("napi_project", project_id=DEFAULT_PROJECT),
        Key("napi_elsewhere", project_id="other-project-12345678"),
        Key("napi_stranger", org_id="org-strangers-12345678"),
        Key("napi_person", is_personal=True),
    ]
    async with simulated_neon(keys=keys) as neon, client_of(neon, key=key) as client:
        assert (await client.http.request(method, path)).status_code == status


@pytest.mark.parametrize("tells", [True, False], ids=["with Retry-After", "without"])
async def test_too_many_calls_of_one_route_are_refused(tells: bool) -> None:
    rates = RateLimits(burst_per_second=5, tell_retry_after=tells)
    async with simulated_neon(rates=rates) as neon, client_of(neon) as client:
        answers = await asyncio.gather(*(client.get(f"{client.here}/branches") for _ in range(8)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert all(("Retry-After" in answer.headers) is tells for answer in refused)
        assert (await client.get(f"{client.here}/endpoints")).status_code == 200


async def test_too_many_calls_a_minute_are_refused_whatever_the_route() -> None:
    async with simulated_neon(rates=RateLimits(per_minute=3)) as neon, client_of(neon) as client:
        paths = [f"{client.here}{rest}" for rest in ("", "/branches", "/endpoints", "/operations")]
        assert [(await client.get(path)).status_code for path in paths] == [200, 200, 200, 429]


async def test_branches_page_until_no_next_is_told_and_tell_their_annotations() -> None:
    async with simulated_neon() as neon, client_of(neon) as client:
        for name in ("claw-b", "claw-a", "other"):
            await client.new_branch(name, {"owner": name})
        query = {"search": "claw-", "sort_by": "name", "sort_order": "asc", "limit": "1"}
        first = (await client.get(f"{client.here}/branches", **query)).json()
        second = (await client.get(f"{client.here}/branches", **query, cursor=first["pagination"]["next"])).json()
        names = [branch["name"] for page in (first, second) for branch in page["branches"]]
        assert names == ["claw-a", "claw-b"]
        assert [annotation["value"] for annotation in second["annotations"].values()] == [{"owner": "claw-b"}]
        assert "next" not in second["pagination"]


async def test_projects_page_until_one_is_empty_and_names_may_come_twice() -> None:
    async with simulated_neon() as neon, client_of(neon) as client:
        for _ in range(2):
            assert (await client.post("/projects", {"project": {"name": "claw-a"}})).status_code == 201
        seen: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(3):
            page = (await client.get("/projects", search="claw-a", limit="1", **cursor)).json()
            seen += [project["name"] for project in page["projects"]]
            cursor = {"cursor": page["pagination"]["cursor"]}
        assert seen == ["claw-a", "claw-a"]
        assert page["projects"] == []


async def test_a_list_of_projects_may_be_incomplete_and_says_so() -> None:
    async with simulated_neon() as neon, client_of(neon) as client:
        order = {"project_ids": [neon.project_id]}
        assert (await client.http.put(neon.control_url + "unavailable", json=order)).status_code == 204
        listed = (await client.get("/projects")).json()
        assert (listed["projects"], listed["unavailable_project_ids"]) == ([], [neon.project_id])


async def test_a_branch_may_be_archived_and_grow_without_anybody_asking() -> None:
    async with simulated_neon() as neon, client_of(neon) as client:
        branch_id = (await client.new_branch("claw-a"))["branch"]["id"]
        nature = {"state": "archived", "logical_size": 5_000_000_000}
        assert (await client.http.patch(f"{neon.control_url}branches/{branch_id}", json=nature)).status_code == 204
        seen = (await client.get(f"{client.here}/branches/{branch_id}")).json()["branch"]
        assert (seen["current_state"], seen["logical_size"]) == ("archived", 5_000_000_000)


async def project_of_its_own(client: Client, **settings: object) -> dict[str, str]:
    """Ids of a new project, its branch and its endpoint."""
    body = {"project": {"name": "claw-a", "branch": {"annotations": {"owner": "me"}}, "settings": settings}}
    made = (await client.post("/projects", body)).json()
    assert made["connection_uris"][0]["connection_parameters"]["role"] == ROLE
    await client.neon.chains.settled()
    return {"project": made["project"]["id"], "branch": made["branch"]["id"], "endpoint": made["endpoints"][0]["id"]}


async def test_a_project_comes_with_everything_and_goes_with_everything() -> None:
    async with simulated_neon() as neon, client_of(neon) as client:
        ids = await project_of_its_own(client)
        path = f"/projects/{ids['project']}"
        listed = (await client.get(f"{path}/branches")).json()
        assert listed["annotations"][ids["branch"]]["value"] == {"owner": "me"}
        await client.patch(f"{path}/branches/{ids['branch']}", {"branch": {"protected": True}})
        await neon.chains.settled()
        assert (await client.delete(path)).status_code == 422
        await client.patch(f"{path}/branches/{ids['branch']}", {"branch": {"protected": False}})
        await neon.chains.settled()
        assert (await client.delete(path)).status_code == 200
        assert (await client.get(path)).status_code == 404
        assert (await client.delete(path)).status_code == 404
        assert neon.counts()["projects deleted"] == 1


async def test_a_plan_includes_so_many_projects() -> None:
    async with simulated_neon(plan=PlanLimits(projects=1)) as neon, client_of(neon) as client:
        answer = await client.post("/projects", {"project": {"name": "claw-a"}})
        assert (answer.status_code, answer.json()["code"]) == (422, "PROJECTS_LIMIT_EXCEEDED")


async def test_a_used_up_quota_stops_every_compute_until_it_is_raised() -> None:
    async with simulated_neon() as neon, client_of(neon) as client:
        ids = await project_of_its_own(client, quota={"compute_time_seconds": 100})
        path = f"/projects/{ids['project']}"
        used = {"project_id": ids["project"], "used": {"compute_time_seconds": 100}}
        assert (await client.http.post(neon.control_url + "use", json=used)).status_code == 204
        await neon.chains.settled()
        assert (await client.post(f"{path}/endpoints/{ids['endpoint']}/start")).status_code == 423
        raised = {"project": {"settings": {"quota": {"compute_time_seconds": 200}}}}
        assert (await client.patch(path, raised)).status_code == 200
        await neon.chains.settled()
        assert (await client.post(f"{path}/endpoints/{ids['endpoint']}/start")).status_code == 200


async def test_reads_lag_behind_writes() -> None:
    async with simulated_neon(pace=replace(Pace.quick(), read_lag=0.2)) as neon, client_of(neon) as client:
        branch_id = (await client.new_branch("claw-a"))["branch"]["id"]
        path = f"{client.here}/branches/{branch_id}"
        assert (await client.get(path)).status_code == 404
        assert (await client.patch(path, {"branch": {"name": "claw-b"}})).status_code == 200

        async def is_renamed() -> bool:
            seen = await client.get(path)
            return seen.status_code == 200 and seen.json()["branch"]["name"] == "claw-b"

        await eventually(is_renamed)


async def test_a_lost_answer_has_been_carried_out_and_a_lost_request_has_not() -> None:
    async with simulated_neon() as neon, client_of(neon) as client:
        for kind, carried_out in ((FaultKind.CUT, False), (FaultKind.LOST_ANSWER, True)):
            neon.faults.add(fault(kind, "createProjectBranch"))
            with pytest.raises(httpx.TransportError):
                await client.post(f"{client.here}/branches", {"branch": {"name": "claw-a"}})
            last = list(neon.calls)[-1]
            assert (last.operation, last.carried_out, last.delivered) == ("createProjectBranch", carried_out, False)
        assert neon.counts()["branches created"] == 2


async def test_a_gateway_speaks_html_and_the_log_tells_what_was_asked() -> None:
    async with simulated_neon() as neon, client_of(neon) as client:
        wanted = fault(FaultKind.HTML, "listProjectBranches", status=502).model_dump(mode="json")
        assert (await client.http.post(neon.control_url + "faults", json=wanted)).status_code == 201
        answer = await client.get(f"{client.here}/branches", search="claw-")
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (502, "text/html")
        logged = (await client.http.get(neon.control_url + "calls")).json()["calls"]
        assert [(call["operation"], call["query"], call["status"], call["key"]) for call in logged] == [
            ("listProjectBranches", {"search": "claw-"}, 502, "")
        ]
        assert KEY not in str(logged)
