"""A stand-in for the runtime: as much of its internal API as the operator needs to see an instance through its life.

Like the real one it boots blank, keeps its configuration with its database and not with its deployment, and lets in
only who knows the token whose SHA-256 it was deployed with.
"""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from pydantic import ValidationError

from claw_crds import configuration as wire
from claw_crds.configuration import RuntimeConfiguration, RuntimeHoldings, RuntimeReport, revision_of
from claw_dev.simulators.railway.records import Deployment
from claw_dev.simulators.railway.running import Running
from claw_dev.simulators.serving import wall_clock

VERSION = "0.0.0-stand-in"

Stored = tuple[str, str]
"""Whose configuration a database holds, and which revision."""


class StandIns:
    """Starts stand-ins.

    Hosts in `refusing` are databases that accept nobody's password, as after somebody has changed it by hand.
    """

    answers = True

    def __init__(self, *, clock: Callable[[], datetime] = wall_clock) -> None:
        self._clock = clock
        self._databases: dict[str, Stored] = {}
        self.refusing: set[str] = set()

    async def start(self, deployment: Deployment) -> Running:
        """Start one; like the real one it ends at once when it lacks what it needs to boot."""
        deployment.log.append("stand-in started")
        return StandIn(deployment.variables, self._databases, self.refusing, self._clock())


class StandIn:
    """One that runs."""

    def __init__(
        self, variables: dict[str, str], databases: dict[str, Stored], refusing: set[str], started_at: datetime
    ) -> None:
        self._variables = variables
        self._databases = databases
        self._refusing = refusing
        self._started_at = started_at.astimezone(UTC)
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        url = urlsplit(variables.get(wire.ENV_DATABASE_URL, ""))
        self._database = f"{url.hostname}{url.path}"
        self._host = url.hostname or ""
        if not url.hostname:
            self.crash()

    async def health(self, path: str) -> int | None:
        """Well, at the one path that there is."""
        if self._exit.done():
            return None
        return HTTPStatus.OK if path == wire.HEALTH_PATH else HTTPStatus.NOT_FOUND

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer health, status and configuration."""
        if request.path == wire.HEALTH_PATH:
            return web.json_response({"status": "ok"})
        if request.path not in {wire.STATUS_PATH, wire.CONFIGURATION_PATH}:
            return _problem(HTTPStatus.NOT_FOUND, "A stand-in has no such page.")
        if not self._knows(request):
            return _problem(HTTPStatus.UNAUTHORIZED, "The configuration token is wrong.")
        if request.method == hdrs.METH_PUT and request.path == wire.CONFIGURATION_PATH:
            return await self._configure(request)
        return self._report()

    async def ended(self) -> int:
        """Its exit code, once it crashes."""
        return await asyncio.shield(self._exit)

    def crash(self) -> None:
        """End it as if it had failed."""
        if not self._exit.done():
            self._exit.set_result(1)

    async def stop(self) -> None:
        """There is nothing to stop."""

    def _knows(self, request: web.Request) -> bool:
        token = request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ")
        expected = self._variables.get(wire.ENV_CONFIGURATION_TOKEN_SHA256)
        return expected is not None and hashlib.sha256(token.encode()).hexdigest() == expected

    async def _configure(self, request: web.Request) -> web.Response:
        if self._host in self._refusing:
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "The database refuses the credentials.")
        try:
            document = await request.json()
            configuration = RuntimeConfiguration.model_validate(document)
        except (ValueError, ValidationError):
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "This is no runtime configuration.")
        self._databases[self._database] = (configuration.instance.uid, revision_of(document))
        return self._report()

    def _report(self) -> web.Response:
        uid, revision = self._databases.get(self._database, (None, None))
        refuses = self._host in self._refusing
        report = RuntimeReport(
            version=VERSION,
            uid=uid,
            configuration_revision=revision,
            ready=uid is not None and not refuses,
            holdings=RuntimeHoldings(memories=0, agents=0),
            message="" if uid else "waiting for a configuration",
            started_at=self._started_at,
            fingerprint=self._variables.get(wire.ENV_FINGERPRINT),
            database_refuses=refuses,
        )
        return web.json_response(report.wire())


def _problem(status: HTTPStatus, detail: str) -> web.Response:
    return web.json_response({"status": status.value, "detail": detail}, status=status)
