"""What the API tells of usage: the same everywhere, from memory, and by the day."""

import asyncio
from typing import Any

import pytest

from claw_crds.configuration import ModelPrices
from claw_crds.plan import Limits
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.integration.runtime.world import Runtime, Tables, running

PRICES = ModelPrices(per_million_input_tokens=300, per_million_output_tokens=1500)
LIMITS = Limits(messages_per_month=100, tokens_per_month=10_000_000, api_calls_per_day=1000, agents=3, memories=50)


async def daily(runtime: Runtime, query: str = "") -> Any:
    answer = await runtime.get(f"/api/usage/daily{query}")
    assert answer.status == 200, answer.text
    return answer.json


async def test_status_summary_report_and_ledger_tell_the_same(runtime: Runtime, clock: Clock) -> None:
    clock.now = clock.now.replace(day=14)
    await runtime.configure(limits=LIMITS, prices=PRICES, storage_bytes=2**30)
    await runtime.post("/api/memory", {"content": "Bello is a dog."})
    await asyncio.gather(
        *(runtime.chat(f"Question {number}", agentId=("ada", "bob")[number % 2]) for number in range(6))
    )
    clock.advance(days=1)
    await runtime.chat("And today?")

    book = await daily(runtime)
    report = (await runtime.report())["usage"]
    status = (await runtime.get("/status")).json["usage"]
    summary = (await runtime.get("/api/usage")).json

    assert report["messagesUsed"] == status["messagesUsed"] == summary["messages"]["used"] == book["messages"] == 7
    for kind in ("inputTokens", "outputTokens"):
        assert report[kind] == status[kind] == summary[kind] == book[kind] > 0
    assert summary["tokens"]["used"] == summary["inputTokens"] + summary["outputTokens"]
    assert summary["tokens"]["remaining"] == 10_000_000 - summary["tokens"]["used"]
    assert report["apiCalls"] == summary["apiCalls"] == 9
    assert (summary["apiCallsToday"]["used"], summary["apiCallsToday"]["limit"]) == (2, 1000)
    assert (summary["memories"]["used"], summary["memories"]["limit"]) == (1, 50)
    assert summary["agents"]["limit"] == 3
    assert 0 < summary["storageBytes"]["used"] < summary["storageBytes"]["limit"] == 2**30
    assert summary["resetsAt"] == status["resetsAt"]


async def test_the_ledger_is_by_day_and_model_and_its_costs_add_up(
    runtime: Runtime, clock: Clock, claude: ClaudeSimulator
) -> None:
    clock.now = clock.now.replace(day=14)
    await runtime.configure(prices=PRICES)
    opened = (await runtime.chat("My dog is Bello.")).json["conversationId"]
    await runtime.chat("What is my dog?", conversationId=opened)
    clock.advance(days=1)
    await runtime.chat("Good morning", conversationId=opened)

    book = await daily(runtime)

    assert [entry["day"][-2:] for entry in book["entries"]] == ["14", "15"]
    assert [entry["messages"] for entry in book["entries"]] == [2, 1]
    assert {(entry["model"], entry["purpose"]) for entry in book["entries"]} == {("claude-sonnet-test", "chat")}
    assert sum(entry["calls"] for entry in book["entries"]) == len(claude.calls.all())
    assert sum(entry["cacheReadTokens"] for entry in book["entries"]) > 0
    for entry in book["entries"]:
        fresh = entry["inputTokens"] - entry["cacheWriteTokens"] - entry["cacheReadTokens"]
        read = fresh + 1.25 * entry["cacheWriteTokens"] + 0.1 * entry["cacheReadTokens"]
        assert entry["costMicros"] == pytest.approx(300 * read + 1500 * entry["outputTokens"], abs=2)
    assert (book["currency"], book["costMicros"]) == ("usd", sum(entry["costMicros"] for entry in book["entries"]))


async def test_without_prices_there_is_no_cost(runtime: Runtime) -> None:
    await runtime.chat()

    book = await daily(runtime)

    assert (book["currency"], book["costMicros"], book["entries"][0]["costMicros"]) == (None, 0, None)


async def test_any_days_can_be_asked_for_within_a_year(runtime: Runtime, clock: Clock) -> None:
    clock.now = clock.now.replace(month=11, day=14)
    await runtime.chat()
    clock.advance(days=3)
    await runtime.chat()
    year = clock.now.year

    assert len((await daily(runtime))["entries"]) == 2
    assert len((await daily(runtime, f"?since={year}-11-15"))["entries"]) == 1
    assert len((await daily(runtime, f"?until={year}-11-16"))["entries"]) == 1
    assert (await daily(runtime, f"?since={year}-12-24"))["until"] == f"{year}-12-24"
    assert (await daily(runtime, "?since=9999-12-31"))["until"] == "9999-12-31"
    assert (await daily(runtime, "?since=0001-01-01"))["until"] == "0002-01-02"
    for wrong in (
        "?since=2026-11-15&until=2026-11-14",
        "?since=2025-01-01&until=2026-06-01",
        "?until=yesterday",
        "?since=",
    ):
        refused = await runtime.get(f"/api/usage/daily{wrong}")
        assert (refused.status, refused.problem) == (422, "invalid-request"), wrong


async def test_the_summary_comes_from_memory_after_a_restart_as_well(
    environment: Settings, clock: Clock, tables: Tables
) -> None:
    async with running(environment, clock) as first:
        await first.configure(limits=LIMITS)
        await first.chat()
        before, key = (await first.get("/api/usage")).json, first.key
    async with running(environment, clock) as second:
        second.key = key
        await second.ready()
        await tables.go_away()

        after = (await second.get("/api/usage")).json

        assert not second.services.database.away  # it was not even asked
        assert (after["messages"], after["tokens"]) == (before["messages"], before["tokens"])
        assert after["apiCalls"] == before["apiCalls"]
        assert after["apiCallsToday"]["used"] is None
        assert after["storageBytes"]["used"] is None
        await tables.come_back()
