"""Deployments that run a real process: the given command with the deployed variables, and requests passed on to it."""

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping, Sequence

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict

from claw_crds import configuration as wire
from claw_dev.notes import STACK_MARK
from claw_dev.simulators.injection import sever
from claw_dev.simulators.railway.records import Deployment
from claw_dev.simulators.railway.running import NoAnswer, Running
from claw_dev.simulators.serving import LOOPBACK

_HOST_OF_HEALTH_CHECKS = "healthcheck.railway.app"
_LINES = 500
# What belongs to one connection and not to the message.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length"}
# All that a program gets of our own environment, which may hold secrets. By the mark it is ended with its stack.
_BASICS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", STACK_MARK)


class Programs:
    """Starts `command` once per deployment. `patience`: seconds between asking a process to end and killing it."""

    answers = True

    def __init__(
        self, command: Sequence[str], *, patience: float = 10.0, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._command = tuple(command)
        self._patience = patience
        self._basics = {name: environment[name] for name in _BASICS if name in environment}

    async def start(self, deployment: Deployment) -> Running:
        """Start it on a free port."""
        port = _free_port()
        # A container's disk is its own, and empty each time.
        disk = await asyncio.to_thread(tempfile.mkdtemp, prefix="railway-")
        address = {wire.ENV_HOST: LOOPBACK, wire.ENV_PORT: str(port)}
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._basics | deployment.variables | address,
            cwd=disk,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=2**20,
        )
        url = f"http://{LOOPBACK}:{port}"
        return Program(process, url=url, disk=disk, log=deployment.log, patience=self._patience)


class Program:
    """A process that runs."""

    def __init__(
        self, process: asyncio.subprocess.Process, *, url: str, disk: str, log: list[str], patience: float
    ) -> None:
        self._process = process
        self._url = url
        self._disk = disk
        self._patience = patience
        self._session = aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(sock_connect=5))
        self._reading = asyncio.create_task(_keep(process.stdout, log))

    async def health(self, path: str) -> int | None:
        """What it answers to Railway's health check, redirects included; None when it does not."""
        headers = {hdrs.HOST: _HOST_OF_HEALTH_CHECKS}
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with self._session.get(
                self._url + path, headers=headers, allow_redirects=False, timeout=timeout
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass the request on, and the answer back piece by piece: some are streams."""
        try:
            async with self._session.request(
                request.method,
                self._url + request.path_qs,
                headers=_passed_on(request.headers),
                data=await request.read(),
                allow_redirects=False,
            ) as answer:
                response = web.StreamResponse(status=answer.status, headers=_passed_on(answer.headers))
                await response.prepare(request)
                return await _pass_on(answer, response, request)
        except aiohttp.ClientError as error:
            raise NoAnswer from error

    async def ended(self) -> int:
        """Its exit code."""
        return await self._process.wait()

    def crash(self) -> None:
        """Kill it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self) -> None:
        """Ask it to end, kill it when it does not, and let go of everything."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(self._patience):
                await self._process.wait()
        except TimeoutError:
            self.crash()
            await self._process.wait()
        await self._reading
        await self._session.close()
        await asyncio.to_thread(shutil.rmtree, self._disk, ignore_errors=True)


async def _keep(output: asyncio.StreamReader | None, log: list[str]) -> None:
    """Keep the last lines that the process prints."""
    assert output is not None  # noqa: S101 - it was started with a pipe
    while True:
        try:
            line = await output.readline()
        except ValueError:
            continue  # longer than anybody reads; the pipe must go on being emptied
        if not line:
            return
        log.append(line.decode(errors="replace").rstrip())
        del log[:-_LINES]


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)


async def _pass_on(
    answer: aiohttp.ClientResponse, response: web.StreamResponse, request: web.Request
) -> web.StreamResponse:
    try:
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
    except aiohttp.ClientError:
        # The program ended in the middle of its answer, and so does what is left of it.
        sever(request)
    return response


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])
