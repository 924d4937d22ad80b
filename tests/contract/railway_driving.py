"""A Railway driver on a simulated Railway, impatient enough for tests."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any

import httpx

from claw_dev.simulators.railway.records import Deployment, Instance, Status
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_operator.external import ComputeState, DesiredCompute, ObservedCompute, Owner, Size, Transient
from claw_operator.external.budget import Budget
from claw_operator.external.http import Api
from claw_operator.external.railway import RailwayDriver, RailwayOptions
from tests.contract.owners import new_owner
from tests.eventually import eventually

IMAGE = "registry.example/clawdbot:1"
POLL, SETTLE = 0.02, 0.15


def options_for(railway: RailwaySimulator, **others: Any) -> RailwayOptions:
    """How the driver is told of the simulator."""
    options = RailwayOptions(
        url=railway.url,
        token=railway.token.secret,
        token_kind=railway.token.kind.value,
        project_id=railway.project.id,
        domain_scheme="http",
        poll_seconds=POLL,
        settle_seconds=SETTLE,
    )
    return replace(options, **others)


@asynccontextmanager
async def driver_on(
    railway: RailwaySimulator,
    *,
    seconds: float = 5.0,
    monotonic: Callable[[], float] = time.monotonic,
    **others: Any,
) -> AsyncIterator[RailwayDriver]:
    """A driver with an account of its own; `seconds` is how long it waits for an answer."""
    budget = Budget("Railway", per_second=10_000, burst=10_000)
    async with httpx.AsyncClient() as session:
        random = Random(7).random
        api = Api(session, budget, provider="railway", random=random, timeout=seconds)
        driver = RailwayDriver(api, options_for(railway, **others), random=random, monotonic=monotonic)
        async with aclosing(driver):
            yield driver


def wanted(owner: Owner | None = None, **others: Any) -> DesiredCompute:
    """A compute that runs the image, unless told otherwise."""
    desired = DesiredCompute(
        owner=owner or new_owner(),
        size=Size(cpu_millis=500, memory_bytes=512 * 2**20),
        image=IMAGE,
        variables={"DATABASE_URL": "postgresql://somebody:secret@db.example/claw"},
    )
    return replace(desired, **others)


async def running(driver: RailwayDriver, desired: DesiredCompute) -> ObservedCompute:
    """Make it and wait until it runs."""
    await driver.create(desired)
    await driver.deploy(desired)
    return await until(driver, desired.owner, ComputeState.RUNNING)


async def one_pass(driver: RailwayDriver, desired: DesiredCompute) -> bool:
    """The loop in small: look, do the next thing that is missing, and say whether it runs."""
    observed = await driver.observe(desired.owner)
    if observed is None:
        observed = await driver.create(desired)
    if observed.fingerprint != desired.fingerprint:
        observed = await driver.deploy(desired)
    return observed.state is ComputeState.RUNNING


async def provisioned(driver: RailwayDriver, desired: DesiredCompute) -> None:
    """Pass after pass until it runs, whatever goes wrong on the way."""

    async def runs() -> bool:
        try:
            return await one_pass(driver, desired)
        except Transient:
            return False

    await eventually(runs)


async def until(driver: RailwayDriver, owner: Owner, state: ComputeState) -> ObservedCompute:
    """What is observed once it is in that state."""

    async def is_so() -> ObservedCompute | None:
        observed = await driver.observe(owner)
        return observed if observed is not None and observed.state is state else None

    found = await eventually(is_so, describe=lambda: driver.observe(owner))
    assert found is not None
    return found


async def gone(driver: RailwayDriver, owner: Owner) -> None:
    """Delete until nothing is seen any more, as the loop does."""

    async def is_gone() -> bool:
        try:
            await driver.delete(owner)
            return await driver.observe(owner) is None
        except Transient:
            return False

    await eventually(is_gone)


def service_of(railway: RailwaySimulator, owner: Owner) -> Instance:
    """The owner's service as it really is."""
    return railway.services[owner.external_name]


def deployments_of(railway: RailwaySimulator, owner: Owner) -> list[Status]:
    """What became of all its deployments, the oldest first."""
    service = service_of(railway, owner).service
    return [one.status for one in railway.world.ever(Deployment) if one.service_id == service.id]


def writes(railway: RailwaySimulator) -> list[str]:
    """The names of all changes that were asked for."""
    return [call.operation for call in railway.calls if call.writes]
