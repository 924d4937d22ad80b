"""`python -m claw_dev.simulators.railway`: the simulator as a process, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import logging
import shlex
import sys
from random import Random

from claw_dev.simulators.railway.limits import Limits
from claw_dev.simulators.railway.pace import Pace
from claw_dev.simulators.railway.running import RUNTIMES
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_dev.simulators.railway.tokens import TokenKind
from claw_dev.simulators.serving import until_told_to_stop

logger = logging.getLogger("claw_dev.simulators.railway")

_PACES = {"quick": Pace.quick, "realistic": Pace.realistic}


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    simulator = RailwaySimulator(
        port=arguments.port,
        token=arguments.token,
        token_kind=TokenKind(arguments.token_kind),
        project=arguments.project,
        project_id=arguments.project,
        pace=_PACES[arguments.pace](),
        limits=Limits(per_hour=arguments.calls_per_hour),
        runtimes=arguments.runtimes,
        command=shlex.split(arguments.command),
        random=None if arguments.seed is None else Random(arguments.seed),  # noqa: S311 - ids of a simulator
    )
    async with simulator as railway:
        logger.info(
            "Railway simulator at %s, project %s, environment %s",
            railway.base_url,
            railway.project.id,
            railway.environment.id,
        )
        await until_told_to_stop()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m claw_dev.simulators.railway", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one and tells which")
    parser.add_argument("--pace", choices=sorted(_PACES), default="quick", help="milliseconds, or 20 s a deployment")
    parser.add_argument("--runtimes", choices=RUNTIMES, default="none", help="what deployments run")
    parser.add_argument(
        "--command", default=shlex.join([sys.executable, "-m", "claw_runtime"]), help="what a deployed process runs"
    )
    parser.add_argument("--token", default="railway-token", help="the token that is accepted")
    parser.add_argument("--token-kind", choices=[kind.value for kind in TokenKind], default="workspace")
    parser.add_argument("--project", default="claw", help="the project's name, and its id")
    parser.add_argument("--calls-per-hour", type=int, default=10_000)
    parser.add_argument("--seed", type=int, help="makes the same ids and delays each time")
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
