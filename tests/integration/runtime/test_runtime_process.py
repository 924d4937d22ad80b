"""The runtime as the process that it is: its environment, its logs, its end."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from claw_crds import keys
from claw_dev.postgres import create_owned_database, drop_database
from claw_dev.simulators.claude.simulator import ClaudeSimulator, simulated_claude
from claw_dev.simulators.faults import Fault, FaultKind
from tests.eventually import eventually
from tests.integration.runtime.world import TOKEN, Tables, configuration

CANARY = "canary"


@dataclass
class Program:
    """A runtime in a process of its own."""

    child: asyncio.subprocess.Process
    lines: list[str]
    url: str = ""

    def logged(self, message: str) -> Any:
        entries = (json.loads(line) for line in list(self.lines))
        return next((entry for entry in entries if entry["message"] == message), None)


@asynccontextmanager
async def program(**environment: str) -> AsyncIterator[Program]:
    """Start `python -m claw_runtime` on a free port."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "claw_runtime"),
        env={"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": "0", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    running = Program(child, [])

    async def read() -> None:
        assert child.stdout is not None
        async for line in child.stdout:
            running.lines.append(line.decode())

    reading = asyncio.create_task(read())
    try:
        entry = await eventually(lambda: running.logged("listening"), 30, lambda: running.lines)
        running.url = f"http://{entry['addresses'][0]}"
        yield running
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
        await reading


def environment(database_url: str, model_url: str, directory: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "CLAW_CONFIGURATION_TOKEN_SHA256": keys.sha256(TOKEN),
        "ANTHROPIC_BASE_URL": model_url,
        "ANTHROPIC_API_KEY": f"sk-{CANARY}",
        "CLAW_WORKSPACE_DIR": str(directory),
    }


async def test_an_environment_that_is_wrong_is_named_and_not_shown() -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "claw_runtime"),
        env={"PATH": os.environ["PATH"], "PORT": "eighty", "DATABASE_URL": f"mysql://{CANARY}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await child.communicate())[0].decode()

    assert child.returncode == 2
    for name in ("PORT", "DATABASE_URL", "CLAW_CONFIGURATION_TOKEN_SHA256", "ANTHROPIC_API_KEY"):
        assert name in output
    assert CANARY not in output
    assert "Traceback" not in output


async def test_a_stopped_runtime_finishes_what_it_began(tables: Tables, tmp_path: Path) -> None:
    key = keys.new_key(secrets.token_bytes)
    async with (
        simulated_claude(pace=0.02) as claude,
        program(**environment(tables.url, claude.url, tmp_path)) as runtime,
        aiohttp.ClientSession(runtime.url) as session,
    ):
        await configured(session, key)
        asking = asyncio.create_task(chat(session, key, "Hello"))
        await eventually(claude.calls.all)

        runtime.child.send_signal(signal.SIGTERM)

        assert await asking == 200
        assert await asyncio.wait_for(runtime.child.wait(), 10) == 0
        assert await tables.value("select messages_used from usage") == 1


async def test_a_killed_runtime_loses_no_message_for_ever(tables: Tables, tmp_path: Path) -> None:
    key = keys.new_key(secrets.token_bytes)
    async with simulated_claude(pace=10) as claude:
        async with (
            program(**environment(tables.url, claude.url, tmp_path)) as runtime,
            aiohttp.ClientSession(runtime.url) as session,
        ):
            await configured(session, key)
            asking = asyncio.create_task(chat(session, key, "Hello"))
            await eventually(claude.calls.all)
            runtime.child.kill()
            with pytest.raises(aiohttp.ClientError):
                await asking
        assert await tables.value("select messages_used from usage") == 1
        await tables.rows("update reservations set expires_at = now() - interval '1 second'")

        async with program(**environment(tables.url, claude.url, tmp_path)) as runtime:
            await eventually(lambda: runtime.logged("ready"))

    assert await tables.value("select messages_used from usage") == 0
    assert await tables.value("select count(*) from messages") == 0


async def test_a_runtime_whose_database_refuses_it_stays_up_and_says_so(tables: Tables, tmp_path: Path) -> None:
    operator = {"Authorization": f"Bearer {TOKEN}"}
    await tables.change_password("another")
    variables = environment(tables.url, "http://127.0.0.1:9", tmp_path) | {"CLAW_FINGERPRINT": "0123456789abcdef"}
    async with program(**variables) as runtime, aiohttp.ClientSession(runtime.url) as session:
        async with session.get("/health") as alive:
            assert alive.status == 200
        await eventually(lambda: runtime.logged("the database refuses the credentials"))
        async with session.get("/internal/status", headers=operator) as response:
            report = await response.json()
        assert (report["ready"], report["databaseRefuses"], report["fingerprint"]) == (False, True, "0123456789abcdef")
        assert runtime.child.returncode is None

        await tables.change_password(str(conninfo_to_dict(tables.url)["password"]))

        await eventually(lambda: runtime.logged("ready"))


async def test_no_line_of_the_log_has_a_secret_or_a_customers_word(
    postgres_url: str, claude: ClaudeSimulator, tmp_path: Path
) -> None:
    name = f"claw-{CANARY}-{secrets.token_hex(4)}"
    database_url = await create_owned_database(postgres_url, name, f"password-{CANARY}")
    tables = Tables(database_url, postgres_url)
    key = keys.new_key(secrets.token_bytes)
    async with (
        program(**environment(database_url, claude.url, tmp_path)) as runtime,
        aiohttp.ClientSession(runtime.url) as session,
    ):
        await configured(session, key)
        assert await chat(session, key, f"Hello {CANARY}") == 200
        claude.faults.add(Fault(kind=FaultKind.ERROR, status=400))
        assert await chat(session, key, f"Hello {CANARY}") == 502
        claude.faults.add(Fault(kind=FaultKind.CUT_STREAM, events=4))
        assert await chat(session, key, f"Hello {CANARY}") == 502
        assert await chat(session, f"claw_{CANARY}", "Hello") == 401
        bearer = {"Authorization": f"Bearer {key}"}
        for method, path, body in (
            ("POST", "/api/memory", {"content": f"a {CANARY}"}),
            ("GET", f"/api/memory/search?q={CANARY}", None),
            ("GET", f"/{CANARY}", None),
            ("GET", f"/api/workspace/{CANARY}.md", None),
            ("PUT", f"/api/workspace/{CANARY}.md", {"content": CANARY}),
            ("POST", "/api/chat", {"message": "x", "conversationId": CANARY}),
        ):
            async with session.request(method, path, json=body, headers=bearer) as response:
                assert response.status < 500
        await malformed_request(runtime.url)
        # What nobody thought of: a row that PostgreSQL refuses, and quotes in its message.
        await tables.rows("alter table memories add constraint short check (length(content) < 9)")
        async with session.post("/api/memory", json={"content": f"a longer {CANARY}"}, headers=bearer) as response:
            assert response.status == 500
            assert CANARY not in await response.text()
        await tables.go_away()
        assert await chat(session, key, "Hello") == 503
        await eventually(lambda: runtime.logged("the database does not answer"))
        await tables.come_back()
        await eventually(lambda: runtime.logged("the database answers again"))
        runtime.child.send_signal(signal.SIGTERM)
        await runtime.child.wait()

    await drop_database(postgres_url, name)
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        await connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
    log = "".join(runtime.lines)
    assert len(runtime.lines) > 15
    assert CANARY not in log
    assert key not in log
    assert TOKEN not in log
    assert runtime.logged("a request failed unexpectedly") is not None
    assert all(json.loads(line)["level"] for line in runtime.lines)


async def configured(session: aiohttp.ClientSession, key: str) -> None:
    content = configuration(key).model_dump_json(by_alias=True)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with session.put("/internal/configuration", data=content, headers=headers) as response:
        assert response.status == 200, await response.text()


async def chat(session: aiohttp.ClientSession, key: str, message: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    async with session.post("/api/chat", json={"message": message}, headers=headers) as response:
        await response.read()
        return response.status


async def malformed_request(url: str) -> None:
    """Something that is not HTTP, with a secret in it."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET / HTTP/1.1\r\nAuthorization {CANARY}\x00\r\n\r\n".encode())
    await reader.read()
    writer.close()
    await writer.wait_closed()
