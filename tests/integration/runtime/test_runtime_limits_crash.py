"""A runtime that is killed in the middle of an answer: what is counted afterwards, and who is answered."""

import asyncio
import secrets
from pathlib import Path

import aiohttp

from claw_crds import keys
from claw_crds.plan import Limits
from claw_dev.simulators.claude.simulator import simulated_claude
from claw_runtime.usage.leases import LEASE
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.test_runtime_process import environment, program
from tests.integration.runtime.world import TOKEN, Runtime, Tables, configuration, running, settings

QUESTION = {"message": "What is up?", "stream": True}
TIGHT = Limits(messages_per_month=1, concurrent_streams=1, tokens_per_month=60_000)


async def killed_while_answering(tables: Tables, directory: Path, key: str, idempotency_key: str) -> None:
    """A process of its own, which has begun to answer when SIGKILL ends it."""
    async with (
        simulated_claude(pace=0.1) as claude,
        program(**environment(tables.url, claude.url, directory)) as runtime,
        aiohttp.ClientSession(runtime.url) as session,
    ):
        document = configuration(key, limits=TIGHT).model_dump_json(by_alias=True)
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with session.put("/internal/configuration", headers=bearer, data=document) as answer:
            assert answer.status == 200, await answer.text()
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": idempotency_key}
        async with session.post("/api/chat", headers=headers, json=QUESTION) as stream:
            await stream.content.readuntil(b"\n\n")  # it has begun
            runtime.child.kill()
            await runtime.child.wait()


async def ask(runtime: Runtime, idempotency_key: str) -> tuple[int, str]:
    answer = await runtime.post("/api/chat", QUESTION, headers={"Idempotency-Key": idempotency_key})
    return answer.status, "" if answer.status == 200 else answer.problem


async def test_its_message_and_stream_are_free_when_its_lease_is_over_and_its_first_call_is_counted(
    tables: Tables, tmp_path: Path
) -> None:
    key, clock = keys.new_key(secrets.token_bytes), Clock()
    await killed_while_answering(tables, tmp_path / "killed", key, "once")
    (held,) = await tables.rows("select id, needed, tokens from reservations")

    async with (
        simulated_claude() as claude,
        running(settings(tables.url, claude.url, tmp_path / "next"), clock) as runtime,
    ):
        runtime.key = key
        await runtime.ready()
        assert await ask(runtime, "once") == (409, "in-progress")  # nobody knows yet that it is dead
        assert await ask(runtime, "another") == (429, "limit-reached")

        clock.now += LEASE + (await tables.value("select now()") - clock.now)
        answers = await asyncio.gather(*(ask(runtime, "once") for _ in range(5)))

        assert sorted(answers)[0] == (200, "")
        assert set(answers[1:]) <= {(200, ""), (409, "in-progress")}
        assert len(claude.calls.all()) == 1
        usage = (await runtime.report())["usage"]
        assert usage["messagesUsed"] == 1
        ledger = {row["model"]: row for row in await tables.rows("select * from usage_daily")}
        assert ledger["unknown"]["input_tokens"] == held["needed"] > 0
        assert (
            sum(row["input_tokens"] + row["cache_write_tokens"] + row["cache_read_tokens"] for row in ledger.values())
            == usage["inputTokens"]
        )
        assert await tables.value("select count(*) from messages") == 2
        await eventually(lambda: _nothing_is_reserved(tables))


async def _nothing_is_reserved(tables: Tables) -> bool:
    return not await tables.rows("select 1 from reservations")
