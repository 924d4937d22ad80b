"""A simulated Neon and a plain HTTP client for it. Also for the tests of whoever talks to Neon."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.limits import RateLimits
from claw_dev.simulators.neon.records import Branch
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.neon.world import PlanLimits

KEY = "napi_simulated"
ROLE = "neondb_owner"
DATABASE = "neondb"
NO_LIMITS = RateLimits(per_minute=1_000_000, burst_per_second=100_000)
ROOMY = PlanLimits(active_computes=10_000)


def simulated_neon(**settings: Any) -> NeonSimulator:
    """A Neon that never says 429 by itself and that has room for many computes, unless told otherwise."""
    return NeonSimulator(**{"keys": [Key(KEY)], "rates": NO_LIMITS, "plan": ROOMY, **settings})


def fault(kind: FaultKind, operation: str | None = None, **settings: Any) -> Fault:
    """A fault for calls of an operation, by its operationId in Neon's OpenAPI document."""
    return Fault(kind=kind, path="/", operation=operation, **settings)


@dataclass(frozen=True)
class Client:
    """Calls the API as anybody's HTTP client would. Nothing is repeated, nothing interpreted."""

    http: httpx.AsyncClient
    neon: NeonSimulator

    @property
    def here(self) -> str:
        """The path of the project that the simulator began with."""
        return f"/projects/{self.neon.project_id}"

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.http.get(path, params=query)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.http.post(path, json=body)

    async def patch(self, path: str, body: Any) -> httpx.Response:
        return await self.http.patch(path, json=body)

    async def delete(self, path: str) -> httpx.Response:
        return await self.http.delete(path)

    async def new_branch(self, name: str, mark: Mapping[str, str] | None = None, **options: Any) -> Any:
        """Make a branch with a compute, and wait until its operations have finished. Returns the whole answer."""
        body = {"branch": {"name": name, **options}, "endpoints": [{"type": "read_write"}]}
        response = await self.post(f"{self.here}/branches", body | ({"annotation_value": dict(mark)} if mark else {}))
        assert response.status_code == 201, response.text
        await self.neon.chains.settled()
        return response.json()

    async def uri(self, branch_id: str, **query: str) -> str:
        """The connection URI of the branch's first role and database."""
        asked = {"branch_id": branch_id, "role_name": ROLE, "database_name": DATABASE, **query}
        response = await self.get(f"{self.here}/connection_uri", **asked)
        assert response.status_code == 200, response.text
        return str(response.json()["uri"])


@asynccontextmanager
async def client_of(neon: NeonSimulator, *, key: str | None = KEY) -> AsyncIterator[Client]:
    """A client with a key, or without one."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=neon.url, headers=headers, trust_env=False, timeout=30) as http:
        yield Client(http, neon)


def branch_named(neon: NeonSimulator, name: str) -> Branch:
    """The branch as it really is. Raises StopIteration when there is none."""
    return next(branch for branch in neon.world.branches.all_now() if branch.name == name)
