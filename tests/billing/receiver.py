"""The webhook service as a process, and its endpoint as Stripe sees it: killed after an answer, and up again."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

import aiohttp

from claw_dev.ports import LOOPBACK, free_port
from claw_dev.probes import answers
from claw_dev.processes import Process, Processes, Program
from claw_dev.simulators.stripe.signature import sign
from tests.billing.clock import SharedClock
from tests.billing.network import Delivery, Kind

SECRET = "whsec_current"
_ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0
_PAUSE = 0.05
_STALE_SECONDS = (301, 7 * 24 * 3600)
"""Between just beyond the tolerance and a week."""


class Receiver:
    """One life of the service after the other, behind one address. `random` says how old what is stale is."""

    def __init__(
        self,
        processes: Processes,
        client: aiohttp.ClientSession,
        environment: Mapping[str, str],
        *,
        clock: SharedClock,
        clock_file: Path,
        random: Random,
    ) -> None:
        self._processes = processes
        self._client = client
        port = free_port(Random())
        self._url = f"http://{LOOPBACK}:{port}"
        self._program = Program(
            name=f"billing-{port}",
            argv=(sys.executable, "-m", "tests.billing.service", str(clock_file)),
            environment={**environment, "HOST": LOOPBACK, "PORT": str(port), "PYTHONPATH": str(_ROOT)},
        )
        self._clock = clock
        self._random = random
        self._process: Process | None = None
        self._up = asyncio.Event()
        self.kills = 0
        self.answers: Counter[tuple[Kind, int]] = Counter()
        """How often which kind of delivery got which answer, not counting 503 and connections that broke."""
        self.acknowledged: set[str] = set()
        """Ids of events of which a delivery was answered 200."""

    async def start(self) -> None:
        """Begin a life; returns when it is ready."""
        self._process = await self._processes.start(self._program, answers(f"{self._url}/readyz"))
        self._up.set()

    async def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self._up.clear()
        await self._processes.stop(self._program.name)

    async def kill(self) -> None:
        """SIGKILL, and start it again at once. Without effect while another kill is under way."""
        if not self._up.is_set() or self._process is None:
            return
        self._up.clear()
        self._process.signal(signal.SIGKILL)
        await self._process.wait()
        self.kills += 1
        await self.start()

    @property
    def log(self) -> Path:
        """What all its lives have written."""
        assert self._process is not None
        return self._process.log

    async def deliver(self, delivery: Delivery) -> int:
        """Bring it, again and again until the answer is final. Returns its status.

        Raises TimeoutError when that takes too long.
        """
        async with asyncio.timeout(_PATIENCE):
            while True:
                await self._up.wait()
                status = await self._post(delivery)
                if status is not None and status != 503:
                    break
                await asyncio.sleep(_PAUSE)
        self.answers[delivery.kind, status] += 1
        if status == 200:
            self.acknowledged.add(delivery.event)
        return status

    async def _post(self, delivery: Delivery) -> int | None:
        headers = {"Stripe-Signature": self._signature(delivery), "Content-Type": "application/json; charset=utf-8"}
        try:
            async with self._client.post(
                f"{self._url}/webhooks/stripe", data=delivery.body, headers=headers
            ) as response:
                await response.read()
                return response.status
        except aiohttp.ClientError:
            return None  # killed while it answered: whether it stored the event nobody knows

    def _signature(self, delivery: Delivery) -> str:
        moment = int(self._clock.now().timestamp())
        match delivery.kind:
            case Kind.STALE:
                # Old by the real clock, and all the more by the simulated one.
                return sign(delivery.body, [SECRET], int(time.time()) - self._random.randint(*_STALE_SECONDS))
            case Kind.FORGED:
                signatures = (
                    sign(delivery.body, ["whsec_of_somebody_else"], moment),
                    sign(delivery.body + b" ", [SECRET], moment),  # of a body that was changed on the way
                    f"t={moment},v1=",
                    "",
                )
                return self._random.choice(signatures)
        return sign(delivery.body, [SECRET], moment)
