"""Skills and workspace files of one customer."""

import pytest

from claw_crds.configuration import SkillChoices
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.integration.runtime.world import Runtime, running


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
