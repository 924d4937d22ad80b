"""What a command works with: each part is opened when it is first asked for, and closed when the command has ended.

A command needs no more variables than it uses: who reads the billing log has no Stripe key to give.
"""

import asyncio
import getpass
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import typer
from rich.console import Console
from rich.text import Text

from claw_webhook.console.environment import Environment, NotConfigured, read_environment
from claw_webhook.console.erasing import CannotErase
from claw_webhook.customers import Customers
from claw_webhook.database import Pool, open_pool
from claw_webhook.front.catalogue import CatalogueConflict
from claw_webhook.inbox import Inbox
from claw_webhook.instances import ClusterUnavailable, Instances, connect
from claw_webhook.looks import Looks
from claw_webhook.services import utc_now
from claw_webhook.stripe_api import StripeApi, StripeUnavailable, open_stripe

_CONNECTIONS = 4
_PIPE_WIDTH = 200


class NotDone(Exception):
    """The command has nothing to work on. The message says why."""


class Desk:
    """The service's parts, without the service."""

    def __init__(self, environment: Environment, stack: AsyncExitStack, console: Console) -> None:
        self._environment = environment
        self._stack = stack
        self._pool: Pool | None = None
        self.console = console
        self.clock = utc_now

    async def pool(self) -> Pool:
        """The customers database."""
        if self._pool is None:
            url = self._environment.database_url
            self._pool = await self._stack.enter_async_context(open_pool(url, size=_CONNECTIONS))
        return self._pool

    async def stripe(self) -> StripeApi:
        """Stripe's API."""
        opened = open_stripe(self._environment.stripe_secret_key, base=self._environment.stripe_api_url)
        return await self._stack.enter_async_context(opened)

    async def instances(self) -> Instances:
        """The ClawInstances and the plans."""
        api = await self._stack.enter_async_context(connect(self._environment.kubeconfig))
        return Instances(api, namespace=self._environment.namespace, random=random.random)

    async def inbox(self) -> Inbox:
        """The inbox."""
        return Inbox(await self.pool(), clock=self.clock, random=random.random)

    async def looks(self) -> Looks:
        """The looks that are asked for. The service finds them by itself."""
        return Looks(await self.pool(), clock=self.clock, arrived=asyncio.Event())

    async def customers(self) -> Customers:
        """Customers and their subscriptions."""
        return Customers(await self.pool(), namespace=self._environment.namespace, clock=self.clock)


def at_desk(env_file: Path | None, work: Callable[[Desk], Awaitable[None]]) -> None:
    """Do the work of a command; what goes wrong is told in a sentence, and ends the process with 1."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # it tells each attempt; the command tells the end
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPE_WIDTH)
    try:
        environment = read_environment(env_file)
        asyncio.run(_work(environment, console, work))
    except (NotConfigured, NotDone, CannotErase, CatalogueConflict, StripeUnavailable, ClusterUnavailable) as error:
        _end(str(error))
    except TimeoutError:
        _end("it took too long: try again")
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        _end("the customers database has an older schema: start this version of the webhook service once")
    except psycopg.OperationalError:
        _end(f"the customers database does not answer: is DATABASE_URL of {environment.source} right?")


def actor() -> str:
    """Who is at the desk, for the billing log."""
    try:
        return f"person:{getpass.getuser()}"
    except (KeyError, OSError):  # a container may run as a user without a name
        return "person:unknown"


async def _work(environment: Environment, console: Console, work: Callable[[Desk], Awaitable[None]]) -> None:
    async with AsyncExitStack() as stack:
        await work(Desk(environment, stack, console))


def _end(message: str) -> None:
    Console(stderr=True).print(Text(f"claw: {message}", style="bold red"))
    raise typer.Exit(1)
