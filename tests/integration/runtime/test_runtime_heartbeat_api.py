"""The heartbeat as its customer meets it: through the API, with the real turns behind it."""

import asyncio
from typing import Any

import pytest

from claw_crds.plan import Limits
from claw_dev.simulators.claude.script import Scripted, ScriptedTool
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.world import Answer, Row, Runtime, Tables, running

NEWS = "The bank has written: the card runs out in March."


@pytest.fixture
async def watchful(runtime: Runtime) -> Runtime:
    """A runtime whose checklist asks for something."""
    await runtime.services.workspace.write("HEARTBEAT.md", "- [ ] Is a mail from the bank there?")
    return runtime


async def change(runtime: Runtime, **changes: Any) -> Answer:
    return await runtime.call("PATCH", "/api/heartbeat", json=changes)


async def run(runtime: Runtime) -> Any:
    """Look now. The beat."""
    runtime.clock.advance(seconds=1)
    answer = await runtime.post("/api/heartbeat/run")
    assert answer.status == 200, answer.text
    return answer.json


async def beats(tables: Tables) -> list[Row]:
    return await tables.rows("select * from heartbeat_runs order by due_at")


async def test_a_new_assistant_has_nothing_to_look_after(runtime: Runtime, claude: ClaudeSimulator) -> None:
    assert (await run(runtime))["reason"] == "empty-checklist"
    assert not claude.calls.all()


async def test_it_is_off_until_it_is_turned_on(runtime: Runtime) -> None:
    heartbeat = (await runtime.get("/api/heartbeat")).json
    assert (heartbeat["enabled"], heartbeat["every"], heartbeat["nextAt"]) == (False, "30m", None)

    changed = (await change(runtime, enabled=True, every="1h")).json
    assert (changed["enabled"], changed["every"]) == (True, "1h")
    assert changed["nextAt"] is not None
    assert (await runtime.get("/api/heartbeat")).json == changed


async def test_a_webhooks_secret_is_told_once(runtime: Runtime, tables: Tables) -> None:
    webhook = {"webhook": {"url": "https://hooks.example/claw"}}
    first = (await change(runtime, deliver=webhook)).json
    assert first["webhookSecret"].startswith("whsec_")
    assert (await runtime.get("/api/heartbeat")).json["webhookSecret"] is None
    assert (await change(runtime, every="2h")).json["webhookSecret"] is None
    assert await tables.value("select webhook_secret from heartbeat_settings") == first["webhookSecret"]

    again = (await change(runtime, deliver=webhook)).json
    assert again["webhookSecret"] != first["webhookSecret"]
    await change(runtime, deliver={"webhook": None})
    assert await tables.value("select webhook_secret from heartbeat_settings") is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"every": "4m"}, "every"),
        ({"timeZone": "Europe/Atlantis"}, "timeZone"),
        ({"activeHours": {"start": "25:00", "end": "09:00"}}, "activeHours.start"),
        ({"deliver": {"webhook": {"url": "http://hooks.example/"}}}, "deliver.webhook.url"),
        ({"agentId": "../../main"}, "agentId"),
        ({"enabled": None}, "enabled"),
        ({"timeZone": "\x00"}, "timeZone"),
    ],
)
async def test_what_cannot_be_set_is_named(runtime: Runtime, wrong: dict[str, Any], field: str) -> None:
    answer = await change(runtime, **wrong)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_mail_is_refused_where_nobody_sends_it(runtime: Runtime) -> None:
    answer = await change(runtime, deliver={"mail": True})
    assert (answer.status, answer.problem) == (409, "mails-off")


async def test_an_agent_that_there_is_not_cannot_look(runtime: Runtime) -> None:
    answer = await change(runtime, agentId="scout")
    assert (answer.status, answer.problem) == (404, "not-found")
    assert (await runtime.post("/api/agents", {"id": "scout"})).status == 201
    assert (await change(runtime, agentId="scout")).json["agentId"] == "scout"


