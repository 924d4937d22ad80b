"""A runtime on a real port, and the customer and the operator who speak to it.

Every answer is held against the OpenAPI document that the same server gives: a status, a media type or a member that
the document does not know fails the test, whatever the test is about.
"""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from aiohttp import web
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its stubs are another package
from multidict import CIMultiDictProxy
from psycopg import sql
from psycopg.rows import dict_row

from claw_crds import keys
from claw_crds.configuration import (
    CONFIGURATION_PATH,
    AssistantConfiguration,
    InstanceIdentity,
    KeyHash,
    PlanConfiguration,
    RuntimeConfiguration,
)
from claw_crds.instance import Customer, State
from claw_crds.plan import Limits
from claw_dev.postgres import create_owned_database, drop_database, with_database
from claw_runtime.app import application
from claw_runtime.openapi import document
from claw_runtime.routes import LINES
from claw_runtime.routes.table import ROUTES
from claw_runtime.services import HEARTBEAT_SECONDS, Services, assemble
from claw_runtime.settings import Settings
from tests.clock import Clock

TOKEN = "configuration-token"
UID = "8f3c9d5e-0000-4000-8000-000000000001"
Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """The kind of problem, without the address before it."""
        return str(self.json["type"]).rpartition("/")[2]

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Server-sent events: name and data."""
        return [
            (found["event"], json.loads(found["data"]))
            for found in re.finditer(r"event: (?P<event>\w+)\ndata: (?P<data>.*)\n\n", self.text)
        ]


def configuration(*customer_keys: str, **changes: Any) -> RuntimeConfiguration:
    """Of a Pro customer without limits. `changes` are the document's members, or its plan's."""
    limits = changes.pop("limits", Limits())
    offered = changes.pop("offered", ("chat", "memory", "web_search"))
    plan = PlanConfiguration(
        name="pro",
        display_name="Pro",
        limits=limits,
        storage_bytes=changes.pop("storage_bytes", None),
        prices=changes.pop("prices", None),
        skills=offered,
    )
    members: dict[str, Any] = {
        "instance": InstanceIdentity(namespace="claw", name="claw-test", uid=UID),
        "state": State.RUNNING,
        "customer": Customer(id="cus_1", email="ada@example.com", name="Ada", timezone="Europe/London", locale="en-GB"),
        "assistant": AssistantConfiguration(name="Clawdia", model="claude-sonnet-test"),
        "plan": plan,
        "keys": tuple(KeyHash(sha256=keys.sha256(key)) for key in customer_keys),
    }
    return RuntimeConfiguration(**(members | changes))


@cache
def api() -> dict[str, Any]:
    return document(ROUTES, "0.1.0")


def check(method: str, path: str, answer: Answer) -> None:
    """Hold an answer against the document."""
    for template, operations in api()["paths"].items():
        pattern = re.sub(r"{path}", ".+", re.sub(r"{(id|name)}", "[^/]+", template))
        if not re.fullmatch(pattern, path.partition("?")[0]) or method.lower() not in operations:
            continue
        responses = operations[method.lower()]["responses"]
        assert str(answer.status) in responses, f"{method} {template} answered {answer.status}: {answer.text[:500]}"
        content = responses[str(answer.status)].get("content", {})
        media_type = answer.headers.get("Content-Type", "").partition(";")[0]
        if not content:
            assert answer.text == ""
            return
        assert media_type in content, f"{method} {template} answered {media_type}"
        if media_type == LINES:
            schema = content[media_type]["schema"] | {"components": api()["components"]}
            for line in answer.text.splitlines():
                Draft202012Validator(schema).validate(json.loads(line))
        elif media_type != "text/event-stream":
            schema = content[media_type]["schema"] | {"components": api()["components"]}
            Draft202012Validator(schema).validate(answer.json)
        return


class Runtime:
    """A runtime that is served in this process. `key` is the customer's."""

    def __init__(self, url: str, services: Services, session: aiohttp.ClientSession, clock: Clock) -> None:
        self.url = url
        self.services = services
        self.session = session
        self.clock = clock
        self.key = keys.new_key(secrets.token_bytes)

    async def call(self, method: str, path: str, *, bearer: str | None = "", **request: Any) -> Answer:
        """One request, as the customer, or with another bearer, or with none."""
        headers = dict(request.pop("headers", {}))
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer or self.key}"
        async with self.session.request(method, self.url + path, headers=headers, **request) as response:
            answer = Answer(response.status, response.headers, await response.text())
        check(method, path, answer)
        return answer

    async def get(self, path: str, **request: Any) -> Answer:
        return await self.call("GET", path, **request)

    async def post(self, path: str, body: Any = None, **request: Any) -> Answer:
        return await self.call("POST", path, **({"json": body} if body is not None else {}), **request)

    async def chat(self, message: str = "Hello", **members: Any) -> Answer:
        return await self.post("/api/chat", {"message": message, **members})

    async def ready(self) -> None:
        """Wait until the schema is there and the stored configuration, if any, is in effect."""
        async with asyncio.timeout(15):
            await self.services.prepared.wait()

    async def report(self) -> Any:
        return (await self.get("/internal/status", bearer=TOKEN)).json

    async def put(self, proposed: RuntimeConfiguration) -> Answer:
        content = proposed.model_dump_json(by_alias=True)
        return await self.call("PUT", CONFIGURATION_PATH, bearer=TOKEN, data=content)

    async def configure(self, **changes: Any) -> None:
        """Put in a configuration with these changes."""
        answer = await self.put(configuration(self.key, **changes))
        assert answer.status == 200, answer.text


