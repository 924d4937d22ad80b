"""`python -m claw_dev.simulators.neon`: the simulator as a process, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import logging
import sys

from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.pace import Pace
from claw_dev.simulators.neon.protocol import API_PREFIX
from claw_dev.simulators.neon.simulator import DEFAULT_KEY, DEFAULT_PROJECT, NeonSimulator
from claw_dev.simulators.neon.world import PlanLimits
from claw_dev.simulators.serving import until_told_to_stop

logger = logging.getLogger("claw_dev.simulators.neon")

_PACES = {"quick": Pace.quick, "realistic": Pace.realistic}


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    async with NeonSimulator(
        port=arguments.port,
        pace=_PACES[arguments.pace](),
        keys=[Key(secret) for secret in arguments.key] or [DEFAULT_KEY],
        project=arguments.project,
        postgres_url=arguments.postgres_url,
        plan=PlanLimits(active_computes=arguments.active_computes),
        seed=arguments.seed,
    ) as neon:
        logger.info("Neon simulator at %s, its API below %s, project %s", neon.address, API_PREFIX, neon.project_id)
        await until_told_to_stop()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m claw_dev.simulators.neon", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one and tells which")
    parser.add_argument("--pace", choices=_PACES, default="quick", help="how long things take")
    parser.add_argument("--key", action="append", default=[], help="an API key that is accepted; may be repeated")
    parser.add_argument("--project", default=DEFAULT_PROJECT, help="the id of the project that is there at the start")
    parser.add_argument("--postgres-url", help="a server in which branches are real databases; its superuser's URL")
    parser.add_argument("--active-computes", type=int, default=PlanLimits.active_computes, help="at once, per project")
    parser.add_argument("--seed", type=int, default=0, help="makes the same ids each time")
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
