"""`python -m tests.billing.service CLOCK`: the webhook service as it is, by the clock of that file.

The clock is a parameter of the service; nothing else differs from `python -m claw_webhook`.
"""

import sys
from pathlib import Path

from aiohttp import web

from claw_webhook.app import create_app
from claw_webhook.logs import configure_logs
from claw_webhook.settings import load_settings
from tests.billing.clock import SharedClock


def main() -> None:
    """Serve until SIGTERM."""
    settings = load_settings()
    configure_logs(settings.claw_log_level)
    clock = SharedClock.open(Path(sys.argv[1]))
    web.run_app(
        create_app(settings, clock=clock.now), host=settings.host, port=settings.port, access_log=None, print=None
    )


if __name__ == "__main__":
    main()