def settings(database_url: str, model_url: str, directory: Path) -> Settings:
    return Settings(
        host="127.0.0.1",
        port=0,
        database_url=database_url,
        configuration_token_sha256=keys.sha256(TOKEN),
        model_base_url=model_url,
        model_api_key="sk-test",
        workspace_dir=directory,
    )


@asynccontextmanager
async def running(
    settings: Settings,
    clock: Clock,
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
    wait: float = 1.5,
    inside: Collection[str] = (),
) -> AsyncIterator[Runtime]:
    """Serve a runtime, and begin to make it ready; `Runtime.ready` waits for that.

    `wait` is for a database that is away, in seconds. The runtime may visit networks `inside`.
    """
    services = assemble(settings, clock=clock, heartbeat_seconds=heartbeat, wait_seconds=wait, inside=inside)
    runner = web.AppRunner(application(services), access_log=None, shutdown_timeout=2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        starting = asyncio.create_task(services.start())
        try:
            yield Runtime(f"http://127.0.0.1:{runner.addresses[0][1]}", services, session, clock)
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await runner.cleanup()


@asynccontextmanager
async def owned_tables(admin_url: str) -> "AsyncIterator[Tables]":
    """An empty database and the role that owns it, and nothing else."""
    name = f"claw-{secrets.token_hex(6)}"
    yield Tables(await create_owned_database(admin_url, name, secrets.token_urlsafe()), admin_url)
    await drop_database(admin_url, name)
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


class Tables:
    """The instance's database, looked at from outside."""

    def __init__(self, url: str, admin_url: str) -> None:
        self.url = url
        self._name = url.rpartition("/")[2]
        self._admin_url = admin_url

    async def rows(self, statement: str, *values: Any) -> list[Row]:
        """What a statement returns, as the administrator, who also comes in when nobody else does."""
        url = with_database(self._admin_url, self._name)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row) as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def value(self, statement: str, *values: Any) -> Any:
        """The one value that a statement returns."""
        (row,) = await self.rows(statement, *values)
        return next(iter(row.values()))

    async def go_away(self) -> None:
        """Refuse new connections and end those that there are."""
        await self._alter("WITH ALLOW_CONNECTIONS false")
        await self._server("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", self._name)

    async def come_back(self) -> None:
        """Take connections again."""
        await self._alter("WITH ALLOW_CONNECTIONS true")

    async def change_password(self, password: str) -> None:
        """Give the role another password and end its sessions."""
        role, new = sql.Identifier(self._name).as_string(), sql.Literal(password).as_string()
        await self._server(f"alter role {role} password {new}")
        await self._server("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", self._name)

    async def connections(self) -> int:
        """How many the runtime holds."""
        rows = await self._server(
            "select count(*) as n from pg_stat_activity where datname = %s and application_name = 'claw-runtime'",
            self._name,
        )
        return int(rows[0]["n"])

    async def _alter(self, how: str) -> None:
        name = sql.Identifier(self._name).as_string()
        await self._server(f"alter database {name} {how}")

    async def _server(self, statement: str, *values: Any) -> list[Row]:
        connect = psycopg.AsyncConnection.connect(self._admin_url, autocommit=True, row_factory=dict_row)
        async with await connect as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []
