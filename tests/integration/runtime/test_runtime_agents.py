"""Agents: made, named, limited by the plan, and gone with all that was theirs."""

import asyncio
from typing import Any

import pytest

from claw_crds.plan import Limits
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from tests.clock import Clock
from tests.integration.runtime.world import Runtime, Tables


async def made(runtime: Runtime, **members: Any) -> Any:
    answer = await runtime.post("/api/agents", members)
    assert answer.status == 201, answer.text
    return answer.json


async def names(runtime: Runtime) -> list[str]:
    return [agent["id"] for agent in (await runtime.get("/api/agents")).json["agents"]]


async def test_an_agent_answers_in_its_own_name_by_its_own_orders(runtime: Runtime, claude: ClaudeSimulator) -> None:
    await made(runtime, id="garden", name="Flora", instructions="Talk of plants.")

    answer = await runtime.chat("Who are you?", agentId="garden")

    assert "I am Flora" in answer.json["reply"]
    request = claude.calls.all()[-1].request
    assert request is not None
    assert "Talk of plants." in request["system"][0]["text"]


async def test_a_question_to_an_agent_that_there_is_not_makes_it(runtime: Runtime, clock: Clock) -> None:
    await runtime.chat()
    clock.advance(seconds=1)
    await runtime.chat(agentId="garden")

    assert await names(runtime) == ["main", "garden"]
    assert (await runtime.get("/api/agents/garden")).json["answers"] is True
    listing = (await runtime.get("/api/workspace?prefix=agents/garden/")).json
    assert listing["files"], "it has a folder of its own"


async def test_an_agent_can_be_changed_and_what_is_not_sent_stays(runtime: Runtime) -> None:
    await made(runtime, id="garden", name="Flora", instructions="Talk of plants.")

    changed = await runtime.call("PATCH", "/api/agents/garden", json={"instructions": None})

    assert (changed.json["name"], changed.json["instructions"]) == ("Flora", None)
    assert (await runtime.get("/api/agents/garden")).json == changed.json
    assert (await runtime.call("PATCH", "/api/agents/kitchen", json={})).status == 404


@pytest.mark.parametrize("name", ["../main", "a/b", "", ".hidden", "a" * 65, "é", "a\u0000", " garden"])
async def test_what_cannot_name_a_folder_names_no_agent(runtime: Runtime, name: str) -> None:
    assert (await runtime.post("/api/agents", {"id": name})).status == 422
    assert (await runtime.chat(agentId=name)).status == 422


async def test_names_differ_in_more_than_capitals(runtime: Runtime, tables: Tables) -> None:
    await made(runtime, id="garden")

    again = await runtime.post("/api/agents", {"id": "garden"})
    alike = await runtime.chat(agentId="Garden")

    assert (again.status, again.problem) == (alike.status, alike.problem) == (409, "agent-exists")
    assert await tables.value("select count(*) from agents") == 1


async def test_nobody_takes_the_place_of_main(runtime: Runtime) -> None:
    taken = await runtime.post("/api/agents", {"id": "Main"})

    assert (taken.status, taken.problem) == (409, "agent-exists")
    assert (await runtime.post("/api/agents", {"id": "main", "instructions": "Be brief."})).status == 201
    assert (await runtime.chat()).status == 200


async def test_a_name_is_one_line(runtime: Runtime) -> None:
    assert (await runtime.post("/api/agents", {"id": "garden", "name": "Flora\n# Orders"})).status == 422


async def test_many_at_once_are_no_more_than_the_plan_has(runtime: Runtime, tables: Tables) -> None:
    await runtime.configure(limits=Limits(agents=3))
    posts = [runtime.post("/api/agents", {"id": f"posted-{number}"}) for number in range(6)]
    chats = [runtime.chat(agentId=f"asked-{number}") for number in range(6)]

    answers = await asyncio.gather(*posts, *chats)

    assert sum(answer.status in {200, 201} for answer in answers) == 3
    assert {answer.json["limitName"] for answer in answers if answer.status == 429} == {"agents"}
    assert await tables.value("select count(*) from agents") == 3
    assert (await runtime.report())["holdings"]["agents"] == 3


async def test_many_questions_to_one_new_agent_make_it_once(runtime: Runtime, tables: Tables) -> None:
    await runtime.configure(limits=Limits(agents=1))

    answers = await asyncio.gather(*(runtime.chat(agentId="garden") for _ in range(6)))

    assert {answer.status for answer in answers} == {200}
    assert await tables.value("select count(*) from agents") == 1


async def test_after_a_smaller_plan_the_oldest_go_on_until_one_is_deleted(runtime: Runtime, clock: Clock) -> None:
    for agent in ("main", "garden", "kitchen"):
        await runtime.chat(agentId=agent)
        clock.advance(seconds=1)
    await runtime.configure(limits=Limits(agents=2))

    refused = await runtime.chat(agentId="kitchen")

    assert (refused.status, refused.json["limitName"], refused.json["limit"]) == (429, "agents", 2)
    assert [agent["answers"] for agent in (await runtime.get("/api/agents")).json["agents"]] == [True, True, False]
    assert (await runtime.call("DELETE", "/api/agents/garden")).status == 204
    assert (await runtime.chat(agentId="kitchen")).status == 200


async def test_a_deleted_agent_takes_all_that_was_its_own(runtime: Runtime, tables: Tables) -> None:
    await runtime.chat("Hello", agentId="main")
    conversation = (await runtime.chat("Hello", agentId="garden")).json["conversationId"]
    await runtime.post("/api/memory", {"content": "Roses in May", "agentId": "garden"})
    await runtime.post("/api/memory", {"content": "Bello is a dog"})
    await runtime.call("PUT", "/api/workspace/agents/garden/plan.md", json={"content": "Roses"})

    assert (await runtime.call("DELETE", "/api/agents/garden")).status == 204

    assert await names(runtime) == ["main"]
    assert (await runtime.get(f"/api/conversations/{conversation}")).status == 404
    assert await tables.value("select count(*) from memories") == 1
    assert await tables.value("select count(*) from workspace_files where path like 'agents/garden/%%'") == 0
    assert await tables.value("select count(*) from workspace_versions where path like 'agents/garden/%%'") == 0
    assert (await runtime.report())["holdings"]["agents"] == 1
    assert (await runtime.call("DELETE", "/api/agents/garden")).status == 404


async def test_main_stays(runtime: Runtime) -> None:
    await runtime.chat()

    kept = await runtime.call("DELETE", "/api/agents/main")

    assert (kept.status, kept.problem) == (409, "cannot-be-deleted")
    assert await names(runtime) == ["main"]
