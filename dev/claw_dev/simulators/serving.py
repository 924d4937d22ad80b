"""Runs one simulator: inside a test on a free port, or as a process until it is told to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web

LOOPBACK = "127.0.0.1"


@asynccontextmanager
async def serving(app: web.Application, *, port: int = 0) -> AsyncIterator[str]:
    """Serve the application on the loopback address and yield its URL, without a trailing slash.

    Port 0 takes a free one. Raises OSError when the port is taken.
    """
    # A client that gave up must end its handler, or a request that was told to hang would outlive its test.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def until_told_to_stop() -> None:
    """Return at the first SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


def wall_clock() -> datetime:
    """What simulators take for the time when nobody tells them another."""
    return datetime.now(UTC)


async def alive(_: web.Request) -> web.Response:
    """`GET /healthz`: the process answers."""
    return web.json_response({"status": "ok"})
