"""Who gets in, and what may be said: keys, suspension, bodies."""

import gzip
import io
import json
import secrets
from collections.abc import AsyncIterator

import pytest

from claw_crds import keys
from claw_crds.configuration import KeyHash
from claw_crds.instance import State
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from tests.integration.runtime.world import TOKEN, Runtime, Tables

MIB = 2**20


async def test_every_wrong_key_is_refused_alike(runtime: Runtime) -> None:
    key = runtime.key
    wrong = [
        None,
        keys.new_key(secrets.token_bytes),
        key[:-1],
        key[:-1] + ("0" if key[-1] != "0" else "1"),
        key.removeprefix("claw_"),
        "x" * 4000,
        TOKEN,
    ]

    answers = [await runtime.post("/api/chat", {"message": "Hello"}, bearer=bearer) for bearer in wrong]
    answers.append(await runtime.post("/api/chat", {"message": "Hello"}, bearer=None, headers={"Authorization": key}))

    without_ids = {json.dumps(answer.json | {"requestId": ""}) for answer in answers}
    assert {answer.status for answer in answers} == {401}
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {'Bearer realm="claw"'}
    assert len(without_ids) == 1


async def test_a_revoked_key_is_refused_at_once_and_a_rotated_one_in_an_hour(runtime: Runtime) -> None:
    old = runtime.key
    new = keys.new_key(secrets.token_bytes)
    rotated = (
        KeyHash(sha256=keys.sha256(new)),
        KeyHash(sha256=keys.sha256(old), expires_at=runtime.clock.now.replace(microsecond=0)),
    )
    runtime.clock.advance(hours=-1)
    await runtime.configure(keys=rotated)
    assert (await runtime.get("/status", bearer=old)).status == 200
    assert (await runtime.get("/status", bearer=new)).status == 200

    runtime.clock.advance(hours=1)

    assert (await runtime.get("/status", bearer=old)).status == 401
    assert (await runtime.get("/status", bearer=new)).status == 200
    await runtime.configure(keys=(KeyHash(sha256=keys.sha256(keys.new_key(secrets.token_bytes))),))
    assert (await runtime.get("/status", bearer=new)).status == 401


async def test_a_suspended_instance_keeps_everything_and_answers_nothing(
    runtime: Runtime, tables: Tables, claude: ClaudeSimulator
) -> None:
    memory = (await runtime.post("/api/memory", {"content": "Bello is a dog."})).json
    await runtime.configure(state=State.SUSPENDED)
    calls = (await runtime.report())["usage"]["apiCalls"]

    refused = await runtime.chat()

    assert (refused.status, refused.problem) == (402, "suspended")
    assert (await runtime.get("/api/memory")).status == 402
    assert (await runtime.get("/api/memory", bearer=None)).status == 401
    assert (await runtime.get("/status")).json["state"] == "Suspended"
    assert (await runtime.get("/health", bearer=None)).status == 200
    assert (await runtime.report())["ready"] is True
    assert claude.calls.all() == ()
    assert await tables.value("select count(*) from usage") == 0
    assert (await runtime.report())["usage"]["apiCalls"] == calls

    await runtime.configure(state=State.RUNNING)

    assert (await runtime.get("/api/memory")).json["memories"] == [memory]
    assert (await runtime.chat()).status == 200


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"", 422, "invalid-request"),
        (b"  \n", 422, "invalid-request"),
        (b"{}", 422, "invalid-request"),
        (b"[]", 422, "invalid-request"),
        (b"null", 422, "invalid-request"),
        (b'{"message": ""}', 422, "invalid-request"),
        (b'{"message": "  \\n"}', 422, "invalid-request"),
        (b'{"message": 5}', 422, "invalid-request"),
        (b'{"message": "a\\u0000b"}', 422, "invalid-request"),
        (b'{"message": "Hello", "conversationId": "1"}', 422, "invalid-request"),
        (b'{"message": "Hello", "agentId": "../x"}', 422, "invalid-request"),
        (b'{"message": "Hello", "stream": "perhaps"}', 422, "invalid-request"),
        (b'{"message": "' + b"x" * 100_001 + b'"}', 422, "invalid-request"),
        (b"Hello", 400, "malformed-body"),
        (b'{"message": "Hello"', 400, "malformed-body"),
        (b'{"message": "\xff"}', 400, "malformed-body"),
        (b'{"message": "\\ud800"}', 400, "malformed-body"),
        (b'{"message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "malformed-body"),
        (b'{"message": "' + b"x" * 10 * MIB + b'"}', 413, "body-too-large"),
    ],
    ids=lambda value: f"{value[:24]!r}, {len(value)} bytes" if isinstance(value, bytes) else str(value),
)
async def test_a_bad_body_is_refused_with_its_reason(
    runtime: Runtime, claude: ClaudeSimulator, body: bytes, status: int, problem: str
) -> None:
    answer = await runtime.post("/api/chat", data=io.BytesIO(body))

    assert (answer.status, answer.problem) == (status, problem)
    assert len(answer.text) < 2000
    assert claude.calls.all() == ()
    assert (await runtime.report())["usage"]["messagesUsed"] == 0


