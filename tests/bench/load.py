"""Load on something, from this process: as fast as it goes, or at a given rate whatever becomes of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

Do = Callable[[int], Awaitable[object]]
"""One request, by its number."""


async def flat_out(do: Do, *, count: int, workers: int) -> float:
    """Requests per second when so many workers begin the next one as soon as the last is answered."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await do(number)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(workers, count)):
            group.create_task(work())
    return count / (time.perf_counter() - begun)


async def offered(do: Do, *, rate: float, seconds: float) -> list[float]:
    """Seconds until each answer when requests begin at this rate, whether or not earlier ones are answered.

    Counted from the moment at which a request was due: one that had to wait for its turn has waited, too.
    """
    begun = time.perf_counter()
    latencies: list[float] = []

    async def once(number: int, due: float) -> None:
        await do(number)
        latencies.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            group.create_task(once(number, due))
    return latencies
