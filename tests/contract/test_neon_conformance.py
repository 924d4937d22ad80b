"""What the driver asks of Neon and what the simulator answers agree with Neon's own description of its API.

So the driver is right about the real Neon as far as a description can tell, and the simulator is no invention.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from claw_dev.simulators.faults import FaultKind
from claw_dev.simulators.neon.calls import Call
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_operator.external import DesiredDatabase
from claw_operator.external.budget import Budget
from claw_operator.external.http import Api, NoAnswer
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import Isolation, NeonOptions
from tests.contract.neon_openapi import Judge, judge
from tests.contract.neon_world import DATABASE, KEY, ROLE, Client, client_of, fault, simulated_neon
from tests.contract.owners import database_of, new_owner


@pytest.fixture
def neons_word() -> Judge:
    return judge(unchecked="that requests to Neon and the simulator's answers are as Neon describes them")


@asynccontextmanager
async def driver_of(neon: NeonSimulator, isolation: Isolation) -> AsyncIterator[NeonDriver]:
    """The operator's own driver, in a hurry."""
    options = NeonOptions(
        key=KEY,
        url=neon.url,
        isolation=isolation,
        project_id=neon.project_id if isolation is Isolation.BRANCH else None,
        region="aws-eu-central-1",
        suspend_timeout_seconds=300,
        poll_seconds=0.01,
        settle_seconds=0.05,
        locked_pause_seconds=(0.01, 0.02),
    )
    async with httpx.AsyncClient(trust_env=False) as session:
        budget = Budget("neon", per_second=10_000, burst=10_000)
        driver = NeonDriver(Api(session, budget, provider="Neon", random=Random(0).random), options)
        try:
            yield driver
        finally:
            await driver.aclose()


async def whole_life(driver: NeonDriver, neon: NeonSimulator, desired: DesiredDatabase) -> None:
    """Everything that can happen to an instance's database, a lost answer included."""
    owner = desired.owner
    for operation in ("createProjectBranch", "createProject"):
        neon.faults.add(fault(FaultKind.LOST_ANSWER, operation))
    try:
        await driver.create(desired)
    except NoAnswer:
        await driver.create(desired)
    assert (await driver.create(desired)).ready
    await driver.issue_credentials(owner)
    assert await driver.observe(owner)
    larger = replace(desired, cpu_millis=2000, storage_bytes=2 * desired.storage_bytes)
    resized = await driver.adjust(larger)
    assert resized.size is not None
    assert resized.is_sized_for(larger)
    assert (await driver.suspend(owner)).suspended
    assert not (await driver.resume(owner)).suspended
    await driver.archive(owner, datetime.now(UTC) + timedelta(days=30))
    assert [marked.owner.uid for marked in await driver.inventory()] == [owner.uid]
    assert (await driver.create(desired)).ready
    await driver.delete(owner)
    assert await driver.observe(owner) is None


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_a_whole_life_of_a_database_is_as_neon_describes_it(neons_word: Judge, isolation: Isolation) -> None:
    async with simulated_neon(novelties=False) as neon, driver_of(neon, isolation) as driver:
        await whole_life(driver, neon, database_of(new_owner()))
        assert neons_word.complaints(neon.calls) == []
        made = "branches" if isolation is Isolation.BRANCH else "projects"
        assert (neon.counts()[f"{made} created"], neon.counts()[f"{made} deleted"]) == (2, 1)


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_the_driver_does_not_mind_what_no_description_has(isolation: Isolation) -> None:
    async with simulated_neon(novelties=True) as neon, driver_of(neon, isolation) as driver:
        await whole_life(driver, neon, database_of(new_owner()))


