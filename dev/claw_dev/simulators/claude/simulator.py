"""The stand-in as a whole, ready to be served."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random

from aiohttp import web

from claw_dev.simulators.claude.calls import CallLog
from claw_dev.simulators.claude.protocol import MAX_BODY, admitting, fault_as_error, identifying
from claw_dev.simulators.claude.script import Script
from claw_dev.simulators.claude.server import MessagesApi
from claw_dev.simulators.faults import FaultQueue
from claw_dev.simulators.injection import fault_routes, injecting
from claw_dev.simulators.serving import alive, serving, wall_clock


@dataclass(frozen=True)
class ClaudeSimulator:
    """A stand-in that is being served."""

    url: str
    """What `ANTHROPIC_BASE_URL` and `base_url` are set to."""
    calls: CallLog
    faults: FaultQueue
    script: Script


@asynccontextmanager
async def simulated_claude(
    *,
    port: int = 0,
    api_key: str | None = None,
    pace: float = 0,
    obedient: bool = False,
    clock: Callable[[], datetime] = wall_clock,
    random: Random | None = None,
) -> AsyncIterator[ClaudeSimulator]:
    """Serve the Messages API on the loopback address.

    Without an `api_key` every key is accepted. `pace` is the pause between two pieces of a streamed answer, in
    seconds. An `obedient` one does what any text in its prompt orders; see reply.py. Port 0 takes a free one.
    """
    random = random or Random()  # noqa: S311 - ids of a simulator, repeatable on purpose
    faults = FaultQueue()
    api = MessagesApi(clock=clock, random=random, pace=pace, obedient=obedient)
    app = web.Application(
        client_max_size=MAX_BODY,
        middlewares=[identifying(random), injecting(faults, fault_as_error), admitting(api_key)],
    )
    app.router.add_get("/healthz", alive)
    app.router.add_routes([*api.routes(), *fault_routes(faults)])
    async with serving(app, port=port) as url:
        yield ClaudeSimulator(url, api.calls, faults, api.script)
