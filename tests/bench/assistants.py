"""Runtimes as the operator's local driver starts them, each with a database of its own, and a stand-in for Claude."""

import asyncio
import os
import resource
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import aiohttp
import psutil

from claw_crds import configuration as wire
from claw_crds import keys
from claw_dev.notes import STACK_MARK
from claw_dev.parts import Part
from claw_dev.ports import LOOPBACK, free_port
from claw_dev.postgres import create_database
from claw_dev.probes import answers
from claw_dev.processes import Processes
from claw_dev.services import Model, claude_program
from tests.bench.surroundings import cpu_seconds, environment, postgres, programs
from tests.integration.runtime.world import TOKEN, configuration

_PATIENCE = 30.0
_LOOK_AGAIN = 0.002
_HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Spent:
    """What something took, in seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Assistant:
    """A runtime that answers."""

    url: str
    process: psutil.Process
    start: Spent
    """From exec to the first answer of /health."""
    session: aiohttp.ClientSession
    key: str

    @property
    def megabytes(self) -> float:
        """Its memory now."""
        return float(self.process.memory_info().rss) / 2**20

    async def configure(self) -> None:
        """Make it a Pro customer's, without limits."""
        document = configuration(self.key).model_dump_json(by_alias=True)
        await self._call("PUT", wire.CONFIGURATION_PATH, TOKEN, data=document)

    async def chat(self, _: int = 0) -> float:
        """One question in a conversation of its own. Returns the seconds to its answer."""
        begun = time.perf_counter()
        await self._call("POST", "/api/chat", self.key, json={"message": "How long is a piece of string?"})
        return time.perf_counter() - begun

    async def first_piece(self) -> float:
        """One question, answered in pieces. Returns the seconds to the first of them."""
        headers = {"Authorization": f"Bearer {self.key}"}
        body = {"message": "How long is a piece of string?", "stream": True}
        asking = self.session.post(self.url + "/api/chat", headers=headers, json=body)
        return await _seconds_to(b"event: text", asking)

    async def _call(self, method: str, path: str, bearer: str, **request: Any) -> None:
        headers = {"Authorization": f"Bearer {bearer}"}
        async with self.session.request(method, self.url + path, headers=headers, **request) as response:
            text = await response.text()
            if response.status != 200:
                raise RuntimeError(f"{method} {path} answered {response.status}: {text[:300]}")


class Kitchen:
    """Where they are made. Use `kitchen`."""

    def __init__(
        self, processes: Processes, postgres_url: str, claude_url: str, session: aiohttp.ClientSession
    ) -> None:
        self._processes = processes
        self._postgres_url = postgres_url
        self._claude_url = claude_url
        self._session = session

    @asynccontextmanager
    async def assistant(self) -> AsyncIterator[Assistant]:
        """A fresh one, blank, as soon as it answers."""
        name = f"bench_{secrets.token_hex(4)}"
        port = free_port(Random())
        variables = {
            wire.ENV_HOST: LOOPBACK,
            wire.ENV_PORT: str(port),
            wire.ENV_DATABASE_URL: await create_database(self._postgres_url, name),
            wire.ENV_CONFIGURATION_TOKEN_SHA256: keys.sha256(TOKEN),
            wire.ENV_MODEL_BASE_URL: self._claude_url,
            wire.ENV_MODEL_API_KEY: "sk-bench",
            wire.ENV_WORKSPACE_DIR: str(self._processes.directory / name),
            STACK_MARK: str(self._processes.directory),  # the guard ends it, should we be killed
        }
        with (self._processes.directory / f"{name}.log").open("wb") as log:
            begun = time.perf_counter()
            child = await _python("-m", "claw_runtime", output=log.fileno(), **variables)
            try:
                await _until_healthy(port, child)
                seconds, process = time.perf_counter() - begun, psutil.Process(child.pid)
                spent = Spent(seconds, cpu_seconds(process))
                key = keys.new_key(secrets.token_bytes)
                yield Assistant(f"http://{LOOPBACK}:{port}", process, spent, self._session, key)
            finally:
                await _end(child)

    @property
    def claude(self) -> psutil.Process:
        """The stand-in's process."""
        return psutil.Process(self._processes[Part.CLAUDE].pid)

    async def last_question(self) -> dict[str, Any]:
        """What the stand-in was asked last, as a runtime asked it."""
        async with self._session.get(f"{self._claude_url}/_sim/calls") as response:
            question: dict[str, Any] = (await response.json())["calls"][-1]["request"]
        return question

    async def ask_claude(self, question: dict[str, Any]) -> None:
        """The same question without a runtime, to the end of its answer."""
        async with self._question(question) as response:
            response.raise_for_status()
            await response.read()

    async def first_piece(self, question: dict[str, Any]) -> float:
        """The same question; the seconds to the first piece of its answer."""
        return await _seconds_to(b"event: content_block_delta", self._question(question))

    def _question(self, question: dict[str, Any]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {"x-api-key": "sk-bench", "anthropic-version": "2023-06-01"}
        return self._session.post(f"{self._claude_url}/v1/messages", json=question, headers=headers)


@asynccontextmanager
async def kitchen() -> AsyncIterator[Kitchen]:
    """PostgreSQL, the stand-in, and a client of both."""
    async with programs() as processes, aiohttp.ClientSession() as session:
        claude_url = f"http://{LOOPBACK}:{free_port(Random())}"
        program = claude_program(Model(claude_url, "sk-bench", simulated=True))
        hurried = replace(program, argv=(*program.argv, "--pace=0"))
        await processes.start(hurried, answers(f"{claude_url}/healthz"))
        yield Kitchen(processes, await postgres(processes), claude_url, session)


async def python(code: str) -> Spent:
    """A Python that runs this, and ends without tidying up. Nothing else of ours may end meanwhile."""
    begun, before = time.perf_counter(), _cpu_of_children()
    child = await _python("-c", f"{code}\nimport os\nos._exit(0)", output=asyncio.subprocess.DEVNULL)
    if await child.wait() != 0:
        raise RuntimeError(f"python -c {code!r} ended with {child.returncode}")
    return Spent(time.perf_counter() - begun, _cpu_of_children() - before)


async def _seconds_to(event: bytes, asking: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> float:
    """From the question to this event of its answer. The rest is read, too."""
    begun, heard, seconds = time.perf_counter(), b"", 0.0
    async with asking as response:
        response.raise_for_status()
        async for piece in response.content.iter_any():
            heard += piece
            if not seconds and event in heard:
                seconds = time.perf_counter() - begun
    if not seconds:
        raise RuntimeError(f"there was no {event.decode()} in the answer: {heard[:300].decode()}")
    return seconds


def _cpu_of_children() -> float:
    # Of those that have ended. Finer than psutil, which counts in hundredths of a second.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _python(*arguments: str, output: int, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={**environment(), **variables},
        cwd=os.sep,  # from our own folder, Python would look for every module among our folders first
    )


async def _until_healthy(port: int, child: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not await _is_healthy(port):
            if child.returncode is not None:
                raise RuntimeError(f"the runtime ended before it answered, with {child.returncode}")
            await asyncio.sleep(_LOOK_AGAIN)


async def _is_healthy(port: int) -> bool:
    """Asked by hand: a client that has to be set up first would look less often."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(_HEALTH)
        answered = await reader.readline()
    except OSError:
        return False
    writer.close()
    return b" 200 " in answered


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), _PATIENCE)
    except TimeoutError:
        child.kill()
        await child.wait()
