"""Which drivers an operator has, by what its environment says."""

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from claw_operator.metrics import Metrics
from claw_operator.providers import connected_drivers
from claw_operator.settings import Settings

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
