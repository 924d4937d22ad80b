"""Chat: answers, conversations, limits, and what a failing model leaves behind."""

import asyncio
import uuid
from typing import Any

import pytest

from claw_crds.configuration import AssistantConfiguration
from claw_crds.plan import Limits
from claw_dev.simulators.claude.simulator import ClaudeSimulator, simulated_claude
from claw_dev.simulators.faults import Fault, FaultKind
from claw_runtime.settings import Settings
from claw_runtime.turns.messages import Tokens
from claw_runtime.usage.daily import Spent
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.world import TOKEN, Runtime, Tables, running, settings


def last_request(claude: ClaudeSimulator) -> dict[str, Any]:
    request = claude.calls.all()[-1].request
    assert request is not None
    return request


def said_in(request: dict[str, Any]) -> list[tuple[str, str]]:
    """Who said what in a request, as far as it is text, without the context that the runtime adds."""
    said = [(message["role"], text_of(message["content"])) for message in request["messages"]]
    return [(role, text) for role, text in said if not text.startswith("<context>")]


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def system_of(request: dict[str, Any]) -> str:
    return "\n".join(block["text"] for block in request["system"])


def context_of(request: dict[str, Any]) -> str:
    """What the runtime adds to a question."""
    (context,) = (text for message in request["messages"] if (text := text_of(message["content"])).startswith("<con"))
    return context


async def reservations(tables: Tables, count: int) -> bool:
    return bool(await tables.value("select count(*) = %s from reservations", count))


async def nothing_is_counted_or_kept(runtime: Runtime, tables: Tables) -> None:
    assert (await runtime.report())["usage"]["messagesUsed"] == 0
    assert await tables.value("select coalesce(sum(messages_used), 0) from usage") == 0
    assert await tables.value("select count(*) from reservations") == 0
    assert await tables.value("select count(*) from messages") == 0


async def test_a_question_is_answered_and_counted(runtime: Runtime) -> None:
    await runtime.configure(limits=Limits(messages_per_month=20))

    answer = await runtime.chat("What is up?")

    assert answer.status == 200
    assert "What is up?" in answer.json["reply"]
    usage = answer.json["usage"]
    assert (usage["messagesUsed"], usage["messagesRemaining"], usage["messagesLimit"]) == (1, 19, 20)
    assert usage["inputTokens"] > 0
    assert usage["outputTokens"] > 0
    report = await runtime.report()
    assert report["usage"]["messagesUsed"] == 1
    assert report["usage"]["inputTokens"] == usage["inputTokens"]


async def test_without_a_limit_nothing_remains_to_be_told(runtime: Runtime) -> None:
    usage = (await runtime.chat()).json["usage"]

    assert (usage["messagesUsed"], usage["messagesRemaining"], usage["messagesLimit"]) == (1, None, None)


async def test_a_conversation_goes_on_where_it_was(runtime: Runtime, claude: ClaudeSimulator) -> None:
    first = (await runtime.chat("My name is Ada.")).json
    second = (await runtime.chat("What is my name?", conversationId=first["conversationId"])).json

    assert second["conversationId"] == first["conversationId"]
    said = said_in(last_request(claude))
    assert said == [
        ("user", "My name is Ada."),
        ("assistant", first["reply"]),
        ("user", "What is my name?"),
    ]


async def test_the_model_is_told_who_it_is_what_it_knows_and_what_it_cannot(
    runtime: Runtime, claude: ClaudeSimulator
) -> None:
    assistant = AssistantConfiguration(name="Clawdia", model="claude-opus-test", instructions="Answer in French.")
    await runtime.configure(assistant=assistant)
    await runtime.post("/api/memory", {"content": "Ada's dog is called Bello."})

    await runtime.chat("What is my dog called?")

    request = last_request(claude)
    told = system_of(request)
    assert request["model"] == "claude-opus-test"
    assert "You are Clawdia" in told
    assert "Answer in French." in told
    assert "SOUL.md" in told
    assert "Bello" in context_of(request)
    assert "gmail" in told.split("You cannot do these")[1]


