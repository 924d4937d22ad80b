"""`python -m claw_dev.simulators.claude`: the stand-in as a process, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import logging
import sys
from random import Random

from claw_dev.simulators.claude.simulator import simulated_claude
from claw_dev.simulators.serving import until_told_to_stop

logger = logging.getLogger("claw_dev.simulators.claude")


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    async with simulated_claude(
        port=arguments.port,
        api_key=arguments.api_key,
        pace=arguments.pace,
        random=None if arguments.seed is None else Random(arguments.seed),  # noqa: S311 - ids of a simulator
    ) as claude:
        logger.info("stand-in for Claude at %s", claude.url)
        await until_told_to_stop()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m claw_dev.simulators.claude", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one and tells which")
    parser.add_argument("--api-key", help="the only key accepted; any without it")
    parser.add_argument("--pace", type=float, default=0.01, help="seconds between two pieces of a streamed answer")
    parser.add_argument("--seed", type=int, help="makes the same ids each time")
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
