"""`make demo` is the product's promise; it is played here as a person plays it."""

import asyncio
import os
import re
import sys
from pathlib import Path

import psutil
import pytest


async def play(directory: Path, *options: str) -> tuple[int | None, str]:
    """The exit code and everything that was printed."""
    environment = {name: value for name, value in os.environ.items() if name != "ANTHROPIC_API_KEY"}
    program = (sys.executable, "-m", "claw_dev", "demo", "--directory", str(directory / ".claw"), *options)
    child = await asyncio.create_subprocess_exec(
        *program, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await child.communicate()
    return child.returncode, output.decode()


async def test_the_demo_holds_and_leaves_no_process(tmp_path: Path) -> None:
    code, told = await play(tmp_path)

    assert code == 0, told
    assert len(re.findall(r"^✓", told, re.MULTILINE)) == 15, told
    assert "✗" not in told
    assert re.search(r"event received → chat answered\s+\d+\.\d\d s", told)
    assert _mentioning(str(tmp_path)) == []


@pytest.mark.timeout(300)
async def test_the_demo_holds_with_simulated_clouds_and_shows_what_was_waited_for(tmp_path: Path) -> None:
    code, told = await play(tmp_path, "--providers", "simulated")

    assert code == 0, told
    assert len(re.findall(r"^✓", told, re.MULTILINE)) == 15, told
    assert re.search(r"Neon +branch with compute +\d", told)
    assert re.search(r"Railway +deployment and start +\d", told)
    assert _mentioning(str(tmp_path)) == []


def _mentioning(directory: str) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if directory in line and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
            found.append(line)
    return found