async def test_what_is_written_into_the_workspace_is_known_to_the_next_question(
    runtime: Runtime, claude: ClaudeSimulator
) -> None:
    await runtime.chat("Hello")
    await runtime.call("PUT", "/api/workspace/SOUL.md", json={"content": "You are a pirate."})

    await runtime.chat("Hello again")

    assert "You are a pirate." in system_of(last_request(claude))


async def test_an_agents_folder_is_its_own(runtime: Runtime, claude: ClaudeSimulator) -> None:
    await runtime.chat("Hello", agentId="garden")
    await runtime.call("PUT", "/api/workspace/agents/garden/SOUL.md", json={"content": "You love roses."})

    await runtime.chat("Hello", agentId="garden")
    assert "You love roses." in system_of(last_request(claude))
    await runtime.chat("Hello", agentId="main")
    assert "You love roses." not in system_of(last_request(claude))


async def test_without_the_memory_skill_memories_stay_out_of_the_prompt(
    runtime: Runtime, claude: ClaudeSimulator
) -> None:
    await runtime.post("/api/memory", {"content": "Ada's dog is called Bello."})
    assert (await runtime.post("/api/skills/memory/disable")).status == 200

    await runtime.chat("What is my dog called?")

    assert "Bello" not in context_of(last_request(claude))


async def test_a_disabled_chat_does_not_answer(runtime: Runtime, claude: ClaudeSimulator) -> None:
    await runtime.post("/api/skills/chat/disable")

    refused = await runtime.chat()

    assert (refused.status, refused.problem) == (403, "skill-disabled")
    assert claude.calls.all() == ()


async def test_a_streamed_answer_is_the_same_answer_in_pieces(runtime: Runtime) -> None:
    answer = await runtime.chat("What is up?", stream=True)

    names = [name for name, _ in answer.events]
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert names.count("text") > 1
    assert names[-2:] == ["usage", "done"]
    text = "".join(data["text"] for name, data in answer.events if name == "text")
    conversation = await runtime.get(f"/api/conversations/{answer.events[-1][1]['conversationId']}")
    assert [message["content"] for message in conversation.json["messages"]] == ["What is up?", text]
    assert answer.events[-2][1]["messagesUsed"] == 1


async def test_fifty_at_once_at_a_limit_of_ten_give_ten_answers(
    runtime: Runtime, tables: Tables, claude: ClaudeSimulator
) -> None:
    await runtime.configure(limits=Limits(messages_per_month=10))

    answers = await asyncio.gather(*(runtime.chat(f"Question {number}") for number in range(50)))

    answered = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(answered) == 10
    assert all(0 <= answer.json["usage"]["messagesRemaining"] < 10 for answer in answered)
    assert len(refused) == 40
    assert len(claude.calls.all()) == 10
    assert {(answer.problem, answer.json["limit"], answer.json["used"]) for answer in refused} == {
        ("limit-reached", 10, 10)
    }
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert await tables.value("select messages_used from usage") == 10
    assert await tables.value("select count(*) from messages") == 20
    assert await tables.value("select count(*) from reservations") == 0
    assert (await runtime.report())["usage"]["messagesUsed"] == 10


