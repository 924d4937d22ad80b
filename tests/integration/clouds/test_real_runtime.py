"""The same with nothing simulated but the providers: real runtimes in real databases, and a customer who uses one."""

import sys
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from claw_crds import naming
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.railway.pace import Pace
from claw_dev.simulators.railway.simulator import RailwaySimulator
from tests.contract.neon_world import ROLE, simulated_neon
from tests.eventually import eventually
from tests.integration.clouds.clouds import Clouds
from tests.integration.operator.conftest import Object

PATIENCE = 60.0
"""Seconds: a process takes a few to come up, and more on a busy machine."""
BELLO = "Ada's dog is called Bello."


@pytest.fixture
async def railway() -> AsyncIterator[RailwaySimulator]:
    """A Railway that runs the real runtime."""
    pace = Pace.quick().but(health_timeout=PATIENCE)
    command = (sys.executable, "-m", "claw_runtime")
    async with RailwaySimulator(runtimes="process", command=command, pace=pace) as railway:
        yield railway


@pytest.fixture
async def neon(postgres_url: str) -> AsyncIterator[NeonSimulator]:
    """A Neon whose branches are real databases."""
    async with simulated_neon(postgres_url=postgres_url) as neon:
        yield neon


class Customer:
    """Somebody who knows an instance's key, and asks where it is now."""

    def __init__(self, clouds: Clouds, name: str) -> None:
        self._clouds = clouds
        self._name = name

    async def remembers(self, what: str) -> None:
        """Let the assistant remember it."""
        async with await self._at_home() as home:
            (await home.post("/api/memory", json={"content": what})).raise_for_status()

    async def is_told(self, question: str) -> Sequence[str]:
        """What the assistant finds in its memory; nothing while it cannot be reached or cannot look."""
        try:
            async with await self._at_home() as home:
                answer = await home.get("/api/memory/search", params={"q": question})
        except httpx.HTTPError:
            return ()
        return [found["content"] for found in answer.json()["memories"]] if answer.status_code == 200 else ()

    async def _at_home(self) -> httpx.AsyncClient:
        key = await self._clouds.api_key(self._name)
        url: str = (await self._clouds.get(self._name))["status"]["url"]
        return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=10)


async def ada_with_a_dog(clouds: Clouds) -> tuple[Object, Customer]:
    """An instance that is available and whose assistant was told something."""
    await clouds.apply("ada")
    instance = await clouds.until_reason("ada", "Available", PATIENCE)
    customer = Customer(clouds, "ada")
    await customer.remembers(BELLO)
    return instance, customer


async def test_a_deleted_service_costs_no_memory(clouds: Clouds) -> None:
    async with clouds.running():
        ada, customer = await ada_with_a_dog(clouds)
        await clouds.railway.hand.delete(clouds.service(ada).service.name)

        async def knows_the_dog() -> bool:
            return await customer.is_told("dog") == [BELLO]

        await eventually(lambda: clouds.made()["services created"] == 2, PATIENCE)
        await eventually(knows_the_dog, PATIENCE)
        again = await clouds.until_reason("ada", "Available", PATIENCE)
        assert again["status"]["url"] != ada["status"]["url"]
        await clouds.delete("ada")
        await clouds.gone("ada", PATIENCE)
    assert clouds.services() == clouds.branches() == set()


async def test_a_password_that_somebody_changed_opens_nothing_for_long_and_costs_no_memory(clouds: Clouds) -> None:
    async with clouds.running():
        ada, customer = await ada_with_a_dog(clouds)
        branch = clouds.branch(ada).id
        async with clouds.person_at_neon() as person:
            changed = await person.post(f"{person.here}/branches/{branch}/roles/{ROLE}/reset_password")
        theirs = changed.json()["role"]["password"]
        await eventually(lambda: clouds.neon.lets_in(branch, ROLE, theirs), PATIENCE)

        async def knows_the_dog_by_another_password() -> bool:
            # The customer's own question is what meets the closed door: nothing else wakes a database at rest.
            found = await customer.is_told("dog")
            return found == [BELLO] and not clouds.neon.lets_in(branch, ROLE, theirs)

        await eventually(knows_the_dog_by_another_password, PATIENCE)
        await clouds.until_reason("ada", "Available", PATIENCE)
        secret = await clouds.secret("ada")
        assert clouds.service(ada).variables["DATABASE_URL"] == secret[naming.SECRET_DATABASE_URL]
    assert clouds.made()["branches created"] == clouds.made()["services created"] == 1
