"""The runtime's API, called by a program that has read its OpenAPI document and means no good."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.world import TOKEN, Runtime

CALLS = 5_000
EXAMPLES = 130
"""For each operation, at most; beside those that try each rule of the document in turn."""
SECONDS = 240.0
# What holds for every API. The document itself is held against every answer of every other test too; see world.py.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.timeout(2 * SECONDS)
async def test_no_call_of_thousands_is_an_error_of_ours(runtime: Runtime, tmp_path: Path) -> None:
    output, report = await fuzzed(runtime, runtime.key, "^/", tmp_path)

    assert report["failures"] == [], told(output)
    assert report["errors"] == [], told(output)
    assert report["operations"]["tested"] == report["operations"]["total"]
    assert report["test_cases"]["generated"] >= CALLS
    assert (await runtime.get("/health", bearer=None)).status == 200
    await runtime.post("/api/skills/chat/enable")  # which may have been disabled: that, too, can be called
    assert (await runtime.chat("Still there?")).status == 200


async def test_nor_is_any_call_of_an_operator_that_lost_its_mind(runtime: Runtime, tmp_path: Path) -> None:
    output, report = await fuzzed(runtime, TOKEN, "^/internal/", tmp_path)

    assert report["failures"] == [], told(output)
    assert report["errors"] == [], told(output)
    await runtime.configure()
    assert (await runtime.chat("Still there?")).status == 200


def told(output: str) -> str:
    """What schemathesis has against us, with the requests that show it."""
    return re.split(r"=+ (?:FAILURES|ERRORS) =+", output, maxsplit=1)[-1][:20_000]


async def fuzzed(runtime: Runtime, bearer: str, paths: str, directory: Path) -> tuple[str, Any]:
    """What schemathesis prints, and its report."""
    path = directory / "report.json"
    child = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{runtime.url}/openapi.json"),
        *("--include-path-regex", paths, "--header", f"Authorization: Bearer {bearer}", "--checks", CHECKS),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1", "--no-shrink"),
        *("--generation-database", "none", "--suppress-health-check", "all", "--continue-on-failure", "--no-color"),
        *("--workers", "1", "--request-timeout", "20", "--warnings", "off"),
        *("--report", "json", "--report-json-path", str(path)),
        cwd=directory,
        # Without CI, in which it would choose other cases: everybody shall see the same ones.
        env={name: value for name, value in os.environ.items() if name != "CI"}
        | {"SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("fuzzing.py"))},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output = (await child.communicate())[0].decode()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return output, json.loads(path.read_text())
