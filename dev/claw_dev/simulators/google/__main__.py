"""`python -m claw_dev.simulators.google`: the stand-in as a process, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import logging
import sys
from random import Random

from claw_dev.simulators.google.simulator import simulated_google
from claw_dev.simulators.google.world import Client
from claw_dev.simulators.serving import until_told_to_stop

logger = logging.getLogger("claw_dev.simulators.google")


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    async with simulated_google(
        port=arguments.port,
        address=arguments.address,
        client=Client(arguments.client_id, arguments.client_secret),
        random=None if arguments.seed is None else Random(arguments.seed),  # noqa: S311 - ids of a simulator
    ) as google:
        google.sender.subscription.url = arguments.push_url
        logger.info("stand-in for Google at %s", google.url)
        await until_told_to_stop()


def main() -> None:
    """Read the command line and serve."""
    usual = Client()
    parser = argparse.ArgumentParser(prog="python -m claw_dev.simulators.google", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one and tells which")
    parser.add_argument("--address", default="ada@example.com", help="the person's")
    parser.add_argument("--client-id", default=usual.id)
    parser.add_argument("--client-secret", default=usual.secret)
    parser.add_argument("--push-url", default="", help="where mail is pushed to; nowhere without it")
    parser.add_argument("--seed", type=int, help="makes the same ids each time")
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
