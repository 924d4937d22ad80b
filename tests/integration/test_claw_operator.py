"""`claw-operator` alone: environment variables, a kubeconfig, and the addresses of two providers. Nothing of the stack.

The runtime is the real one, in a process that the simulated Railway starts, on a database that the simulated Neon made.
"""

import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from claw_crds import naming
from claw_dev.cluster import ControlPlane
from claw_dev.kubectl import Kubectl
from claw_dev.ports import LOOPBACK, free_port
from claw_dev.probes import answers
from claw_dev.processes import Processes, Program
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.railway.simulator import RailwaySimulator
from tests.contract.neon_world import KEY, simulated_neon
from tests.contract.railway_world import TOKEN
from tests.eventually import eventually

NAME = "alone"
PATIENCE = 45.0
"""Seconds for the slowest wish: the runtime has to start as a process, and backoffs may pass."""


@dataclass
class Alone:
    """An operator and the two providers that it was told of."""

    kubectl: Kubectl
    namespace: str
    railway: RailwaySimulator
    neon: NeonSimulator

    async def instance(self) -> Any:
        """The instance as the API server has it; None when it is gone."""
        shown = await self.kubectl.run(
            "-n", self.namespace, "get", "clawinstance", NAME, "--ignore-not-found", "-o", "json"
        )
        return json.loads(shown) if shown.strip() else None

    async def is_ready(self) -> bool:
        """Whether the assistant answers."""
        status = (await self.instance()).get("status", {})
        conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
        return conditions.get("Ready") == "True"

    async def describe(self) -> str:
        """What to show when it does not come true."""
        return json.dumps((await self.instance() or {}).get("status", {}), indent=1)


@asynccontextmanager
async def claw_operator(processes: Processes, environment: dict[str, str]) -> AsyncIterator[None]:
    """The console script until the block ends."""
    port = free_port(Random())
    program = Program(
        "claw-operator-alone",
        (str(Path(sys.executable).with_name("claw-operator")),),
        environment | {"HOST": LOOPBACK, "PORT": str(port)},
    )
    await processes.start(program, answers(f"http://{LOOPBACK}:{port}/healthz"))
    try:
        yield
    finally:
        await processes.stop(program.name)


@pytest.fixture
async def alone(
    processes: Processes,
    control_plane: ControlPlane,
    kubectl: Kubectl,
    namespace: str,
    postgres_url: str,
    tmp_path: Path,
) -> AsyncIterator[Alone]:
    """An operator with nothing but the variables that a person sets."""
    # In a directory of its own: a runtime mirrors the workspace to where it is started.
    runtime = ("env", "-C", str(tmp_path), sys.executable, "-m", "claw_runtime")
    async with (
        RailwaySimulator(token=TOKEN, runtimes="process", command=runtime) as railway,
        simulated_neon(postgres_url=postgres_url) as neon,
    ):
        environment = {
            "KUBECONFIG": str(control_plane.kubeconfig),
            "CLAW_NAMESPACE": namespace,
            "RAILWAY_API_URL": railway.url,
            "RAILWAY_DOMAIN_SCHEME": "http",
            "RAILWAY_POLL_SECONDS": "0.1",
            "RAILWAY_CALLS_PER_HOUR": "100000",
            "NEON_API_URL": neon.url,
            "RAILWAY_TOKEN": TOKEN,
            "RAILWAY_PROJECT_ID": railway.project.id,
            "CLAWDBOT_REPO": "acme/clawdbot",
            "NEON_API_KEY": KEY,
            "NEON_PROJECT_ID": neon.project_id,
            "ANTHROPIC_API_KEY": "sk-nobody-asks-for-it",
            "CLAW_RESYNC_SECONDS": "1",
            "CLAW_SHUTDOWN_SECONDS": "2",
        }
        async with claw_operator(processes, environment):
            yield Alone(kubectl, namespace, railway, neon)


async def test_an_instance_lives_and_its_database_may_refuse_it_meanwhile(alone: Alone, postgres_url: str) -> None:
    manifest = {
        "apiVersion": "claw.dev/v1alpha1",
        "kind": "ClawInstance",
        "metadata": {"name": NAME, "namespace": alone.namespace},
        "spec": {"customer": {"id": "cus_1", "email": "ada@example.com"}, "planRef": {"name": "pro"}},
    }
    await alone.kubectl.apply([manifest])
    await eventually(alone.is_ready, PATIENCE, alone.describe)
    instance = await alone.instance()
    url, uid = instance["status"]["url"], instance["metadata"]["uid"]
    assert list(alone.railway.services) == [naming.external_name(uid)]

    await somebody_changes_the_password(postgres_url, await database_url(alone))
    async with httpx.AsyncClient(trust_env=False, timeout=20) as customer:

        async def is_served() -> bool:
            # Asks the database, which is how the runtime learns that it is refused.
            return (await customer.get(f"{url}/ready")).status_code == 200

        async def is_refused() -> bool:
            return not await is_served()

        await eventually(is_refused, PATIENCE, alone.describe)
        await eventually(is_served, PATIENCE, alone.describe)
    await eventually(alone.is_ready, PATIENCE, alone.describe)

    await alone.kubectl.run("-n", alone.namespace, "delete", "clawinstance", NAME, "--wait=false")

    async def is_gone() -> bool:
        return await alone.instance() is None

    await eventually(is_gone, PATIENCE, alone.describe)
    assert alone.railway.services == {}
    assert [branch.name for branch in alone.neon.world.branches.all_now()] == ["main"]


async def database_url(alone: Alone) -> str:
    secret = await alone.kubectl.get("secret", naming.credentials_secret_name(NAME), "-n", alone.namespace)
    return base64.b64decode(secret["data"][naming.SECRET_DATABASE_URL]).decode()


async def somebody_changes_the_password(admin_url: str, database_url: str) -> None:
    """Behind everybody's back, and so that no open session hides it."""
    role = str(conninfo_to_dict(database_url)["user"])
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as session:
        await session.execute(sql.SQL("ALTER ROLE {} PASSWORD 'guessed'").format(sql.Identifier(role)))
        await session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