async def test_fifty_at_once_in_one_conversation_leave_it_in_order(runtime: Runtime) -> None:
    opened = (await runtime.chat("The first")).json["conversationId"]

    await asyncio.gather(*(runtime.chat(f"Question {number}", conversationId=opened) for number in range(20)))

    messages = (await runtime.get(f"/api/conversations/{opened}?limit=100")).json["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 21
    assert all(
        question["content"] in answer["content"] for question, answer in zip(messages[::2], messages[1::2], strict=True)
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "status", "problem"),
    [
        (Fault(kind=FaultKind.ERROR, status=429, retry_after=30, times=3), 503, "model-busy"),
        (Fault(kind=FaultKind.ERROR, status=529, retry_after=17, times=3), 503, "model-busy"),
        (Fault(kind=FaultKind.ERROR, status=400, times=1), 502, "model-failed"),
        (Fault(kind=FaultKind.ERROR, status=500, retry_after=0.01, times=3), 502, "model-failed"),
        (Fault(kind=FaultKind.CUT_STREAM, events=0), 502, "model-failed"),
        (Fault(kind=FaultKind.CUT_STREAM, events=2), 502, "model-failed"),
    ],
)
async def test_a_failing_model_is_told_and_costs_nothing(
    runtime: Runtime, tables: Tables, claude: ClaudeSimulator, fault: Fault, status: int, problem: str, stream: bool
) -> None:
    claude.faults.add(fault)

    answer = await runtime.chat(stream=stream)

    assert (answer.status, answer.problem) == (status, problem)
    if fault.retry_after is not None and fault.retry_after > 1:
        assert answer.headers["Retry-After"] == str(round(fault.retry_after))
    await nothing_is_counted_or_kept(runtime, tables)
    claude.faults.clear()
    assert (await runtime.chat()).status == 200


async def test_a_hiccup_of_the_model_is_not_noticed(runtime: Runtime, claude: ClaudeSimulator) -> None:
    claude.faults.add(Fault(kind=FaultKind.ERROR, status=529, retry_after=0.01, times=2))

    assert (await runtime.chat()).status == 200


async def test_an_answer_cut_in_the_middle_is_an_error_event_and_costs_nothing(
    runtime: Runtime, tables: Tables, claude: ClaudeSimulator
) -> None:
    claude.faults.add(Fault(kind=FaultKind.CUT_STREAM, events=5))

    answer = await runtime.chat("What is up?", stream=True)

    names = [name for name, _ in answer.events]
    assert answer.status == 200
    assert names[0] == "text"
    assert names[-1] == "error"
    assert answer.events[-1][1]["type"].endswith("/model-failed")
    await nothing_is_counted_or_kept(runtime, tables)


async def test_a_failed_turn_leaves_the_conversation_as_it_was(runtime: Runtime, claude: ClaudeSimulator) -> None:
    opened = (await runtime.chat("The first")).json["conversationId"]
    claude.faults.add(Fault(kind=FaultKind.CUT_STREAM, events=5))
    assert (await runtime.chat("The second", conversationId=opened)).status == 502

    third = await runtime.chat("The third", conversationId=opened)

    assert third.status == 200
    said = [text for _, text in said_in(last_request(claude))]
    assert said[0] == "The first"
    assert said[2:] == ["The third"]


async def test_who_hangs_up_before_the_answer_begins_pays_nothing(
    environment: Settings, tables: Tables, clock: Clock, claude: ClaudeSimulator
) -> None:
    async with running(environment, clock, heartbeat=0.05) as runtime:
        await runtime.configure()
        claude.faults.add(Fault(kind=FaultKind.SLOW, seconds=60))
        headers = {"Authorization": f"Bearer {runtime.key}"}
        body = {"message": "Hello", "stream": True}
        async with runtime.session.post(f"{runtime.url}/api/chat", json=body, headers=headers) as response:
            await eventually(lambda: reservations(tables, 1))
            response.close()

        await eventually(lambda: reservations(tables, 0))
        await nothing_is_counted_or_kept(runtime, tables)


