"""What an instance holds of the things that its plan limits: told from memory, and never taken away."""

from typing import Any

from claw_crds.instance import State
from claw_crds.plan import Limits
from claw_runtime.routes import Access
from claw_runtime.routes.table import ROUTES
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.integration.runtime.world import Runtime, Tables, running


async def holdings(runtime: Runtime) -> Any:
    return (await runtime.report())["holdings"]


async def remember(runtime: Runtime, *contents: str) -> list[str]:
    """Keep memories; returns their ids."""
    kept = [await runtime.post("/api/memory", {"content": content}) for content in contents]
    assert {answer.status for answer in kept} <= {201}
    return [answer.json["id"] for answer in kept]


async def test_the_counts_follow_every_write(runtime: Runtime) -> None:
    assert await holdings(runtime) == {"memories": 0, "agents": 0, "skillsNotInPlan": []}

    first, _ = await remember(runtime, "Bello is a dog.", "Felix is a cat.")
    conversations = [(await runtime.chat(agentId=agent)).json["conversationId"] for agent in ("ada", "bob", "bob")]
    await runtime.chat("And again?", conversationId=conversations[0])

    assert await holdings(runtime) == {"memories": 2, "agents": 2, "skillsNotInPlan": []}

    await runtime.call("DELETE", f"/api/memory/{first}")
    await runtime.call("DELETE", f"/api/memory/{first}")
    await runtime.call("DELETE", f"/api/conversations/{conversations[1]}")
    assert await holdings(runtime) == {"memories": 1, "agents": 2, "skillsNotInPlan": []}

    await runtime.call("DELETE", "/api/agents/bob")
    assert (await holdings(runtime))["agents"] == 1


async def test_the_counts_are_known_after_a_restart_and_told_while_the_database_sleeps(
    environment: Settings, clock: Clock, tables: Tables
) -> None:
    async with running(environment, clock) as first:
        assert await holdings(first) is None  # blank: there is no plan to compare with
        await first.configure()
        await remember(first, "Bello is a dog.")
    async with running(environment, clock) as second:
        await second.ready()
        await tables.go_away()

        assert (await holdings(second))["memories"] == 1
        assert not second.services.database.away  # it was not even asked
        await tables.come_back()


async def test_a_smaller_plan_refuses_more_memories_and_keeps_those_that_there_are(runtime: Runtime) -> None:
    ids = await remember(runtime, "one", "two", "three")

    await runtime.configure(limits=Limits(memories=2))

    assert (await holdings(runtime))["memories"] == 3
    for memory in ids[:2]:
        refused = await runtime.post("/api/memory", {"content": "four"})
        assert (refused.status, refused.problem, refused.json["limitName"]) == (429, "limit-reached", "memories")
        assert memory in {kept["id"] for kept in (await runtime.get("/api/memory")).json["memories"]}
        await runtime.call("DELETE", f"/api/memory/{memory}")
    await remember(runtime, "four")
    assert (await holdings(runtime))["memories"] == 2


async def test_a_smaller_plan_refuses_the_newer_agents_and_keeps_their_conversations(
    runtime: Runtime, clock: Clock
) -> None:
    conversations = {}
    for agent in ("ada", "bob"):
        clock.advance(minutes=1)
        conversations[agent] = (await runtime.chat(agentId=agent)).json["conversationId"]

    await runtime.configure(limits=Limits(agents=1))

    assert (await holdings(runtime))["agents"] == 2
    refused = await runtime.chat("Again", conversationId=conversations["bob"])
    assert (refused.status, refused.json["limitName"]) == (429, "agents")
    assert (await runtime.chat("Again", conversationId=conversations["ada"])).status == 200
    kept = await runtime.get(f"/api/conversations/{conversations['bob']}")
    assert len(kept.json["messages"]) == 2


async def test_a_skill_that_was_switched_on_waits_for_a_plan_that_has_it(runtime: Runtime) -> None:
    await runtime.post("/api/skills/web_search/enable")
    await runtime.post("/api/skills/memory/disable")

    await runtime.configure(offered=("chat",))
    assert (await holdings(runtime))["skillsNotInPlan"] == ["web_search"]

    await runtime.configure(offered=("*",))
    assert (await holdings(runtime))["skillsNotInPlan"] == []
    skills = {skill["name"]: skill["enabled"] for skill in (await runtime.get("/api/skills")).json["skills"]}
    assert (skills["web_search"], skills["memory"]) == (True, False)


async def test_a_suspended_instance_refuses_without_asking_its_database(runtime: Runtime, tables: Tables) -> None:
    await remember(runtime, "Bello is a dog.")
    await runtime.configure(state=State.SUSPENDED)
    await tables.go_away()  # from here on, whoever asks the database finds out

    for route in ROUTES:
        if route.access is not Access.CUSTOMER:
            continue
        path = route.path.format(id="8f3c9d5e-0000-4000-8000-000000000001", name="chat", path="SOUL.md")
        refused = await runtime.call(route.method, path)
        assert (refused.status, refused.problem) == (402, "suspended"), route.path
        assert refused.headers["Content-Type"].startswith("application/problem+json")
    assert (await runtime.get("/status")).json["state"] == "Suspended"
    assert (await runtime.report())["ready"] is True
    assert not runtime.services.database.away

    await tables.come_back()
    assert await tables.connections() == 0
    await runtime.configure(state=State.RUNNING)
    assert len((await runtime.get("/api/memory")).json["memories"]) == 1
