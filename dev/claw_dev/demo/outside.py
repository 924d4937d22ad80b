"""What the demo looks at outside of Kubernetes: whose process answers, and what is left after a cancellation."""

import contextlib
import json
from collections.abc import Sequence
from typing import Any, Protocol

import httpx
import psutil
import psycopg

from claw_crds import naming
from claw_dev.errors import StackError
from claw_dev.parts import Providers
from claw_dev.stack import Stack


class Outside(Protocol):
    """The providers of a stack, as somebody with a key to everything sees them."""

    has_processes: bool
    """Whether the runtimes are processes of this machine."""

    async def process(self, uid: str) -> int:
        """The process id of the instance's runtime. Raises StackError when there is none."""
        ...

    async def remains(self, uid: str) -> Sequence[str]:
        """What the instance still has there, in words; empty when nothing is left."""
        ...


class OwnMachine:
    """Processes and databases of this machine."""

    has_processes = True

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def process(self, uid: str) -> int:
        """As the local driver wrote it down."""
        record = self._stack.instances / naming.external_name(uid) / "compute.json"
        try:
            return int(json.loads(record.read_text())["pid"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StackError(f"{record} does not tell of a process") from error

    async def remains(self, uid: str) -> Sequence[str]:
        """Database, role, directory."""
        name = naming.external_name(uid)
        left = []
        if await self._rows("SELECT 1 FROM pg_database WHERE datname = %s", name):
            left.append(f"database {name}")
        if await self._rows("SELECT 1 FROM pg_roles WHERE rolname = %s", name):
            left.append(f"role {name}")
        if (self._stack.instances / name).exists():
            left.append("the instance's directory")
        return left

    async def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self._stack.postgres_url, connect_timeout=5) as connection:
            return await (await connection.execute(query, parameters)).fetchall()


class SimulatedClouds:
    """The simulators of Railway and Neon, asked through their own back doors."""

    has_processes = True

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self._clouds = stack.clouds
        self._http = http

    async def process(self, uid: str) -> int:
        """The one that has the instance's owner mark in its environment, as every service at Railway."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if uid in process.environ().get("CLAW_OWNER", "") and runs(process.pid):
                    return process.pid
        raise StackError(f"no process runs for {naming.external_name(uid)}")

    async def remains(self, uid: str) -> Sequence[str]:
        """Service and branch."""
        name = naming.external_name(uid)
        left = []
        for provider, url in (("Railway", self._clouds.railway_url), ("Neon", self._clouds.neon_url)):
            state = await self._ask(url, "state")
            if name in json.dumps(state["picture"]):
                left.append(f"{name} at {provider}")
        return left

    async def _ask(self, url: str, what: str) -> Any:
        answer = await self._http.get(f"{url}/_sim/{what}")
        answer.raise_for_status()
        return answer.json()


class RealClouds:
    """The real ones. Their own pages show more than this demo may look at."""

    has_processes = False

    async def process(self, uid: str) -> int:
        """There is none here."""
        raise StackError("the runtime runs at Railway")

    async def remains(self, uid: str) -> Sequence[str]:
        """The operator lets an instance go only when it has seen everything gone."""
        return ()


def outside_of(stack: Stack, http: httpx.AsyncClient) -> Outside:
    """The outside of a stack's providers."""
    match stack.providers:
        case Providers.LOCAL:
            return OwnMachine(stack)
        case Providers.SIMULATED:
            return SimulatedClouds(stack, http)
        case Providers.CLOUD:
            return RealClouds()


def runs(process: int) -> bool:
    """A zombie does not: it has ended, and only waits for the machine's first process to take note."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
