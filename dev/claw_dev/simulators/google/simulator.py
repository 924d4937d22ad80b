"""The stand-in as a whole, ready to be served."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random

from aiohttp import web

from claw_dev.simulators.faults import FaultQueue
from claw_dev.simulators.google.agenda import Agenda
from claw_dev.simulators.google.calendar_api import CalendarApi
from claw_dev.simulators.google.control import Control
from claw_dev.simulators.google.gmail_api import GmailApi
from claw_dev.simulators.google.mailbox import Mailbox
from claw_dev.simulators.google.oauth import OAuthApi
from claw_dev.simulators.google.protocol import Asked, Quota, admitting, fault_as_error, logging_calls
from claw_dev.simulators.google.pushing import Sender
from claw_dev.simulators.google.signing import Signer
from claw_dev.simulators.google.world import Client, World
from claw_dev.simulators.injection import fault_routes, injecting
from claw_dev.simulators.serving import alive, serving, wall_clock


@dataclass(frozen=True)
class GoogleSimulator:
    """A stand-in that is being served."""

    url: str
    """What CLAW_GOOGLE_URL is set to."""
    world: World
    faults: FaultQueue
    quota: Quota
    sender: Sender
    calls: list[Asked]
    """Everything that was asked, without tokens and bodies."""

    @property
    def mailbox(self) -> Mailbox:
        """The person's mails."""
        return self.world.mailbox

    @property
    def agenda(self) -> Agenda:
        """The person's calendars."""
        return self.world.agenda


@asynccontextmanager
async def simulated_google(
    *,
    port: int = 0,
    address: str = "ada@example.com",
    timezone: str = "Europe/London",
    client: Client | None = None,
    clock: Callable[[], datetime] = wall_clock,
    monotonic: Callable[[], float] = time.monotonic,
    random: Random | None = None,
) -> AsyncIterator[GoogleSimulator]:
    """Serve Google on the loopback address, for the person with this address. Port 0 takes a free one."""
    random = random or Random()  # noqa: S311 - ids of a simulator, repeatable on purpose
    world = World(
        clock=clock,
        random=random,
        client=client or Client(),
        address=address,
        mailbox=Mailbox(address, clock, random),
        agenda=Agenda(address, timezone, clock, random),
        signer=Signer(clock, random),
    )
    faults, quota, calls = FaultQueue(random), Quota(), list[Asked]()
    async with Sender(world.signer, address, random) as sender:
        world.mailbox.on_change = sender.mail_changed
        world.agenda.on_change = sender.calendar_changed
        app = web.Application(
            client_max_size=36 * 2**20,
            middlewares=[logging_calls(calls), injecting(faults, fault_as_error), admitting(world, quota, monotonic)],
        )
        app.router.add_get("/healthz", alive)
        for api in (OAuthApi(world), GmailApi(world.mailbox), CalendarApi(world.agenda), Control(world, sender)):
            app.router.add_routes(api.routes())
        app.router.add_routes(fault_routes(faults))
        async with serving(app, port=port) as url:
            yield GoogleSimulator(url, world, faults, quota, sender, calls)
