"""The operator as a process of its own, which can be killed at any moment."""

import signal
import sys
from collections.abc import Mapping
from random import Random

from claw_dev.ports import LOOPBACK, free_port
from claw_dev.probes import answers
from claw_dev.processes import Process, Processes, Program


class OperatorProcess:
    """`python -m claw_operator` with these settings, one life after the other."""

    def __init__(self, processes: Processes, name: str, environment: Mapping[str, str]) -> None:
        self._processes = processes
        self._name = name
        self._environment = environment
        self._process: Process | None = None
        self.lives = 0

    async def start(self) -> None:
        """Begin another life; returns when it is ready."""
        if self._process is not None:
            await self._process.wait()
        port = free_port(Random())
        environment = {**self._environment, "HOST": LOOPBACK, "PORT": str(port)}
        program = Program(self._name, (sys.executable, "-m", "claw_operator"), environment)
        self._process = await self._processes.start(program, answers(f"http://{LOOPBACK}:{port}/healthz"))
        self.lives += 1

    def kill(self) -> None:
        """SIGKILL: no time for anything."""
        assert self._process is not None
        self._process.signal(signal.SIGKILL)

    async def stop(self) -> None:
        """End it if it runs."""
        await self._processes.stop(self._name)

    def last_words(self) -> str:
        """The end of its log."""
        return self._process.last_words() if self._process is not None else ""
