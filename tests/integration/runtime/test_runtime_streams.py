"""Thousands of tiny streams: each gets its answer or is told to wait, and afterwards it is as if there had been none.

How many there are is for whoever runs it to say: CLAW_STREAMS=10000 takes some minutes, and changes nothing else.
"""

import asyncio
import gc
import os
from collections import Counter
from dataclasses import dataclass

import psutil
import pytest

from claw_crds.plan import Limits
from tests.eventually import eventually
from tests.integration.runtime.world import Runtime, Tables

STREAMS = int(os.environ.get("CLAW_STREAMS", "200"))
ABREAST = 40
WARM_UP = 60
"""Until pools, caches and the allocator have what they want to keep."""


@dataclass(frozen=True)
class Held:
    """What a process holds on to."""

    memory: int
    sockets: int
    tasks: int


def held() -> Held:
    gc.collect()
    process = psutil.Process()
    return Held(process.memory_info().rss, len(process.net_connections()), len(asyncio.all_tasks()))


async def stream(runtime: Runtime, message: str = "Hi") -> str:
    """One stream to its end: the name of its last event, or the kind of problem that came instead."""
    answer = await runtime.chat(message, stream=True)
    return answer.events[-1][0] if answer.status == 200 else answer.problem


async def storm(runtime: Runtime, count: int, abreast: int) -> "Counter[str]":
    """Many streams, so many of them at the same time."""
    left = iter(range(count))
    ends: Counter[str] = Counter()

    async def talk() -> None:
        for _ in left:
            ends[await stream(runtime)] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(abreast):
            group.create_task(talk())
    return ends


async def free(tables: Tables) -> bool:
    """Whether nothing is reserved any more."""
    return int(await tables.value("select count(*) from reservations")) == 0


async def messages(runtime: Runtime) -> int:
    """How many were counted."""
    return int((await runtime.get("/api/usage")).json["messages"]["used"])


@pytest.mark.timeout(max(120, STREAMS // 5))
async def test_many_tiny_streams_leave_nothing_behind(runtime: Runtime, tables: Tables) -> None:
    await storm(runtime, WARM_UP, ABREAST)
    before, connections = held(), await tables.connections()

    ends = await storm(runtime, STREAMS, ABREAST)

    assert ends == {"done": STREAMS}
    assert await eventually(lambda: free(tables))
    assert await tables.connections() <= max(connections, 4)
    assert await eventually(lambda: held().sockets <= before.sockets)
    assert held().tasks <= before.tasks
    # What streams held would be at least their system prompt, tens of kilobytes each.
    assert held().memory - before.memory < 8 * 2**20 + STREAMS * 2_000
    assert await messages(runtime) == WARM_UP + STREAMS


async def test_streams_beyond_the_limit_are_refused_and_not_counted(runtime: Runtime, tables: Tables) -> None:
    await runtime.configure(limits=Limits(concurrent_streams=3))

    ends = await storm(runtime, 120, ABREAST)

    assert set(ends) == {"done", "limit-reached"}
    assert ends.total() == 120
    assert await eventually(lambda: free(tables))
    assert await messages(runtime) == ends["done"]
    assert await stream(runtime) == "done"


async def test_streams_that_nobody_reads_to_their_end_leave_nothing_behind(runtime: Runtime, tables: Tables) -> None:
    await storm(runtime, 20, 20)
    before = held()

    async def hang_up(after: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(runtime.url.rpartition(":")[2]))
        body = b'{"message": "Hi", "stream": true}'
        writer.write(
            b"POST /api/chat HTTP/1.1\r\nHost: claw\r\nContent-Type: application/json\r\n"
            + f"Authorization: Bearer {runtime.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        if after:
            await reader.read(1)
        writer.transport.abort()

    for number in range(100):
        await hang_up(number % 2)

    assert await eventually(lambda: free(tables), timeout=20)
    assert await eventually(lambda: held().tasks <= before.tasks, timeout=20)
    assert await eventually(lambda: held().sockets <= before.sockets, timeout=20)
    assert await stream(runtime) == "done"