async def every_request(client: Client) -> None:
    """Each route of the simulator at least once."""
    made = await client.new_branch("claw-a", {"owner": "me"})
    branch = f"{client.here}/branches/{made['branch']['id']}"
    endpoint = f"{client.here}/endpoints/{made['endpoints'][0]['id']}"
    operation = made["operations"][0]["id"]
    query = {"branch_id": made["branch"]["id"], "role_name": ROLE, "database_name": DATABASE, "pooled": "true"}
    other = {"branch": {"name": "claw-b", "expires_at": None}}
    reader = {"endpoint": {"branch_id": made["branch"]["id"], "type": "read_only"}}
    project = {"name": "claw-c", "settings": {"quota": {"logical_size_bytes": 100}}}
    settings = {"default_endpoint_settings": {"autoscaling_limit_max_cu": 1}}
    database = {"database": {"name": "more", "owner_name": "other"}}
    write: list[Callable[[], Any]] = [
        lambda: client.patch(branch, other),
        lambda: client.post(f"{branch}/roles", {"role": {"name": "other"}}),
        lambda: client.post(f"{branch}/roles/other/reset_password"),
        lambda: client.post(f"{branch}/databases", database),
        lambda: client.delete(f"{branch}/databases/more"),
        lambda: client.delete(f"{branch}/roles/other"),
        lambda: client.patch(endpoint, {"endpoint": {"autoscaling_limit_max_cu": 4, "name": "mine"}}),
        lambda: client.post(f"{endpoint}/suspend"),
        lambda: client.post(f"{endpoint}/start"),
        lambda: client.post(f"{endpoint}/restart"),
        lambda: client.post(f"{client.here}/endpoints", reader),
        lambda: client.patch(client.here, {"project": settings}),
        lambda: client.post("/projects", {"project": project}),
        lambda: client.delete(endpoint),
        lambda: client.delete(endpoint),
        lambda: client.delete(branch),
        lambda: client.delete(branch),
        lambda: client.delete(f"/projects/{client.neon.world.projects.all_now()[-1].id}"),
    ]
    reads = ["", "/branches", "/branches/count", "/endpoints", "/operations", f"/operations/{operation}"]
    of_branch = ["", "/endpoints", "/roles", "/databases", f"/roles/{ROLE}", f"/databases/{DATABASE}"]
    paths = ["/projects", *(client.here + read for read in reads), endpoint, *(branch + read for read in of_branch)]
    for path in (*paths, f"{branch}/roles/{ROLE}/reveal_password", f"{client.here}/branches/br-nobody"):
        await client.get(path)
    await client.get(f"{client.here}/connection_uri", **query)
    for change in write:
        await change()
        await client.neon.chains.settled()


async def test_every_answer_of_the_simulator_is_as_neon_describes_it(neons_word: Judge) -> None:
    async with simulated_neon(novelties=False) as neon, client_of(neon) as client:
        await every_request(client)
        assert neons_word.complaints(neon.calls) == []
        failed = [(call.operation, call.status) for call in neon.calls if (call.status or 0) >= 400]
        assert failed == [("getProjectBranch", 404)]
        assert set(neon.calls.by_operation()) == set(neon.operations), "every route was asked for"


async def test_the_simulator_has_no_route_that_neon_has_not(neons_word: Judge) -> None:
    async with simulated_neon() as neon:
        assert {name: neons_word.operations.get(name) for name in neon.operations} == neon.operations


@pytest.mark.parametrize(
    ("environment", "outcome"),
    [({}, pytest.skip.Exception), ({"CI": "true"}, pytest.fail.Exception)],
    ids=["on somebody's machine", "in CI"],
)
def test_a_missing_description_is_told_and_fails_in_ci(
    tmp_path: Path, environment: dict[str, str], outcome: type[BaseException]
) -> None:
    with pytest.raises(outcome, match="nobody checked requests"):
        judge(unchecked="requests", description=tmp_path / "nothing.json", environment=environment)


async def a_good_call() -> Call:
    async with simulated_neon(novelties=False) as neon, client_of(neon) as client:
        await client.new_branch("claw-a", {"owner": "me"})
        return next(iter(neon.calls))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"method": "PUT"}, "no such operation"),
        ({"path": "/projects/UPPER/branches"}, "project_id: pattern"),
        ({"query": {"limit": "3"}}, "query parameter limit is not known"),
        ({"body": {"branch": {"named": "claw-a"}}}, "body.branch.named is not known"),
        ({"body": {"endpoints": [{"autoscaling_limit_max_cu": 1}]}}, "body.endpoints[0]: required"),
        ({"body": {"annotation_value": {"owner": 1}}}, "body.annotation_value.owner: type"),
        ({"status": 202}, "the status 202 is not described"),
        ({"answer": {}}, "answer: required"),
    ],
)
async def test_the_judge_sees_what_is_wrong(neons_word: Judge, changes: dict[str, Any], complaint: str) -> None:
    good = await a_good_call()
    assert neons_word.complaints([good]) == []
    assert any(complaint in found for found in neons_word.complaints([replace(good, **changes)]))
