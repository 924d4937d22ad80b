"""From settings to drivers: each provider with its account's budget and its edge to the network.

A driver is built when its settings are there, whether or not it is the default: instances may name another one than
the default, and what an earlier default made must still be found, swept and deleted.
"""

import sys
from contextlib import AsyncExitStack

import httpx

from claw_operator.drivers import Drivers
from claw_operator.external import ComputeDriver, DatabaseDriver
from claw_operator.external.local import LocalDriver
from claw_operator.external.postgres import PostgresDriver
from claw_operator.external.runtime import HttpRuntimeClient
from claw_operator.settings import Settings


async def build_drivers(settings: Settings, stack: AsyncExitStack) -> Drivers:
    """The drivers whose settings are there. Connects to nothing yet; `stack` closes the HTTP sessions."""
    runtimes = await stack.enter_async_context(httpx.AsyncClient())
    computes: list[ComputeDriver] = []
    if settings.local_directory is not None:
        computes.append(LocalDriver(settings.local_directory, [sys.executable, "-m", "claw_runtime"]))
    databases: list[DatabaseDriver] = []
    if settings.postgres_admin_url is not None:
        databases.append(PostgresDriver(settings.postgres_admin_url.get_secret_value()))
    return Drivers(
        compute={driver.name: driver for driver in computes},
        database={driver.name: driver for driver in databases},
        runtime=HttpRuntimeClient(runtimes),
    )