async def test_a_body_of_unknown_length_is_refused_when_it_becomes_too_long(runtime: Runtime) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MIB:
            sent += 65_536
            yield b"x" * 65_536

    try:
        answer = await runtime.post("/api/chat", data=endless())
    except ConnectionError:
        pass  # the server need not wait until everything was sent
    else:
        assert (answer.status, answer.problem) == (413, "body-too-large")
    assert sent < 100 * MIB


async def test_a_packed_body_is_not_unpacked(runtime: Runtime) -> None:
    bomb = gzip.compress(b'{"message": "' + b" " * 50 * MIB + b'Hello"}')

    answer = await runtime.post("/api/chat", data=bomb, headers={"Content-Encoding": "gzip"})

    assert len(bomb) < MIB
    assert (answer.status, answer.problem) == (400, "malformed-body")


async def test_unknown_members_are_tolerated(runtime: Runtime) -> None:
    assert (await runtime.chat(temperature=2, fromTheFuture={"a": 1})).status == 200


async def test_an_error_names_the_member_and_does_not_repeat_it(runtime: Runtime) -> None:
    answer = await runtime.post("/api/memory", {"content": "secret" * 4000, "tags": ["", 5]})

    assert [error["field"] for error in answer.json["errors"]] == ["content", "tags.0", "tags.1"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/conversations?limit=0",
        "/api/conversations?limit=101",
        "/api/conversations?limit=ten",
        "/api/conversations?cursor=abc",
        "/api/memory?cursor=W10",
        "/api/memory/search",
        "/api/memory/search?q=",
        "/api/memory/search?q=%00",
        "/api/memory/search?q=%FF%FE&limit=1000",
    ],
)
async def test_a_bad_query_is_refused_with_its_reason(runtime: Runtime, path: str) -> None:
    answer = await runtime.get(path)

    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert answer.json["errors"]


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(runtime: Runtime) -> None:
    nowhere = await runtime.get("/api/nothing")
    wrong = await runtime.call("PATCH", "/api/chat")

    assert (nowhere.status, nowhere.problem) == (404, "not-found")
    assert (wrong.status, wrong.problem, wrong.headers["Allow"]) == (405, "method-not-allowed", "POST")
    assert wrong.headers["Content-Type"] == nowhere.headers["Content-Type"] == "application/problem+json"


async def test_a_request_keeps_its_id_when_it_is_a_decent_one(runtime: Runtime) -> None:
    kept = await runtime.get("/health", headers={"X-Request-Id": "trace-1"})
    replaced = await runtime.get("/api/nothing", headers={"X-Request-Id": "no spaces please"})

    streamed = await runtime.chat(stream=True)

    assert kept.headers["X-Request-Id"] == "trace-1"
    assert len(streamed.headers["X-Request-Id"]) == 32
    assert replaced.headers["X-Request-Id"] == replaced.json["requestId"] != "no spaces please"
