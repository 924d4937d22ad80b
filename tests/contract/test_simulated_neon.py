"""The simulated Neon keeps what neon.md tells of the real one: each test is a trap that somebody fell into."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.neon.world import PlanLimits
from tests.contract.neon_world import DATABASE, ROLE, Client, branch_named, client_of, simulated_neon


@pytest.fixture
async def neon() -> AsyncIterator[NeonSimulator]:
    async with simulated_neon() as running:
        yield running


@pytest.fixture
async def client(neon: NeonSimulator) -> AsyncIterator[Client]:
    async with client_of(neon) as ready:
        yield ready


async def test_a_new_branch_is_there_at_once_and_usable_once_its_operations_have_finished(client: Client) -> None:
    options = {"type": "read_write", "autoscaling_limit_max_cu": 0.5}
    body = {"branch": {"name": "claw-a"}, "endpoints": [options], "annotation_value": {"owner": "me"}}
    made = (await client.post(f"{client.here}/branches", body)).json()
    assert made["branch"]["current_state"] == "init"
    assert [operation["action"] for operation in made["operations"]][:2] == ["create_branch", "start_compute"]
    await client.neon.chains.settled()
    seen = (await client.get(f"{client.here}/branches/{made['branch']['id']}")).json()
    assert seen["branch"]["current_state"] == "ready"
    assert seen["annotation"]["value"] == {"owner": "me"}
    endpoint = (await client.get(f"{client.here}/endpoints/{made['endpoints'][0]['id']}")).json()["endpoint"]
    assert (endpoint["current_state"], endpoint["autoscaling_limit_max_cu"]) == ("active", 0.5)
    first = made["operations"][0]["id"]
    operation = (await client.get(f"{client.here}/operations/{first}")).json()["operation"]
    assert operation["status"] == "finished"


async def test_writes_are_locked_out_while_an_operation_of_the_project_runs_and_do_nothing(client: Client) -> None:
    answers = await asyncio.gather(
        *(client.post(f"{client.here}/branches", {"branch": {"name": f"claw-{number}"}}) for number in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 423, 423, 423, 423]
    refused = next(answer.json() for answer in answers if answer.status_code == 423)
    assert "already has running conflicting operations" in refused["message"]
    assert len(client.neon.world.branches_of(client.neon.project_id)) == 2


async def test_a_branch_name_is_taken_even_while_another_branch_is_made(client: Client) -> None:
    await client.new_branch("claw-a")
    await client.post(f"{client.here}/branches", {"branch": {"name": "claw-b"}})
    again = await client.post(f"{client.here}/branches", {"branch": {"name": "claw-a"}})
    assert (again.status_code, again.json()["code"]) == (409, "BRANCH_ALREADY_EXISTS")


async def test_a_child_of_an_unprotected_parent_has_its_parents_password(client: Client) -> None:
    made = await client.new_branch("claw-a")
    parents = client.neon.world.default_branch(client.neon.project_id).roles[ROLE].password
    assert client.neon.lets_in(made["branch"]["id"], ROLE, parents)
    assert made["connection_uris"][0]["connection_parameters"]["password"] == parents


async def test_a_child_of_a_protected_parent_has_a_password_of_its_own(client: Client) -> None:
    default = client.neon.world.default_branch(client.neon.project_id)
    await client.patch(f"{client.here}/branches/{default.id}", {"branch": {"protected": True}})
    await client.neon.chains.settled()
    made = await client.new_branch("claw-a")
    assert not client.neon.lets_in(made["branch"]["id"], ROLE, default.roles[ROLE].password)


async def test_a_new_password_works_only_when_the_operation_has_finished_and_the_old_one_until_then(
    client: Client,
) -> None:
    branch_id = (await client.new_branch("claw-a"))["branch"]["id"]
    path = f"{client.here}/branches/{branch_id}/roles/{ROLE}"
    old = (await client.get(f"{path}/reveal_password")).json()["password"]
    new = (await client.post(f"{path}/reset_password")).json()["role"]["password"]
    assert new in await client.uri(branch_id)
    assert [client.neon.lets_in(branch_id, ROLE, password) for password in (old, new)] == [True, False]
    await client.neon.chains.settled()
    assert [client.neon.lets_in(branch_id, ROLE, password) for password in (old, new)] == [False, True]


async def test_a_uri_without_a_branch_is_the_default_branchs(client: Client) -> None:
    made = await client.new_branch("claw-a")
    query = {"role_name": ROLE, "database_name": DATABASE}
    nameless = (await client.get(f"{client.here}/connection_uri", **query)).json()["uri"]
    default = client.neon.world.default_branch(client.neon.project_id)
    writer = client.neon.world.writer_of(default.id)
    assert writer is not None
    assert (urlsplit(nameless).hostname or "").startswith(writer.id)
    named = await client.uri(made["branch"]["id"], pooled="true")
    assert (urlsplit(named).hostname or "").startswith(made["endpoints"][0]["id"] + "-pooler.")


@pytest.mark.parametrize("more", ["roles", "databases"])
async def test_a_parent_with_more_than_one_role_or_database_gives_its_children_no_uri(
    client: Client, more: str
) -> None:
    default = client.neon.world.default_branch(client.neon.project_id).id
    one = {"role": {"name": "other"}} if more == "roles" else {"database": {"name": "other", "owner_name": ROLE}}
    assert (await client.post(f"{client.here}/branches/{default}/{more}", one)).status_code == 201
    await client.neon.chains.settled()
    assert "connection_uris" not in await client.new_branch("claw-a")


async def test_a_project_that_stores_no_passwords_tells_them_once() -> None:
    async with simulated_neon(store_passwords=False) as neon, client_of(neon) as client:
        made = await client.new_branch("claw-a")
        path = f"{client.here}/branches/{made['branch']['id']}/roles/{ROLE}"
        assert (await client.get(f"{path}/reveal_password")).status_code == 412
        assert (await client.post(f"{path}/reset_password")).json()["role"]["password"]
        assert urlsplit(await client.uri(made["branch"]["id"])).password is None


async def test_deleting_takes_a_while_and_deleting_what_is_gone_says_204(client: Client) -> None:
    path = f"{client.here}/branches/{(await client.new_branch('claw-a'))['branch']['id']}"
    assert (await client.delete(path)).status_code == 200
    assert (await client.get(path)).status_code == 200
    await client.neon.chains.settled()
    assert (await client.get(path)).status_code == 404
    assert (await client.delete(path)).status_code == 204
    assert client.neon.counts()["branches deleted"] == 1


@pytest.mark.parametrize("which", ["default", "protected", "root", "parent"])
async def test_some_branches_cannot_be_deleted(client: Client, which: str) -> None:
    default = client.neon.world.default_branch(client.neon.project_id)
    special: dict[str, dict[str, Any]] = {"protected": {"protected": True}, "root": {"init_source": "schema-only"}}
    made = (await client.new_branch("claw-a", **special.get(which, {})))["branch"]["id"]
    if which == "parent":
        await client.new_branch("claw-b", parent_id=made)
    answer = await client.delete(f"{client.here}/branches/{default.id if which == 'default' else made}")
    assert answer.status_code == 422
    assert branch_named(client.neon, "claw-a")


@pytest.mark.parametrize(
    ("plan", "options", "code"),
    [
        (PlanLimits(branches=1), {}, "BRANCHES_LIMIT_EXCEEDED"),
        (PlanLimits(root_branches=1), {"init_source": "schema-only"}, "ROOT_BRANCHES_LIMIT_EXCEEDED"),
        (PlanLimits(protected_branches=0), {"protected": True}, "PROTECTED_BRANCHES_LIMIT_EXCEEDED"),
        (PlanLimits(active_computes=0), {}, "ACTIVE_ENDPOINTS_LIMIT_EXCEEDED"),
    ],
    ids=["branches", "root branches", "protected branches", "active computes"],
)
async def test_what_the_plan_does_not_include_is_refused(
    plan: PlanLimits, options: dict[str, object], code: str
) -> None:
    async with simulated_neon(plan=plan) as neon, client_of(neon) as client:
        body = {"branch": {"name": "claw-a", **options}, "endpoints": [{"type": "read_write"}]}
        answer = await client.post(f"{client.here}/branches", body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert neon.counts()["branches created"] == 1


async def test_a_disabled_compute_lets_nobody_in_and_starts_only_when_it_is_enabled(client: Client) -> None:
    made = await client.new_branch("claw-a")
    branch, endpoint = made["branch"]["id"], f"{client.here}/endpoints/{made['endpoints'][0]['id']}"
    password = branch_named(client.neon, "claw-a").roles[ROLE].password
    await client.patch(endpoint, {"endpoint": {"disabled": True}})
    await client.neon.chains.settled()
    assert (await client.get(endpoint)).json()["endpoint"]["current_state"] == "idle"
    assert not client.neon.lets_in(branch, ROLE, password)
    assert (await client.post(f"{endpoint}/start")).status_code == 422
    await client.patch(endpoint, {"endpoint": {"disabled": False}})
    await client.neon.chains.settled()
    assert client.neon.lets_in(branch, ROLE, password)
    assert (await client.post(f"{endpoint}/start")).json()["operations"][0]["action"] == "start_compute"


async def test_a_branch_has_one_read_write_compute(client: Client) -> None:
    branch_id = (await client.new_branch("claw-a"))["branch"]["id"]
    body = {"endpoint": {"branch_id": branch_id, "type": "read_write"}}
    assert (await client.post(f"{client.here}/endpoints", body)).status_code == 409


@pytest.mark.parametrize(
    "options",
    [
        {"autoscaling_limit_max_cu": 0.3},
        {"autoscaling_limit_min_cu": 2, "autoscaling_limit_max_cu": 1},
        {"autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 10},
        {"autoscaling_limit_min_cu": 12, "autoscaling_limit_max_cu": 18},
        {"suspend_timeout_seconds": 30},
    ],
)
async def test_a_compute_that_neon_does_not_sell_is_refused_and_its_branch_with_it(
    client: Client, options: dict[str, float]
) -> None:
    body = {"branch": {"name": "claw-a"}, "endpoints": [{"type": "read_write", **options}]}
    assert (await client.post(f"{client.here}/branches", body)).status_code == 422
    assert client.neon.counts()["branches created"] == client.neon.counts()["endpoints created"] == 1


async def test_the_free_plan_refuses_every_suspend_timeout() -> None:
    async with simulated_neon(plan=PlanLimits(may_choose_suspend_timeout=False)) as neon, client_of(neon) as client:
        body = {"endpoints": [{"type": "read_write", "suspend_timeout_seconds": 300}]}
        assert (await client.post(f"{client.here}/branches", body)).status_code == 422
        await client.new_branch("claw-a")


async def test_an_operation_that_fails_takes_those_after_it_along(client: Client) -> None:
    client.neon.chains.fail("create_branch")
    made = await client.new_branch("claw-a")
    listed = (await client.get(f"{client.here}/operations", limit="100")).json()["operations"]
    by_id = {operation["id"]: operation["status"] for operation in listed}
    assert [by_id[operation["id"]] for operation in made["operations"]][:2] == ["failed", "cancelled"]
    assert branch_named(client.neon, "claw-a").state == "init"


async def test_the_same_world_looks_the_same_with_other_ids() -> None:
    pictures = []
    for seed in (1, 2):
        async with simulated_neon(seed=seed, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)) as neon:
            async with client_of(neon) as client:
                await client.new_branch("claw-a", {"owner": "me"})
            pictures.append((neon.picture(), neon.counts()))
    assert pictures[0] == pictures[1]
