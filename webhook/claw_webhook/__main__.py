"""`python -m claw_webhook`: settings, logs, server."""

import logging
import sys

import psycopg
import uvloop
from aiohttp import web

from claw_webhook.app import create_app
from claw_webhook.database import MigrationChanged
from claw_webhook.logs import configure_logs
from claw_webhook.settings import InvalidSettings, load_settings

_SHUTDOWN_SECONDS = 10

logger = logging.getLogger("claw_webhook")


def main() -> None:
    """Serve until SIGTERM or SIGINT. Exits with 2 when the environment is wrong, with 1 without a usable database."""
    try:
        settings = load_settings()
    except InvalidSettings as error:
        sys.exit(_complain(f"claw-webhook cannot start, the environment is not right:\n{error}", 2))
    configure_logs(settings.claw_log_level)
    logger.info("starting", extra={"settings": settings.redacted()})
    try:
        # No access log: the path of a key page is a secret.
        web.run_app(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            access_log=None,
            print=None,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            loop=uvloop.new_event_loop(),
        )
    except psycopg.OperationalError as error:
        sys.exit(_complain(f"claw-webhook cannot start, the database of DATABASE_URL does not answer: {error}", 1))
    except MigrationChanged as error:
        sys.exit(_complain(f"claw-webhook cannot start, {error}", 1))
    logger.info("stopped")


def _complain(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