async def test_who_hangs_up_in_the_middle_has_had_a_part_and_finds_it(
    tables: Tables, clock: Clock, tmp_path: Any
) -> None:
    async with (
        simulated_claude(pace=0.05) as claude,
        running(settings(tables.url, claude.url, tmp_path), clock) as runtime,
    ):
        await runtime.configure()
        headers = {"Authorization": f"Bearer {runtime.key}"}
        body = {"message": "Tell me a long story. " * 20, "stream": True}
        async with runtime.session.post(f"{runtime.url}/api/chat", json=body, headers=headers) as response:
            assert (await response.content.readline()) == b"event: text\n"
            response.close()

        async def recorded() -> bool:
            return bool(await tables.value("select count(*) = 2 from messages"))

        await eventually(recorded)
        whole = claude.calls.all()[-1].answer["content"][0]["text"]
        kept = await tables.value("select content from messages where role = 'assistant'")
        assert whole.startswith(kept)
        assert len(kept) < len(whole)
        report = await runtime.report()
        assert report["usage"]["messagesUsed"] == 1
        assert report["usage"]["inputTokens"] > 0
        assert await tables.value("select count(*) from reservations") == 0


async def test_what_a_crash_left_reserved_is_given_back_in_time(runtime: Runtime, tables: Tables) -> None:
    await runtime.configure(limits=Limits(messages_per_month=1))
    active = runtime.services.configurations.active
    assert active is not None
    await runtime.services.usage.reserve(active.document.plan, "main", tokens=1)  # and never settled: the process died

    assert (await runtime.chat()).status == 429
    runtime.clock.advance(minutes=16)

    assert (await runtime.chat()).status == 200
    assert await tables.value("select messages_used from usage") == 1
    assert await tables.value("select count(*) from reservations") == 0


async def test_an_answer_slower_than_its_reservation_is_counted_once(runtime: Runtime, tables: Tables) -> None:
    usage = runtime.services.usage
    active = runtime.services.configurations.active
    assert active is not None
    slow = await usage.reserve(active.document.plan, "main", tokens=1)
    runtime.clock.advance(minutes=16)
    assert (await runtime.chat()).status == 200

    async with runtime.services.database.connection() as connection, connection.transaction():
        await usage.settle(connection, slow, (Spent("m", "chat", Tokens(input=1, output=1)),))

    assert await tables.value("select messages_used from usage") == 2


async def test_tokens_are_limited_too(runtime: Runtime, claude: ClaudeSimulator) -> None:
    await runtime.configure(limits=Limits(tokens_per_month=10))

    refused = await runtime.chat()

    assert (refused.status, refused.json["limitName"], refused.json["limit"]) == (429, "tokensPerMonth", 10)
    assert claude.calls.all() == (), "a prompt that does not fit is not sent"


async def test_a_new_month_begins_at_nothing(runtime: Runtime, clock: Clock) -> None:
    await runtime.configure(limits=Limits(messages_per_month=1))
    clock.now = clock.now.replace(month=11, day=30, hour=23, minute=59, second=30, microsecond=0)
    used = (await runtime.chat()).json["usage"]
    refused = await runtime.chat()
    assert (refused.status, refused.headers["Retry-After"]) == (429, "30")
    assert used["resetsAt"] == refused.json["resetsAt"] == f"{clock.now.year}-12-01T00:00:00Z"

    clock.advance(seconds=30)

    assert (await runtime.get("/status")).json["usage"]["messagesUsed"] == 0
    assert (await runtime.chat()).json["usage"]["messagesUsed"] == 1


async def test_a_larger_plan_counts_at_once(runtime: Runtime) -> None:
    await runtime.configure(limits=Limits(messages_per_month=1))
    await runtime.chat()
    assert (await runtime.chat()).status == 429

    await runtime.configure(limits=Limits(messages_per_month=3))

    usage = (await runtime.chat()).json["usage"]
    assert (usage["messagesUsed"], usage["messagesRemaining"]) == (2, 1)


async def test_calls_of_the_api_are_limited_by_the_day(runtime: Runtime, clock: Clock) -> None:
    await runtime.configure(limits=Limits(api_calls_per_day=3))
    assert [(await runtime.get("/api/skills")).status for _ in range(3)] == [200] * 3

    refused = await runtime.get("/api/skills")

    assert (refused.status, refused.json["limitName"], refused.json["used"]) == (429, "apiCallsPerDay", 3)
    assert (await runtime.get("/status")).status == 200, "one can still see why"
    clock.advance(days=1)
    assert (await runtime.get("/api/skills")).status == 200


