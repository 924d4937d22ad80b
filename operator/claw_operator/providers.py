"""From settings to drivers: each provider with its account's budget and its edge to the network.

A driver is built when its settings are there, whether or not it is the default: instances may name another one than
the default, and what an earlier default made must still be found, swept and deleted.
"""

import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import httpx

from claw_operator.drivers import Drivers
from claw_operator.external import ComputeDriver, DatabaseDriver
from claw_operator.external.budget import Budget
from claw_operator.external.http import Api
from claw_operator.external.local import LocalDriver
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import Isolation, NeonOptions
from claw_operator.external.postgres import PostgresDriver
from claw_operator.external.railway import RailwayDriver
from claw_operator.external.railway.options import RailwayOptions
from claw_operator.external.runtime import HttpRuntimeClient
from claw_operator.metrics import Metrics
from claw_operator.settings import Settings

Monotonic = Callable[[], float]


@asynccontextmanager
async def connected_drivers(settings: Settings, metrics: Metrics, random: Random) -> AsyncIterator[Drivers]:
    """The drivers whose settings are there, until the block ends. Connects to nothing by itself."""
    # The loop's workers bound what is under way. A bound here would let slow runtimes keep the others' calls waiting.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    # No cookies or connections of a provider are shared with what customers' runtimes answer.
    async with (
        httpx.AsyncClient(limits=limits) as provider_session,
        httpx.AsyncClient(limits=limits) as runtime_session,
    ):
        parts = _Parts(settings, metrics, random, provider_session)
        computes = [driver for driver in (parts.local(), parts.railway()) if driver is not None]
        databases = [driver for driver in (parts.postgres(), parts.neon()) if driver is not None]
        yield Drivers(
            compute={driver.name: driver for driver in computes},
            database={driver.name: driver for driver in databases},
            runtime=HttpRuntimeClient(runtime_session),
        )


class _Parts:
    """One method for each driver; None when its settings are not there."""

    def __init__(self, settings: Settings, metrics: Metrics, random: Random, session: httpx.AsyncClient) -> None:
        self._settings = settings
        self._metrics = metrics
        self._random = random
        self._session = session

    def local(self) -> ComputeDriver | None:
        directory = self._settings.local_directory
        if directory is None:
            return None
        return LocalDriver(directory, [sys.executable, "-m", "claw_runtime"])

    def postgres(self) -> DatabaseDriver | None:
        url = self._settings.postgres_admin_url
        return None if url is None else PostgresDriver(url.get_secret_value())

    def railway(self) -> ComputeDriver | None:
        settings = self._settings
        if settings.railway_token is None or settings.railway_project_id is None:
            return None
        password = settings.clawdbot_registry_password
        options = RailwayOptions(
            url=str(settings.railway_api_url).rstrip("/"),
            token=settings.railway_token.get_secret_value(),
            token_kind=settings.railway_token_kind,
            project_id=settings.railway_project_id,
            environment_id=settings.railway_environment_id,
            region=settings.railway_region,
            domain_scheme=settings.railway_domain_scheme,
            registry_username=settings.clawdbot_registry_username,
            registry_password=None if password is None else password.get_secret_value(),
            poll_seconds=settings.railway_poll_seconds,
        )
        api = self._api("railway", railway_budget(settings.railway_calls_per_hour), limit_window=3600.0)
        return RailwayDriver(api, options, random=self._random.random)

    def neon(self) -> DatabaseDriver | None:
        settings = self._settings
        if settings.neon_api_key is None:
            return None
        options = NeonOptions(
            url=str(settings.neon_api_url).rstrip("/"),
            key=settings.neon_api_key.get_secret_value(),
            isolation=Isolation(settings.neon_isolation),
            project_id=settings.neon_project_id,
            parent_branch=settings.neon_parent_branch,
            role=settings.neon_role,
            database=settings.neon_database,
            org_id=settings.neon_org_id,
            region=settings.neon_region,
        )
        api = self._api("neon", neon_budget(settings.neon_calls_per_minute))
        return NeonDriver(api, options, random=self._random.random)

    def _api(self, provider: str, budget: Budget, *, limit_window: float | None = None) -> Api:
        return Api(
            self._session,
            budget,
            provider=provider,
            random=self._random.random,
            limit_window=limit_window,
            on_call=lambda provider, outcome: self._metrics.provider_calls.labels(provider, outcome).inc(),
        )


def railway_budget(calls_per_hour: int, *, monotonic: Monotonic = time.monotonic) -> Budget:
    """A quarter of an hour's calls may be made in one go (25 customers with 1,000 calls); the rest comes evenly.

    Railway also limits single seconds: to 10 calls with 1,000 an hour, to 50 with 10,000. This keeps below both.
    """
    spacing = 1 / max(8.0, calls_per_hour / 250)
    burst = calls_per_hour // 4
    return Budget.within(
        "Railway", calls=calls_per_hour, seconds=3600.0, burst=burst, spacing=spacing, monotonic=monotonic
    )


def neon_budget(calls_per_minute: int, *, monotonic: Monotonic = time.monotonic) -> Budget:
    """With Neon's 700 calls a minute it also allows 40 a second on one route; here so many on all of them."""
    spacing = 700 / 40 / calls_per_minute
    return Budget.within("Neon", calls=calls_per_minute, seconds=60.0, burst=40, spacing=spacing, monotonic=monotonic)
