"""Which drivers an operator has, by what its environment says."""

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random

import pytest

from claw_operator.external import RateLimited
from claw_operator.external.budget import Budget, Lane
from claw_operator.metrics import Metrics
from claw_operator.providers import connected_drivers, neon_budget, railway_budget
from claw_operator.settings import Settings
from tests.unit.operator.virtual_time import in_virtual_time, now

RAILWAY = {"RAILWAY_TOKEN": "token", "RAILWAY_PROJECT_ID": "project", "CLAWDBOT_REPO": "acme/clawdbot"}
NEON = {"NEON_API_KEY": "key", "NEON_PROJECT_ID": "project"}
LOCAL = {"CLAW_LOCAL_DIRECTORY": "instances"}
POSTGRES = {"CLAW_POSTGRES_ADMIN_URL": "postgresql://admin@db.example/postgres"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in [*os.environ]:
        if name.startswith(("CLAW", "RAILWAY_", "NEON_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    (tmp_path / "kubeconfig").touch()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-house")
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "computes", "databases"),
    [
        (LOCAL | POSTGRES, {"local"}, {"postgres"}),
        (RAILWAY | NEON, {"railway"}, {"neon"}),
        (RAILWAY | NEON | {"NEON_ISOLATION": "project"}, {"railway"}, {"neon"}),
        (RAILWAY | NEON | LOCAL | POSTGRES, {"railway", "local"}, {"neon", "postgres"}),
        (RAILWAY | POSTGRES, {"railway"}, {"postgres"}),
        (LOCAL | NEON, {"local"}, {"neon"}),
    ],
)
async def test_there_is_a_driver_for_everything_that_is_set(
    environment: pytest.MonkeyPatch, variables: Mapping[str, str], computes: set[str], databases: set[str]
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    async with connected_drivers(Settings(), Metrics(), Random(1)) as drivers:
        assert drivers.compute.keys() == computes
        assert drivers.database.keys() == databases
        assert {driver.name for driver in drivers.compute.values()} == computes
        assert {driver.name for driver in drivers.database.values()} == databases


@pytest.mark.parametrize(
    ("budget", "in_a_second", "in_a_window", "window"),
    [
        (partial(railway_budget, 1_000), 10, 1_000, 3_600),
        (partial(railway_budget, 10_000), 50, 10_000, 3_600),
        (partial(neon_budget, 700), 40, 700, 60),
        (partial(railway_budget, 10), 10, 10, 3_600),
    ],
)
def test_a_budget_keeps_below_every_limit_of_its_provider(
    budget: Callable[..., Budget], in_a_second: int, in_a_window: int, window: int
) -> None:
    async def story() -> None:
        calls, times = budget(monotonic=now), []
        for _ in range(in_a_window + 100):
            try:
                await calls.take(Lane.URGENT)
            except RateLimited as refusal:
                await asyncio.sleep(refusal.retry_after)
                await calls.take(Lane.URGENT)
            times.append(now())
        for seconds, most in ((1, in_a_second), (window, in_a_window)):
            spans = zip(times, times[most:], strict=False)
            assert all(last - first >= seconds - 1e-6 for first, last in spans), f"more than {most} in {seconds} s"

    in_virtual_time(story())