async def test_the_plans_agents_are_the_oldest_ones(runtime: Runtime, clock: Clock) -> None:
    await runtime.configure(limits=Limits(agents=2))
    for agent in ("main", "garden"):
        assert (await runtime.chat(agentId=agent)).status == 200
        clock.advance(seconds=1)

    refused = await runtime.chat(agentId="kitchen")

    assert (refused.status, refused.json["limitName"]) == (429, "agents")
    assert "Retry-After" not in refused.headers
    await runtime.configure(limits=Limits(agents=1))
    assert (await runtime.chat(agentId="main")).status == 200
    assert (await runtime.chat(agentId="garden")).status == 429


async def test_many_new_agents_at_once_are_no_more_than_the_plan_has(runtime: Runtime, tables: Tables) -> None:
    await runtime.configure(limits=Limits(agents=3))

    answers = await asyncio.gather(*(runtime.chat(agentId=f"agent-{number}") for number in range(10)))

    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 7
    assert await tables.value("select count(distinct agent_id) from conversations") == 3
    assert await tables.value("select messages_used from usage") == 3


async def test_conversations_are_listed_paged_and_deleted(runtime: Runtime, clock: Clock) -> None:
    opened = []
    for number in range(3):
        opened.append((await runtime.chat(f"Topic {number}\nand more")).json["conversationId"])
        clock.advance(seconds=1)

    first = (await runtime.get("/api/conversations?limit=2")).json
    second = (await runtime.get(f"/api/conversations?limit=2&cursor={first['nextCursor']}")).json

    listed = [conversation["id"] for page in (first, second) for conversation in page["conversations"]]
    assert listed == opened[::-1]
    assert second["nextCursor"] is None
    assert first["conversations"][0]["title"] == "Topic 2"
    assert (await runtime.call("DELETE", f"/api/conversations/{opened[0]}")).status == 204
    assert (await runtime.get(f"/api/conversations/{opened[0]}")).status == 404
    assert (await runtime.call("DELETE", f"/api/conversations/{opened[0]}")).status == 404


async def test_a_long_conversation_is_read_in_pages(runtime: Runtime) -> None:
    opened = (await runtime.chat("1")).json["conversationId"]
    await runtime.chat("2", conversationId=opened)

    first = (await runtime.get(f"/api/conversations/{opened}?limit=3")).json
    second = (await runtime.get(f"/api/conversations/{opened}?limit=3&cursor={first['nextCursor']}")).json

    assert [message["content"] for message in first["messages"]][::2] == ["1", "2"]
    assert len(second["messages"]) == 1
    assert second["nextCursor"] is None


@pytest.mark.parametrize("unknown", [str(uuid.uuid4()), "not-an-id", "%00"])
async def test_an_unknown_conversation_is_not_found(runtime: Runtime, unknown: str) -> None:
    assert (await runtime.get(f"/api/conversations/{unknown}")).status == 404
    assert (await runtime.call("DELETE", f"/api/conversations/{unknown}")).status == 404


async def test_a_question_belongs_to_a_conversation_that_exists(runtime: Runtime, tables: Tables) -> None:
    assert (await runtime.chat(conversationId=str(uuid.uuid4()))).status == 404
    opened = (await runtime.chat(agentId="garden")).json["conversationId"]

    wrong = await runtime.chat(conversationId=opened, agentId="kitchen")

    assert (wrong.status, wrong.problem) == (409, "other-agent")
    assert (await runtime.chat(conversationId=opened)).status == 200
    assert await tables.value("select messages_used from usage") == 2


async def test_the_operator_cannot_chat_and_the_customer_cannot_configure(runtime: Runtime) -> None:
    assert (await runtime.post("/api/chat", {"message": "Hello"}, bearer=TOKEN)).status == 401
    assert (await runtime.get("/internal/status")).status == 401
