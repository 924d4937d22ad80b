"""A real Kubernetes API and a real PostgreSQL for every test that asks for one, from the stack's own modules."""

import os
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from claw_dev import postgres
from claw_dev.cluster import ControlPlane
from claw_dev.controlplane import control_plane_binaries
from claw_dev.installation import install_api
from claw_dev.kubectl import Kubectl
from claw_dev.processes import Processes
from claw_dev.stack import Stack


@pytest.fixture(scope="session")
async def processes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Processes]:
    """The programs of this test run, in a directory of their own; none is left at its end, however that comes."""
    async with Processes(tmp_path_factory.mktemp("claw")) as running:
        yield running


@pytest.fixture(scope="session")
async def control_plane(processes: Processes) -> AsyncIterator[ControlPlane]:
    """etcd, kube-apiserver and kube-controller-manager, with the CRDs and the default plans."""
    binaries = await control_plane_binaries(os.environ, lambda line: print(line, file=sys.stderr))
    cluster = ControlPlane(processes.directory, binaries, processes, random=Random())
    await cluster.start()
    # Before the controllers: garbage collection knows the kinds that are there when it starts.
    await install_api(cluster.kubectl)
    await cluster.start_controllers()
    yield cluster
    await cluster.stop()


@pytest.fixture(scope="session")
async def claw_api(control_plane: ControlPlane) -> ControlPlane:
    """A control plane that knows ClawInstances and has the default plans."""
    return control_plane


@pytest.fixture(scope="session")
async def kubectl(control_plane: ControlPlane) -> Kubectl:
    """kubectl as the control plane's administrator."""
    return control_plane.kubectl


@pytest.fixture
async def namespace(kubectl: Kubectl) -> AsyncIterator[str]:
    """A fresh namespace. It is told to go afterwards; what has finalizers in it stays with the control plane."""
    name = f"test-{secrets.token_hex(4)}"
    await kubectl.run("create", "namespace", name)
    yield name
    await kubectl.run("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
async def postgres_url(processes: Processes) -> AsyncIterator[str]:
    """A real PostgreSQL's address as its superuser."""
    server = postgres.Postgres(processes.directory, processes, random=Random())
    await server.start()
    yield server.url
    await processes.stop("postgres")


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """The address of a fresh, empty database."""
    name = f"test_{secrets.token_hex(4)}"
    yield await postgres.create_database(postgres_url, name)
    await postgres.drop_database(postgres_url, name)


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A whole local stack with simulators, operator and webhook service, for everything that asks for it."""
    # Nothing of the person's: with a key in the environment, tests would talk to the real Claude.
    kept = ("PATH", "HOME", "XDG_CACHE_HOME", "KUBEBUILDER_ASSETS")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    async with Stack(tmp_path_factory.mktemp("stack") / ".claw", environment=environment) as running:
        yield running


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An empty directory for one stack."""
    return tmp_path / ".claw"
