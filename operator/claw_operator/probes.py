"""/healthz and /metrics."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from claw_operator.metrics import Metrics


@asynccontextmanager
async def serving(
    host: str, port: int, metrics: Metrics, trouble: Callable[[], str | None], depth: Callable[[], int]
) -> AsyncIterator[None]:
    """Serve until the block ends. /healthz is red as soon as `trouble` names one."""

    async def healthz(_: web.Request) -> web.Response:
        what = trouble()
        return web.json_response({"status": what or "ok"}, status=200 if what is None else 503)

    async def metrics_page(_: web.Request) -> web.Response:
        metrics.queue_depth.set(depth())
        return web.Response(body=metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", metrics_page)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
