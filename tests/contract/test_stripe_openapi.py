"""Where Stripe's description of its API comes from, and what a machine says that cannot have it."""

import json
from pathlib import Path

import pytest

from claw_dev.errors import StackError
from claw_dev.stripe_openapi import HASH, MODULE, VERSION, stripe_openapi
from tests.contract.stripe_description import stripe_description

_GO = """#!/bin/sh
case "$*" in
    "env GOVERSION") echo go1.26.0 ;;
    *"mod download -json {module}@{version}") cat {told} && exit {status} ;;
    *) echo "unexpected: $*" >&2; exit 64 ;;
esac
"""


def machine(directory: Path, told: dict[str, str], *, status: int = 0) -> dict[str, str]:
    """The environment of a machine whose Go tells this of the download."""
    story = directory / "told.json"
    story.write_text(json.dumps(told))
    go = directory / "bin" / "go"
    go.parent.mkdir()
    go.write_text(_GO.format(module=MODULE, version=VERSION, told=story, status=status))
    go.chmod(0o755)
    return {"PATH": f"{go.parent}:/usr/bin:/bin", "HOME": str(directory), "XDG_CACHE_HOME": str(directory / "cache")}


def offline(directory: Path) -> dict[str, str]:
    """A machine whose Go reaches nobody."""
    return machine(directory, {"Error": "dial tcp: lookup of the module's host: no such host"}, status=1)


async def test_the_document_is_downloaded_once(tmp_path: Path) -> None:
    module = tmp_path / "module" / "embedded" / "openapi"
    module.mkdir(parents=True)
    (module / "spec3.json").write_text('{"openapi": "3.0.0"}')
    environment = machine(tmp_path, {"Dir": str(tmp_path / "module"), "Sum": HASH})
    reports: list[str] = []
    first = await stripe_openapi(environment, reports.append)
    again = await stripe_openapi({**environment, "PATH": "/nowhere"}, reports.append)
    assert first == again
    assert json.loads(first.read_text()) == {"openapi": "3.0.0"}
    assert reports == ["downloading Stripe's OpenAPI"]
    assert tmp_path / "cache" in first.parents


async def test_a_module_with_another_hash_is_not_used(tmp_path: Path) -> None:
    environment = machine(tmp_path, {"Dir": str(tmp_path), "Sum": "h1:somethingelse="})
    with pytest.raises(StackError, match="is not what it was: h1:somethingelse="):
        await stripe_openapi(environment, lambda line: None)
    assert not (tmp_path / "cache" / "stripe-openapi").exists()


async def test_without_a_network_the_comparison_is_left_out_and_in_ci_it_fails(tmp_path: Path) -> None:
    environment = offline(tmp_path)
    with pytest.raises(pytest.skip.Exception, match=r"nobody compared the simulator .* could not download"):
        await stripe_description(environment)
    with pytest.raises(pytest.fail.Exception, match="no such host"):
        await stripe_description({**environment, "CI": "true"})
