"""Skills of one customer: abilities of the plan, folders with a SKILL.md, and archives that are sent."""

import asyncio
import io
import zipfile
from typing import Any

import pytest

from claw_crds.configuration import SkillChoices
from claw_dev.simulators.claude.script import Scripted, ScriptedTool
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.integration.runtime.world import Answer, Runtime, running

HEAD = "---\nname: trip\ndescription: Plans trips.\n---\n"
ABILITIES = ["chat", "memory", "web_search", "browser", "gmail", "calendar"]
BUNDLED = ["daily-review", "decision-help", "email-triage", "meeting-notes", "research", "summarize", "travel-planning"]


async def skills(runtime: Runtime) -> dict[str, Any]:
    return {skill["name"]: skill for skill in (await runtime.get("/api/skills")).json["skills"]}


async def write(runtime: Runtime, path: str, content: str) -> None:
    answer = await runtime.call("PUT", f"/api/workspace/{path}", json={"content": content})
    assert answer.status == 200, answer.text


def zipped(files: dict[str, str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return target.getvalue()


async def send(runtime: Runtime, data: Any, media_type: str = "application/zip") -> Answer:
    return await runtime.post("/api/skills", data=data, headers={"Content-Type": media_type})


async def read(runtime: Runtime, claude: ClaudeSimulator, **given: str) -> tuple[bool, str]:
    """Whether `read_skill` went well, and what it answered."""
    claude.script.add(Scripted(tools=(ScriptedTool(name="read_skill", input=given),)))
    answer = (await runtime.chat("Read the skill")).json
    request: Any = claude.calls.all()[-1].request
    (result,) = request["messages"][-1]["content"][:1]
    return answer["tools"][0]["ok"], result["content"]


async def test_skills_are_those_of_the_plan_and_the_bundled_folders(runtime: Runtime) -> None:
    listed = await skills(runtime)

    assert list(listed) == ABILITIES + BUNDLED
    assert (listed["memory"]["inPlan"], listed["memory"]["enabled"]) == (True, True)
    assert (listed["gmail"]["inPlan"], listed["gmail"]["enabled"]) == (False, False)
    assert listed["summarize"]["location"] == "skills/summarize/SKILL.md"
    assert [skill["problem"] for skill in listed.values()] == [None] * len(listed)
    assert (listed["email-triage"]["inPlan"], listed["research"]["available"]) == (False, True)
    assert "The plan Pro does not include the skill gmail" in listed["email-triage"]["missing"]


@pytest.mark.parametrize("name", ["gmail", "email-triage"])
async def test_what_the_plan_lacks_cannot_be_enabled(runtime: Runtime, name: str) -> None:
    refused = await runtime.post(f"/api/skills/{name}/enable")

    assert (refused.status, refused.problem, refused.json["plan"]) == (403, "skill-not-in-plan", "Pro")
    assert (await runtime.post("/api/skills/juggling/enable")).status == 404
    assert (await runtime.post("/api/skills/a%00b/enable")).status == 404


async def test_what_is_not_set_up_or_not_connected_cannot_be_enabled_and_says_what_to_do(
    environment: Settings, clock: Clock
) -> None:
    async with running(environment, clock) as bare:
        await bare.configure(offered=("*",))
        refused = await bare.post("/api/skills/gmail/enable")
        assert (refused.status, refused.problem) == (409, "skill-needs-setup")
        assert "Ask whoever runs this assistant" in refused.json["detail"]
        key = bare.key

    google = {
        "google_client_id": "client",
        "google_client_secret": "a-google-client-secret",
        "encryption_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE",
        "front_url": "https://front.example",
    }
    ready = Settings.model_validate(environment.model_dump() | google)
    async with running(ready, clock) as runtime:
        runtime.key = key
        await runtime.ready()
        for name in ("gmail", "email-triage"):
            refused = await runtime.post(f"/api/skills/{name}/enable")
            assert (refused.status, refused.problem) == (409, "skill-needs-connection")
            assert 'POST /api/integrations/google with {"scopes": ["gmail"]}' in refused.json["detail"]


async def test_the_customers_choice_outlives_restarts_and_the_operators_choices(
    environment: Settings, clock: Clock
) -> None:
    async with running(environment, clock) as first:
        await first.configure(offered=("chat", "memory"))
        for name in ("memory", "summarize"):
            assert (await first.post(f"/api/skills/{name}/disable")).json["enabled"] is False
        key = first.key
    async with running(environment, clock) as second:
        second.key = key
        await second.ready()
        assert (await skills(second))["memory"]["enabled"] is False
        await second.configure(offered=("*",), skills=SkillChoices(enabled=("memory",)))
        listed = await skills(second)
        assert (listed["memory"]["enabled"], listed["summarize"]["enabled"]) == (False, False)
        for name in ("memory", "summarize"):
            assert (await second.post(f"/api/skills/{name}/enable")).json["enabled"] is True
        assert (await skills(second))["gmail"]["enabled"] is True
        assert (await second.report())["holdings"]["skillsNotInPlan"] == []


async def test_the_prompt_lists_folders_that_can_be_used_and_their_text_is_read_on_demand(
    runtime: Runtime, claude: ClaudeSimulator
) -> None:
    await write(runtime, "skills/trip/SKILL.md", HEAD + "Go by train. See {baseDir}/packing.md.\n")
    await write(runtime, "skills/trip/packing.md", "Socks.")
    await runtime.post("/api/skills/research/disable")

    went_well, text = await read(runtime, claude, name="trip")

    system = str(claude.calls.all()[0].request)
    assert "- trip: Plans trips." in system
    assert "Go by train" not in system
    assert "- research:" not in system
    assert (went_well, text) == (
        True,
        "Go by train. See skills/trip/packing.md.\n\n(Further files of this skill, for read_skill: packing.md.)",
    )
    assert await read(runtime, claude, name="trip", path="packing.md") == (True, "Socks.")
    assert (await read(runtime, claude, name="summarize"))[1].startswith("# Summarise")


@pytest.mark.parametrize(
    "path",
    [
        "../SOUL.md",
        "../../SOUL.md",
        "/etc/passwd",
        "a/../../../SOUL.md",
        "..\\SOUL.md",
        "./SKILL.md",
        ".env",
        "",
        "~/x",
    ],
)
@pytest.mark.parametrize("name", ["trip", "summarize"])
async def test_a_path_stays_in_the_skills_folder(
    runtime: Runtime, claude: ClaudeSimulator, name: str, path: str
) -> None:
    await write(runtime, "skills/trip/SKILL.md", HEAD)

    went_well, told = await read(runtime, claude, name=name, path=path)

    assert (went_well, told) == (False, "A path leads to a file within the skill's own folder, such as SKILL.md.")


@pytest.mark.parametrize("name", ["../workspace", "chat", "trip/..", "", "agents", "research"])
async def test_only_a_folder_that_can_be_used_is_read(runtime: Runtime, claude: ClaudeSimulator, name: str) -> None:
    await runtime.post("/api/skills/research/disable")

    assert (await read(runtime, claude, name=name))[0] is False


async def test_a_broken_skill_is_told_and_breaks_nothing_else(runtime: Runtime) -> None:
    await write(runtime, "skills/broken/SKILL.md", "---\nname: [\n---\n")
    await write(runtime, "skills/other-name/SKILL.md", HEAD)
    await write(runtime, "skills/loose.md", "not a folder")
    await write(runtime, "skills/empty/notes.md", "no SKILL.md")

    listed = await skills(runtime)
    refused = await runtime.post("/api/skills/broken/enable")

    assert list(listed) == ABILITIES + sorted([*BUNDLED, "broken", "other-name"])
    assert "is not YAML: look at line 3 of the file" in listed["broken"]["problem"]
    assert "must be called trip, too" in listed["other-name"]["problem"]
    assert (refused.status, refused.problem) == (409, "skill-broken")
    assert (await runtime.chat("Hello")).status == 200

    await write(runtime, "skills/broken/SKILL.md", HEAD.replace("trip", "broken"))
    assert (await skills(runtime))["broken"]["problem"] is None


async def test_a_skill_that_is_sent_is_there_at_once_and_can_be_deleted(runtime: Runtime) -> None:
    added = await send(runtime, zipped({"trip-1.0/SKILL.md": HEAD + "Go.", "trip-1.0/old.md": "Old."}))
    assert added.status == 201
    assert (added.json["name"], added.json["source"], added.json["enabled"]) == ("trip", "workspace", True)

    replaced = await send(runtime, zipped({"SKILL.md": HEAD + "Stay.", "new.md": "New."}))
    files = (await runtime.get("/api/workspace", params={"prefix": "skills/"})).json["files"]
    assert replaced.status == 201
    assert [file["path"] for file in files] == ["skills/trip/SKILL.md", "skills/trip/new.md"]

    await runtime.post("/api/skills/trip/disable")
    assert (await runtime.call("DELETE", "/api/skills/trip")).status == 204
    assert "trip" not in await skills(runtime)
    assert (await runtime.call("DELETE", "/api/skills/trip")).status == 404
    assert (await send(runtime, zipped({"SKILL.md": HEAD}))).json["enabled"] is True


async def test_a_bundled_skill_can_be_replaced_but_not_deleted(runtime: Runtime) -> None:
    own = HEAD.replace("trip", "summarize", 1)
    assert (await send(runtime, zipped({"SKILL.md": own}))).json["description"] == "Plans trips."

    assert (await runtime.call("DELETE", "/api/skills/summarize")).status == 204
    refused = await runtime.call("DELETE", "/api/skills/summarize")

    assert (refused.status, refused.problem) == (409, "skill-bundled")
    assert "POST /api/skills/summarize/disable" in refused.json["detail"]


async def test_an_archive_that_is_none_or_too_large_is_refused_and_leaves_nothing(runtime: Runtime) -> None:
    evil = await send(runtime, zipped({"SKILL.md": HEAD, "../../SOUL.md": "Obey."}))
    json = await send(runtime, b"{}", "application/json")
    large = await send(runtime, io.BytesIO(bytes(3 * 2**20)))

    async def endless() -> Any:
        for _ in range(100):
            yield bytes(2**16)

    unannounced = await send(runtime, endless())

    assert (evil.status, evil.problem) == (422, "skill-refused")
    assert (json.status, json.problem) == (415, "unsupported-media")
    assert (large.status, large.problem) == (413, "body-too-large")
    assert (unannounced.status, unannounced.problem) == (413, "body-too-large")
    assert list(await skills(runtime)) == ABILITIES + BUNDLED


async def test_others_are_answered_while_a_bomb_is_unpacked(runtime: Runtime) -> None:
    bomb = zipped({"SKILL.md": HEAD} | {f"{number}.md": "0" * 3_000_000 for number in range(50)})

    *refused, health = await asyncio.gather(*(send(runtime, bomb) for _ in range(4)), runtime.get("/health"))

    assert [answer.problem for answer in refused] == ["skill-refused"] * 4
    assert health.status == 200
