"""What `claw doctor` finds."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from claw_dev.doctor import Finding, Verdict, examine
from claw_dev.lock import StackLock


async def finding(subject: str, directory: Path, environment: Mapping[str, str]) -> Finding:
    (found,) = (one for one in await examine(directory, environment) if one.subject == subject)
    return found


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """A machine with empty caches and no Go."""
    return {"HOME": str(tmp_path), "PATH": ""}


async def test_this_machine_has_what_can_be_installed(directory: Path, machine: dict[str, str]) -> None:
    findings = await examine(directory, machine)

    assert [one for one in findings if one.verdict is Verdict.MISSING] == []


async def test_a_control_plane_that_must_be_built_is_announced(directory: Path, machine: dict[str, str]) -> None:
    found = await finding("Kubernetes", directory, machine)

    assert found.verdict is Verdict.NOTE
    assert "builds it with Go from PyPI" in found.detail
    assert "about five minutes, once" in found.detail


async def test_a_named_cluster_that_is_not_there_is_missing(directory: Path, machine: dict[str, str]) -> None:
    found = await finding("Kubernetes", directory, machine | {"CLAW_DEV_KUBECONFIG": "/nowhere"})

    assert found.verdict is Verdict.MISSING
    assert "/nowhere" in found.detail


async def test_a_named_server_that_is_not_there_is_missing_and_its_password_not_shown(
    directory: Path, machine: dict[str, str]
) -> None:
    named = {"CLAW_DEV_DATABASE_URL": "postgresql://admin:canary@127.0.0.1:1/postgres"}

    found = await finding("PostgreSQL", directory, machine | named)

    assert found.verdict is Verdict.MISSING
    assert "127.0.0.1:1" in found.detail
    assert "canary" not in str(found)


@pytest.mark.parametrize("name", ["KUBECONFIG", "DATABASE_URL"])
async def test_what_might_be_production_is_not_used_and_the_person_is_told(
    directory: Path, machine: dict[str, str], name: str
) -> None:
    found = await finding(name, directory, machine | {name: "production"})

    assert found.verdict is Verdict.NOTE
    assert "not used" in found.detail


async def test_a_key_that_costs_money_is_mentioned_and_not_shown(directory: Path, machine: dict[str, str]) -> None:
    found = await finding("Claude", directory, machine | {"ANTHROPIC_API_KEY": "sk-ant-canary"})

    assert found.verdict is Verdict.NOTE
    assert "cost money" in found.detail
    assert "canary" not in str(found)


async def test_a_stack_that_runs_here_is_mentioned(directory: Path, machine: dict[str, str]) -> None:
    with StackLock(directory):
        found = await finding("this folder", directory, machine)

    assert found.verdict is Verdict.NOTE
    assert "a stack runs here" in found.detail


async def test_looking_changes_nothing(directory: Path, tmp_path: Path, machine: dict[str, str]) -> None:
    await examine(directory, machine)

    assert os.listdir(tmp_path) == []
