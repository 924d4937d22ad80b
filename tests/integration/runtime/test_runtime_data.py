"""Memories, skills and workspace files of one customer."""

import asyncio
import uuid

import pytest

from claw_crds.configuration import SkillChoices
from claw_crds.instance import Customer
from claw_crds.plan import Limits
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.integration.runtime.world import Runtime, Tables, running


async def remember(runtime: Runtime, *contents: str) -> None:
    for content in contents:
        assert (await runtime.post("/api/memory", {"content": content})).status == 201


async def found(runtime: Runtime, text: str) -> list[str]:
    answer = await runtime.get("/api/memory/search", params={"q": text})
    return [memory["content"] for memory in answer.json["memories"]]


async def test_a_memory_is_found_by_its_words_their_forms_and_its_tags(runtime: Runtime) -> None:
    await remember(runtime, "The dogs sleep in the kitchen.", "The car is red.")
    await runtime.post("/api/memory", {"content": "Call Grace.", "tags": ["Work", "Work"]})

    assert await found(runtime, "dog") == ["The dogs sleep in the kitchen."]
    assert await found(runtime, "sleeping dogs") == ["The dogs sleep in the kitchen."]
    assert await found(runtime, "dog car") == []
    assert set(await found(runtime, "dog or car")) == {"The dogs sleep in the kitchen.", "The car is red."}
    assert await found(runtime, '"is red"') == ["The car is red."]
    assert await found(runtime, "work") == ["Call Grace."]


async def test_a_memory_is_found_in_the_customers_language(runtime: Runtime) -> None:
    await runtime.configure(customer=Customer(id="cus_1", email="a@example.com", locale="de-AT"))
    await remember(runtime, "Die Häuser in Wien sind alt.")

    assert await found(runtime, "Haus") == ["Die Häuser in Wien sind alt."]


async def test_what_has_no_blanks_between_words_is_found_as_a_piece(runtime: Runtime) -> None:
    await remember(runtime, "私の犬の名前はベロです", "車は赤いです", "Rechnung 100%_sicher")

    assert await found(runtime, "犬の名前") == ["私の犬の名前はベロです"]
    assert await found(runtime, "犬") == ["私の犬の名前はベロです"]
    assert await found(runtime, "echnun") == ["Rechnung 100%_sicher"]
    assert await found(runtime, "%_") == ["Rechnung 100%_sicher"]
    assert await found(runtime, "%") == ["Rechnung 100%_sicher"]


async def test_a_question_without_blanks_recalls_what_shares_its_characters(runtime: Runtime) -> None:
    await remember(runtime, "私の犬の名前はベロです", "車は赤い")

    recalled = await runtime.services.memories.recall("犬の名前は何?", "ja", 5)

    assert [memory.content for memory in recalled] == ["私の犬の名前はベロです"]


@pytest.mark.parametrize("query", ["-", '"', "or", "the", ":* & | !", "a" * 500, "\\", "'", "-dog", "%s", "🐙"])
async def test_no_query_breaks_the_search(runtime: Runtime, query: str) -> None:
    await remember(runtime, "The dogs sleep in the kitchen.")

    assert (await runtime.get("/api/memory/search", params={"q": query})).status == 200
    await runtime.services.memories.recall(query, "en", 5)


async def test_as_many_memories_as_the_plan_has_and_not_one_more(runtime: Runtime, tables: Tables) -> None:
    await runtime.configure(limits=Limits(memories=5))

    answers = await asyncio.gather(*(runtime.post("/api/memory", {"content": f"Fact {n}"}) for n in range(20)))

    assert sorted(answer.status for answer in answers) == [201] * 5 + [429] * 15
    refused = next(answer for answer in answers if answer.status == 429)
    assert (refused.json["limitName"], refused.json["limit"], refused.json["used"]) == ("memories", 5, 5)
    assert await tables.value("select count(*) from memories") == 5
    memory = (await runtime.get("/api/memory")).json["memories"][0]["id"]
    assert (await runtime.call("DELETE", f"/api/memory/{memory}")).status == 204
    assert (await runtime.post("/api/memory", {"content": "Room again"})).status == 201


