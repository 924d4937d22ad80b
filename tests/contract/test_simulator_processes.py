"""The simulators as programs of their own."""

import asyncio
import re
import signal
import sys

import httpx
import pytest


@pytest.mark.parametrize(
    "command",
    [
        ("claw_dev.simulators.stripe", "--webhook-url=http://127.0.0.1:9/", "--webhook-secret=whsec_x", "--seed=1"),
        ("claw_dev.simulators.claude", "--api-key=sk-ant-x"),
        ("claw_dev.simulators.neon", "--seed=1"),
        ("claw_dev.simulators.railway", "--pace=quick", "--runtimes=stand-in", "--token=x", "--project=p", "--seed=1"),
    ],
    ids=lambda command: command[0].rpartition(".")[2],
)
async def test_a_simulator_tells_where_it_is_and_stops_when_told_to(command: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        announced = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        found = re.search(r"at (http://\S+\d)", announced)
        assert found, announced
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(found[1] + "/healthz")).json() == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
