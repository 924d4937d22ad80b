"""A Neon driver on a simulated Neon, impatient enough for tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import httpx
import pytest

from claw_dev.simulators.neon.records import Branch, Endpoint
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_operator.external import Owner, Transient
from claw_operator.external.budget import Budget
from claw_operator.external.http import Api
from claw_operator.external.neon import NeonDriver
from claw_operator.external.neon.options import Isolation, NeonOptions
from tests.contract.neon_world import KEY

T = TypeVar("T")

UNTIL = datetime(2027, 1, 15, 12, 30, tzinfo=UTC)
BRANCH, PROJECT = Isolation.BRANCH, Isolation.PROJECT
both = pytest.mark.parametrize("isolation", list(Isolation))


@asynccontextmanager
async def operating(neon: NeonSimulator, isolation: Isolation = BRANCH, **options: Any) -> AsyncIterator[NeonDriver]:
    """The driver of one operator."""
    project = neon.project_id if isolation is BRANCH else None
    async with operating_at(neon.url, isolation=isolation, project_id=project, **options) as driver:
        yield driver


@asynccontextmanager
async def operating_at(url: str, **options: Any) -> AsyncIterator[NeonDriver]:
    """The driver of one operator, for whatever serves at that address."""
    quick: dict[str, Any] = {
        "poll_seconds": 0.005,
        "settle_seconds": 0.05,
        "locked_pause_seconds": (0.005, 0.02),
        "operations_seconds": 5.0,
        "patience_seconds": 5.0,
    }
    async with httpx.AsyncClient(trust_env=False) as session:
        budget = Budget("Neon", per_second=10_000, burst=10_000)
        api = Api(session, budget, provider="neon", random=Random(1).random, timeout=5)
        chosen = NeonOptions(**{"key": KEY, "url": url, **quick, **options})
        async with aclosing(NeonDriver(api, chosen, random=Random(2).random)) as driver:
            yield driver


async def in_the_end(call: Callable[[], Awaitable[T]]) -> T:
    """What a loop does: repeat what may work next time. Two repetitions are enough for one fault."""
    for _ in range(2):
        try:
            return await call()
        except Transient:
            pass
    return await call()


async def is_gone(driver: NeonDriver, owner: Owner) -> bool:
    return await driver.observe(owner) is None


def customers_branches(neon: NeonSimulator) -> list[Branch]:
    """Every branch that some owner's mark is on, as it really is."""
    return [branch for branch in neon.world.branches.all_now() if branch.annotation]


def endpoint_of(neon: NeonSimulator, branch: Branch) -> Endpoint:
    """The one endpoint of the branch, as it really is."""
    (endpoint,) = neon.world.endpoints_of(branch.id)
    return endpoint