async def test_what_it_finds_is_a_conversation_that_can_be_answered(watchful: Runtime, claude: ClaudeSimulator) -> None:
    claude.script.add(Scripted(text=NEWS))
    beat = await run(watchful)
    assert (beat["outcome"], beat["text"], beat["untold"]) == ("told", NEWS, [])

    conversation = (await watchful.get(f"/api/conversations/{beat['conversationId']}")).json
    assert [message["role"] for message in conversation["messages"]] == ["user", "assistant"]
    assert conversation["messages"][1]["content"] == NEWS
    answer = await watchful.chat("Order a new one", conversationId=beat["conversationId"])
    assert answer.status == 200
    assert (await watchful.get("/api/heartbeat/beats")).json["beats"] == [beat]


async def test_all_is_well_leaves_no_conversation_and_counts_no_message(
    watchful: Runtime, tables: Tables, claude: ClaudeSimulator
) -> None:
    claude.script.add(Scripted(text="HEARTBEAT_OK"))
    assert (await run(watchful))["outcome"] == "quiet"
    assert (await watchful.get("/api/conversations")).json["conversations"] == []
    usage = (await watchful.report())["usage"]
    assert usage["messagesUsed"] == 0
    assert usage["inputTokens"] > 0
    (row,) = await tables.rows("select purpose, messages, input_tokens from usage_daily")
    assert (row["purpose"], row["messages"]) == ("heartbeat", 0)
    assert row["input_tokens"] > 0


async def test_it_reads_its_checklist_and_none_of_the_other_files(runtime: Runtime, claude: ClaudeSimulator) -> None:
    for path in ("HEARTBEAT.md", "MEMORY.md", "SOUL.md"):
        current = await runtime.get(f"/api/workspace/{path}")
        headers = {"If-Match": current.headers["ETag"]} if current.status == 200 else {}
        text = f"- [ ] the words of {path}"
        answer = await runtime.call("PUT", f"/api/workspace/{path}", json={"content": text}, headers=headers)
        assert answer.status in {200, 201}, answer.text
    claude.script.add(Scripted(text="HEARTBEAT_OK"))
    await run(runtime)

    prompt = str(claude.calls.all()[-1].request)
    assert "the words of HEARTBEAT.md" in prompt
    assert "the words of MEMORY.md" not in prompt
    assert "the words of SOUL.md" not in prompt


async def test_it_uses_tools_and_is_stopped_like_any_turn(watchful: Runtime, claude: ClaudeSimulator) -> None:
    claude.script.add(Scripted(tools=(ScriptedTool(name="rm"),), times=None))
    beat = await run(watchful)
    assert (beat["outcome"], beat["reason"]) == ("failed", "model-failed")


async def test_it_beats_by_itself_when_it_is_time(watchful: Runtime, tables: Tables, claude: ClaudeSimulator) -> None:
    claude.script.add(Scripted(text=NEWS))
    await change(watchful, enabled=True, every="5m")
    watchful.clock.advance(minutes=6)
    watchful.services.heart.look()

    async def told() -> list[Row]:
        return [row for row in await beats(tables) if row["outcome"] == "told" and row["conversation_id"]]

    (row,) = await eventually(told)
    assert row["cause"] == "time"


async def test_two_runs_at_once_are_one(watchful: Runtime, tables: Tables) -> None:
    answers = await asyncio.gather(*(watchful.post("/api/heartbeat/run") for _ in range(5)))
    assert sorted(answer.status for answer in answers)[:2] == [200, 409]
    assert len(await beats(tables)) == 1
    assert next(answer.problem for answer in answers if answer.status == 409) == "heartbeat-goes-on"


async def test_it_never_takes_what_is_left_for_questions(watchful: Runtime, claude: ClaudeSimulator) -> None:
    await watchful.configure(limits=Limits(tokens_per_month=100_000))
    beat = await run(watchful)
    assert (beat["outcome"], beat["reason"]) == ("skipped", "no-budget")
    assert not claude.calls.all()


async def test_settings_outlive_the_process(environment: Settings, clock: Clock) -> None:
    async with running(environment, clock) as first:
        await first.configure()
        key = first.key
        await change(first, enabled=True, every="2h", timeZone="Asia/Tokyo")
    async with running(environment, clock) as second:
        second.key = key
        await second.ready()
        heartbeat = (await second.get("/api/heartbeat")).json
        assert (heartbeat["enabled"], heartbeat["every"], heartbeat["timeZone"]) == (True, "2h", "Asia/Tokyo")
        assert heartbeat["nextAt"] is not None
