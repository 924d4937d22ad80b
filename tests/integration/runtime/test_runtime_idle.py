"""An hour in which nobody talks to the assistant: its database is asked nothing, and can sleep.

The runtime stands in an event loop of its own whose hour lasts seconds, and speaks to its database through a proxy that
hears every word. The platform and the operator look at it all the while, as they do.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from psycopg.conninfo import conninfo_to_dict

from claw_dev.simulators.claude.simulator import ClaudeSimulator
from tests.eventually import eventually
from tests.integration.runtime.world import TOKEN, Runtime, Tables, running, settings
from tests.quickly import QuickLoop

HOUR = timedelta(hours=1)
RATE = 400.0
LOOKS_SECONDS = 20.0
"""Between two looks at it, in its own time."""
GOODBYE = b"X\0\0\0\4"
"""What a connection says that is closed; see "Message Formats" in PostgreSQL's documentation."""


@dataclass
class Proxy:
    """Stands before the database and hears what it is asked."""

    port: int = 0
    connections: int = 0
    heard: list[bytes] = field(default_factory=list)

    def questions(self) -> list[bytes]:
        return [said for said in self.heard if said.replace(GOODBYE, b"")]


@asynccontextmanager
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    """On a port of its own, before this database."""
    server, heard = conninfo_to_dict(database_url), Proxy()
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        answers, asks = await asyncio.open_connection(str(server["host"]), int(str(server["port"])))
        back = asyncio.create_task(_hand_on(answers, writer, []))
        talks.add(back)
        back.add_done_callback(talks.discard)
        await _hand_on(reader, asks, heard.heard)

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    heard.port = listening.sockets[0].getsockname()[1]
    try:
        yield heard
    finally:
        listening.close()
        await asyncio.gather(*talks, return_exceptions=True)


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[bytes]) -> None:
    try:
        while said := await reader.read(65536):
            heard.append(said)
            writer.write(said)
            await writer.drain()
    except ConnectionError:
        pass  # the one end is gone, so the other may go
    finally:
        writer.close()


@dataclass(frozen=True)
class Hurried:
    """A runtime whose time passes quickly, and the proxy before its database."""

    loop: QuickLoop
    runtime: Runtime
    database: Proxy

    async def idle(self, duration: timedelta) -> int:
        """Let it pass, looking at the runtime as platform and operator do. How often that was."""
        until, looks = self.loop.clock() + duration, 0
        self.loop.call_soon_threadsafe(self.loop.hurry, RATE)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        connector = aiohttp.TCPConnector(force_close=True)  # kept alive, they would end in the middle of a question
        async with aiohttp.ClientSession(self.runtime.url, connector=connector, headers=headers) as outside:
            while self.loop.clock() < until:
                for path in ("/health", "/internal/status"):
                    async with outside.get(path) as answer:
                        assert answer.status == 200
                looks += 1
                await asyncio.sleep(LOOKS_SECONDS / RATE)
        self.loop.call_soon_threadsafe(self.loop.hurry, 1)
        return looks


@pytest.fixture
async def hurried(tables: Tables, claude: ClaudeSimulator, tmp_path: Path) -> AsyncIterator[Hurried]:
    """A configured runtime in a loop and thread of its own."""
    loop, ended = QuickLoop(), asyncio.Event()
    ready: Future[Runtime] = Future()
    async with proxy(tables.url) as database:
        url = tables.url.replace(f":{conninfo_to_dict(tables.url)['port']}/", f":{database.port}/")

        async def live() -> None:
            async with running(settings(url, claude.url, tmp_path / "workspace"), loop.clock) as runtime:  # type: ignore[arg-type]  # a clock, if not that one
                await runtime.configure()
                ready.set_result(runtime)
                await ended.wait()

        def run() -> None:
            try:
                loop.run_until_complete(live())
            except BaseException as error:
                if ready.done():
                    raise
                ready.set_exception(error)
            finally:
                loop.close()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield Hurried(loop, await asyncio.wrap_future(ready), database)
        finally:
            loop.call_soon_threadsafe(ended.set)
            await asyncio.to_thread(thread.join, 30)


async def test_an_idle_hour_asks_the_database_nothing(hurried: Hurried) -> None:
    chatting = asyncio.run_coroutine_threadsafe(hurried.runtime.chat("Hello"), hurried.loop)
    assert (await asyncio.wrap_future(chatting)).status == 200
    assert hurried.database.questions()
    await quiet(hurried.database)
    connections = hurried.database.connections
    begun: datetime = hurried.loop.clock()

    looks = await hurried.idle(HOUR)

    assert hurried.loop.clock() - begun >= HOUR
    assert looks > 60
    assert hurried.database.questions() == []
    assert hurried.database.connections == connections

    asking = asyncio.run_coroutine_threadsafe(hurried.runtime.get("/api/memory"), hurried.loop)
    assert (await asyncio.wrap_future(asking)).status == 200
    assert hurried.database.questions(), "the proxy would not have heard anything"


async def quiet(database: Proxy) -> None:
    """Until what followed from the last question has been written, and everything is forgotten."""

    async def nothing_new() -> bool:
        database.heard.clear()
        await asyncio.sleep(2)
        return not database.questions()

    await eventually(nothing_new, 20, lambda: database.heard)