async def test_memories_are_listed_the_latest_first_and_forgotten(runtime: Runtime, clock: Clock) -> None:
    for number in range(3):
        await remember(runtime, f"Fact {number}")
        clock.advance(seconds=1)

    first = (await runtime.get("/api/memory?limit=2")).json
    second = (await runtime.get(f"/api/memory?limit=2&cursor={first['nextCursor']}")).json

    listed = [memory["content"] for page in (first, second) for memory in page["memories"]]
    assert listed == ["Fact 2", "Fact 1", "Fact 0"]
    forgotten = first["memories"][0]["id"]
    assert (await runtime.call("DELETE", f"/api/memory/{forgotten}")).status == 204
    assert (await runtime.call("DELETE", f"/api/memory/{forgotten}")).status == 404
    assert (await runtime.call("DELETE", f"/api/memory/{uuid.uuid4()}")).status == 404


async def skills(runtime: Runtime) -> dict[str, tuple[bool, bool]]:
    listed = (await runtime.get("/api/skills")).json["skills"]
    return {skill["name"]: (skill["inPlan"], skill["enabled"]) for skill in listed}


async def test_skills_are_those_of_the_plan(runtime: Runtime) -> None:
    listed = await skills(runtime)

    assert list(listed) == ["chat", "memory", "web_search", "gmail", "calendar", "browser"]
    assert listed["memory"] == (True, True)
    assert listed["gmail"] == (False, False)


async def test_what_the_plan_lacks_cannot_be_enabled(runtime: Runtime) -> None:
    for what in ("enable", "disable"):
        refused = await runtime.post(f"/api/skills/gmail/{what}")
        assert (refused.status, refused.problem, refused.json["plan"]) == (403, "skill-not-in-plan", "Pro")
    assert (await runtime.post("/api/skills/juggling/enable")).status == 404


async def test_the_customers_choice_outlives_restarts_and_the_operators_choices(
    environment: Settings, clock: Clock
) -> None:
    async with running(environment, clock) as first:
        await first.configure(offered=("chat", "memory"))
        assert (await first.post("/api/skills/memory/disable")).json["enabled"] is False
        key = first.key
    async with running(environment, clock) as second:
        second.key = key
        await second.ready()
        assert (await skills(second))["memory"] == (True, False)
        await second.configure(offered=("*",), skills=SkillChoices(enabled=("memory",)))
        assert (await skills(second))["memory"] == (True, False)
        assert (await second.post("/api/skills/memory/enable")).json["enabled"] is True
        assert (await skills(second))["gmail"] == (True, True)


async def test_the_workspace_is_there_from_the_beginning(runtime: Runtime) -> None:
    files = [file["path"] for file in (await runtime.get("/api/workspace")).json["files"]]

    assert {"SOUL.md", "USER.md", "AGENTS.md", "TOOLS.md", "HEARTBEAT.md", "MEMORY.md", "STATE.json"} <= set(files)


async def test_two_writers_do_not_undo_each_other(runtime: Runtime) -> None:
    read = await runtime.get("/api/workspace/SOUL.md")
    etag = read.headers["ETag"]
    seen = {"If-Match": etag}

    first = await runtime.call("PUT", "/api/workspace/SOUL.md", json={"content": "Calm."}, headers=seen)
    second = await runtime.call("PUT", "/api/workspace/SOUL.md", json={"content": "Wild."}, headers=seen)

    assert first.status == 200
    assert first.headers["ETag"] != etag
    assert (second.status, second.problem) == (412, "precondition-failed")
    assert (await runtime.get("/api/workspace/SOUL.md")).json["content"] == "Calm."


async def test_a_new_file_is_written_and_read(runtime: Runtime) -> None:
    written = await runtime.call("PUT", "/api/workspace/notes/garden.md", json={"content": "Roses.\n"})
    read = await runtime.get("/api/workspace/notes/garden.md")

    assert written.status == read.status == 200
    assert written.json == read.json
    assert (await runtime.get("/api/workspace/notes/none.md")).status == 404


@pytest.mark.parametrize(
    "path", ["..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a//b", ".ssh/id", "a/" * 8 + "b", "x" * 201, "a%00b", "%ed%a0%80"]
)
async def test_a_path_stays_in_the_workspace(runtime: Runtime, path: str) -> None:
    answer = await runtime.call("PUT", f"/api/workspace/{path}", json={"content": "x"})

    assert answer.status in (404, 422)
    assert (await runtime.get(f"/api/workspace/{path}")).status == 404
