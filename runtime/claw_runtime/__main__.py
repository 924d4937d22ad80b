"""`python -m claw_runtime`: settings, then the server, until SIGTERM. Alive at once, ready when its database is."""

import asyncio
import logging
import os
import signal
import sys

from pydantic import ValidationError

from claw_runtime.settings import Settings

log = logging.getLogger("claw_runtime")

STOP_SECONDS = 8.0
"""For answers that are under way. Kubernetes and Railway kill after more."""


def main() -> None:
    """Run until told to stop. Exits with 2 when the environment is not valid."""
    settings = _settings()
    from claw_runtime import logs

    logs.configure()
    sys.exit(asyncio.run(_serve(settings)))


async def _serve(settings: Settings) -> int:
    from aiohttp import web

    from claw_runtime.app import application
    from claw_runtime.services import assemble

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    services = assemble(settings)
    runner = web.AppRunner(application(services), access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    starting = asyncio.create_task(services.start())
    stopping = asyncio.create_task(stopped.wait())
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        addresses = [f"{host}:{port}" for host, port, *_ in runner.addresses]
        log.info("listening", extra={"addresses": addresses, "settings": repr(settings)})
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await stopping
    except Exception:
        log.critical("the runtime cannot work", exc_info=True)
        return 1
    finally:
        log.info("stopping")
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await runner.cleanup()
    return 0


def _settings() -> Settings:
    try:
        return Settings.of(os.environ)
    except ValidationError as error:
        print("The environment is not valid:", file=sys.stderr)
        for wrong in error.errors(include_url=False, include_context=False, include_input=False):
            print(f"  {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
