"""A stand-in for an embedding API: a real server, whose vectors are close where words or concepts are the same."""

import asyncio
import math
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

_CONCEPTS = (
    {"dog", "puppy", "pet", "bello"},
    {"medicine", "drug", "penicillin", "ibuprofen"},
    {"car", "vehicle", "automobile", "volvo"},
    {"rent", "price", "cost", "euros"},
)


@dataclass
class EmbedderSimulator:
    """`url` is its base. What it does can be changed while it runs."""

    url: str = ""
    dimension: int = 64
    status: int = 200
    answer: Any = None
    """Instead of vectors."""
    refuses: str | None = None
    """Texts with this word are not taken."""
    hold: asyncio.Event | None = None
    """While it is there and not set, no question is answered."""
    texts: list[str] = field(default_factory=list)
    """All that were embedded."""

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer embed-key"
        body = await request.json()
        if self.hold is not None:
            await self.hold.wait()
        if self.refuses is not None and any(self.refuses in text for text in body["input"]):
            return web.json_response({"error": "no"}, status=400)
        if self.status != 200 or self.answer is not None:
            return web.json_response(self.answer, status=self.status)
        self.texts += body["input"]
        vectors = [
            {"index": place, "embedding": _vector(text, self.dimension)} for place, text in enumerate(body["input"])
        ]
        return web.json_response({"data": vectors[::-1], "model": body["model"], "usage": {"total_tokens": 1}})


@asynccontextmanager
async def simulated_embedder() -> AsyncIterator[EmbedderSimulator]:
    """Serve one on a free port."""
    simulator = EmbedderSimulator()
    app = web.Application()
    app.router.add_post("/v1/embeddings", simulator.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    simulator.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield simulator
    finally:
        if simulator.hold is not None:
            simulator.hold.set()
        await runner.cleanup()


def _vector(text: str, dimension: int) -> list[float]:
    vector = [0.0] * dimension
    vector[0] = 0.1  # a text without words has a direction, too
    for word in re.findall(r"\w+", text.lower()):
        concept = next((number for number, words in enumerate(_CONCEPTS) if word in words), None)
        if concept is not None:
            vector[1 + concept] += 2.0
        vector[8 + zlib.crc32(word.encode()) % (dimension - 8)] += 0.3
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]
