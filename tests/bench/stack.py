"""`stack`: how long a person waits for `claw up` on a machine that has everything, and for its end after Ctrl-C."""

import asyncio
import re
import signal
import time
from dataclasses import dataclass

from tests.bench.figures import Figure, Row, at_most, short
from tests.bench.run import Run
from tests.bench.surroundings import directory
from tests.integration.stack.upping import start_claw

_ROUNDS = 3
_PATIENCE = 60.0
_PROMISED = 10.0
_PART = re.compile(r"(\w+) ready \((\d+\.\d) s\)")


@dataclass(frozen=True)
class Start:
    """One start of everything, in seconds."""

    ready: float
    parts: dict[str, float]
    ended: float
    """From Ctrl-C to the end of the process."""


async def measure(run: Run) -> list[Row]:
    """Up and down, a few times. The directory is empty each time; the binaries are there."""
    starts = []
    for number in range(1, run.count(_ROUNDS) + 1):
        run.tell(f"round {number}")
        starts.append(await _up_and_down())
    ready = Figure.of((start.ready for start in starts), "s")
    slowest = Figure.of((start.parts["kubernetes"] for start in starts), "s")
    ended = Figure.of((start.ended for start in starts), "s")
    return [
        Row("S1", "claw up → ready", ready, f"Kubernetes alone: {slowest}", ready / slowest, at_most(_PROMISED, ready)),
        Row("S2", "its parts, side by side", _parts(starts)),
        Row("S3", "Ctrl-C → no process is left", ended, "", None, at_most(_PROMISED, ended)),
    ]


async def _up_and_down() -> Start:
    async with directory() as path:
        begun = time.monotonic()
        up = await start_claw("up", f"--directory={path / '.claw'}", environment=None, output=asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(_PATIENCE):
                parts = await _parts_until_ready(up)
                ready = time.monotonic()
                up.send_signal(signal.SIGINT)
                await up.communicate()
        finally:
            if up.returncode is None:
                up.terminate()
                await up.communicate()
        return Start(ready - begun, parts, time.monotonic() - ready)


async def _parts_until_ready(up: asyncio.subprocess.Process) -> dict[str, float]:
    """What `claw up` prints until it says that everything is ready: seconds of each part."""
    assert up.stdout is not None
    parts: dict[str, float] = {}
    said = ""
    async for line in up.stdout:
        said = line.decode()
        if found := _PART.match(said):
            parts[found[1]] = float(found[2])
        if said.startswith("ready after"):
            return parts
    raise RuntimeError(f"claw up ended before it was ready: {said}")


def _parts(starts: list[Start]) -> str:
    medians = {part: Figure.of(start.parts[part] for start in starts).median for part in starts[0].parts}
    return ", ".join(
        f"{part} {short(seconds)} s" for part, seconds in sorted(medians.items(), key=lambda part: -part[1])
    )
