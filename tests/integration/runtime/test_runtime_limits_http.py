"""Limits as a customer meets them who asks for everything at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claw_crds.plan import Limits
from claw_dev.simulators.claude.simulator import ClaudeSimulator, simulated_claude
from tests.clock import Clock
from tests.integration.runtime.world import Answer, Runtime, Tables, running, settings

PATIENCE = 15.0
"""Seconds for the database: two hundred clients and the server share this machine with whatever else runs on it."""


@pytest.fixture
async def patient(tables: Tables, claude: ClaudeSimulator, clock: Clock, tmp_path: Path) -> AsyncIterator[Runtime]:
    """A runtime that is not in a hurry."""
    async with running(settings(tables.url, claude.url, tmp_path), clock, wait=PATIENCE) as runtime:
        await runtime.configure()
        yield runtime


def ended(answer: Answer) -> str:
    """How a question ended, streamed or not: `answered`, or the limit that is reached."""
    if answer.status == 429:
        assert answer.json["used"] >= answer.json["limit"]
        assert int(answer.headers["Retry-After"]) > 0
        return str(answer.json["limitName"])
    assert answer.status == 200, answer.text
    if answer.headers["Content-Type"].startswith("text/event-stream"):
        assert answer.events[-1][0] == "done"
    return "answered"


@pytest.mark.parametrize("stream", [False, True])
async def test_two_hundred_at_once_get_as_many_answers_as_the_month_has(
    patient: Runtime, tables: Tables, claude: ClaudeSimulator, stream: bool
) -> None:
    await patient.configure(limits=Limits(messages_per_month=12))

    answers = await asyncio.gather(*(patient.chat(f"Question {number}", stream=stream) for number in range(200)))

    assert Counter(map(ended, answers)) == {"answered": 12, "messagesPerMonth": 188}
    assert len(claude.calls.all()) == 12
    assert await tables.value("select messages_used from usage") == 12
    assert await tables.value("select count(*) from reservations") == 0


async def test_two_hundred_at_once_are_answered_two_at_a_time(tables: Tables, clock: Clock, tmp_path: Path) -> None:
    async with (
        simulated_claude(pace=0.05) as claude,
        running(settings(tables.url, claude.url, tmp_path), clock, wait=PATIENCE) as runtime,
    ):
        await runtime.configure(limits=Limits(concurrent_streams=2))

        answers = await asyncio.gather(*(runtime.chat(f"Question {number}", stream=True) for number in range(200)))

        found = Counter(map(ended, answers))
        assert set(found) == {"answered", "concurrentStreams"}
        assert found["answered"] == len(claude.calls.all()) >= 2
        assert (await runtime.chat("Now?")).status == 200


async def test_together_they_use_no_more_tokens_than_the_month_has(patient: Runtime, tables: Tables) -> None:
    one = (await patient.chat("How much is one?")).json["usage"]
    limit = 8 * (one["inputTokens"] + one["outputTokens"])
    await patient.configure(limits=Limits(tokens_per_month=limit))

    answers = await asyncio.gather(*(patient.chat(f"Question {number}") for number in range(60)))

    found = Counter(map(ended_of_tokens, answers))
    assert found["answered"] >= 1
    used = await tables.value("select input_tokens + output_tokens from usage")
    assert used <= limit
    last = await patient.get("/api/usage")
    assert last.json["tokens"] == last.json["tokens"] | {"used": used, "limit": limit, "remaining": limit - used}


def ended_of_tokens(answer: Answer) -> str:
    """As `ended`: what is left of the month may be too little for a question, but not nothing."""
    if answer.status == 200:
        return "answered"
    assert (answer.status, answer.json["limitName"]) == (429, "tokensPerMonth")
    assert 0 < answer.json["used"] <= answer.json["limit"]
    return "refused"


async def test_what_is_kept_is_limited_in_two_processes_together(
    tables: Tables, claude: ClaudeSimulator, clock: Clock, tmp_path: Path
) -> None:
    async with (
        running(settings(tables.url, claude.url, tmp_path / "a"), clock) as first,
        running(settings(tables.url, claude.url, tmp_path / "b"), clock) as second,
    ):
        second.key = first.key
        for runtime in (first, second):
            await runtime.configure(limits=Limits(memories=5, agents=3))
        both = (first, second)

        kept = await asyncio.gather(
            *(both[number % 2].post("/api/memory", {"content": f"Fact {number}"}) for number in range(40))
        )
        made = await asyncio.gather(
            *(both[number % 2].post("/api/agents", {"id": f"agent-{number}"}) for number in range(20))
        )

        assert Counter(answer.status for answer in kept) == {201: 5, 429: 35}
        assert {answer.json["limitName"] for answer in kept if answer.status == 429} == {"memories"}
        assert await tables.value("select count(*) from memories") == 5
        assert {answer.json.get("limitName") for answer in made if answer.status == 429} == {"agents"}
        assert await tables.value("select count(*) from agents") == 3
