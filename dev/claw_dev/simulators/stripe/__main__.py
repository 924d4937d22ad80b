"""`python -m claw_dev.simulators.stripe`: the simulator as a process, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import logging
import sys
from random import Random

from claw_dev.simulators.serving import until_told_to_stop
from claw_dev.simulators.stripe import versions
from claw_dev.simulators.stripe.delivery import Endpoint
from claw_dev.simulators.stripe.simulator import simulated_stripe

logger = logging.getLogger("claw_dev.simulators.stripe")


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    async with simulated_stripe(
        port=arguments.port,
        secret_key=arguments.secret_key,
        endpoint=Endpoint(arguments.webhook_url, tuple(arguments.webhook_secret)),
        api_version=arguments.api_version,
        random=None if arguments.seed is None else Random(arguments.seed),  # noqa: S311 - ids of a simulator
    ) as stripe:
        logger.info("Stripe simulator at %s, webhooks to %s", stripe.url, arguments.webhook_url or "nobody")
        await until_told_to_stop()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m claw_dev.simulators.stripe", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one and tells which")
    parser.add_argument("--webhook-url", help="where events are delivered; nowhere without it")
    parser.add_argument("--webhook-secret", action="append", default=[], help="signs deliveries; may be repeated")
    parser.add_argument("--secret-key", help="the only key accepted; any sk_... without it")
    parser.add_argument("--api-version", default=versions.CURRENT, help="the version that events are told in")
    parser.add_argument("--seed", type=int, help="makes the same ids each time")
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
