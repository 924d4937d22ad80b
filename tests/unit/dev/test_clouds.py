"""What the operator of a stack is told of its providers, and what a person has to agree to."""

from pathlib import Path

import pytest
from rich.console import Console

from claw_dev import clouds
from claw_dev.agreement import agreed_environment
from claw_dev.errors import StackError
from claw_dev.parts import Providers
from claw_operator.settings import Settings

MINE = {
    "RAILWAY_TOKEN": "rw-token",
    "RAILWAY_PROJECT_ID": "rw-project",
    "NEON_API_KEY": "napi_key",
    "NEON_PROJECT_ID": "neon-project",
    "CLAWDBOT_REPO": "acme/clawdbot",
    "ANTHROPIC_API_KEY": "sk-ant-real",
    "AWS_SECRET_ACCESS_KEY": "not ours",
}
SIMULATED = clouds.SimulatedClouds("http://127.0.0.1:1", "http://127.0.0.1:2", "token", "key")


def test_the_simulated_clouds_show_no_secrets() -> None:
    assert "token" not in repr(SIMULATED).replace("railway_token", "")
    assert "key" not in repr(SIMULATED).replace("neon_key", "")


def test_every_variable_of_the_simulated_clouds_is_one_that_the_operator_reads() -> None:
    known = {field.alias for field in Settings.model_fields.values()}

    assert set(SIMULATED.environment()) <= known
    assert set(clouds.local_environment(Path("instances"), "postgresql://p")) <= known


def test_the_real_clouds_get_what_is_theirs_and_nothing_else() -> None:
    told = clouds.cloud_environment(MINE)

    assert told["RAILWAY_TOKEN"] == "rw-token"
    assert told["CLAW_COMPUTE_DRIVER"] == "railway"
    assert "AWS_SECRET_ACCESS_KEY" not in told


@pytest.mark.parametrize("name", ["RAILWAY_TOKEN", "NEON_API_KEY", "NEON_PROJECT_ID", "CLAWDBOT_REPO"])
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(StackError, match=name):
        clouds.cloud_environment({key: value for key, value in MINE.items() if key != name})


def test_a_project_for_each_customer_needs_no_project() -> None:
    given = {**MINE, "NEON_ISOLATION": "project"}
    del given["NEON_PROJECT_ID"]

    assert clouds.cloud_environment(given)["NEON_ISOLATION"] == "project"
    assert any("project of its own" in line for line in clouds.bill(given))


def test_nothing_that_costs_money_begins_without_a_yes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in MINE.items()))
    for name in MINE:
        monkeypatch.delenv(name, raising=False)
    console = Console(record=True, width=200)

    with pytest.raises(StackError, match="agree"):
        agreed_environment(Providers.CLOUD, console, yes=False)

    shown = console.export_text()
    assert "rw-project" in shown
    assert "neon-project" in shown
    assert "rw-token" not in shown
    assert agreed_environment(Providers.CLOUD, console, yes=True)["RAILWAY_TOKEN"] == "rw-token"
