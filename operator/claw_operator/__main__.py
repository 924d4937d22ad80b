"""Settings -> drivers -> kopf; nothing else."""

import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from random import Random

import kopf
from pydantic import ValidationError

from claw_crds import configuration as wire
from claw_operator import handlers, logs, probes
from claw_operator.assembly import running_loop
from claw_operator.desired import Defaults
from claw_operator.kube import Kube, Refused
from claw_operator.providers import build_drivers
from claw_operator.settings import Settings, complaints

log = logging.getLogger("claw_operator")


async def serve(settings: Settings) -> None:
    """Run until told to stop."""
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(Kube.connect(settings.kubeconfig))
        loop = await stack.enter_async_context(
            running_loop(
                kube=kube,
                drivers=await build_drivers(settings, stack),
                defaults=_defaults(settings),
                workers=settings.workers,
                resync_seconds=settings.resync_seconds,
                shutdown_seconds=settings.shutdown_seconds,
                clock=lambda: datetime.now(UTC),
                random=Random(),  # noqa: S311 - jitter, not secrets
            )
        )
        await stack.enter_async_context(
            probes.serving(settings.host, settings.port, loop.metrics, loop.queue.trouble, lambda: loop.queue.depth)
        )
        log.info("started", extra={"settings": settings.model_dump(mode="json")})
        await kopf.operator(
            registry=handlers.build_registry(loop.store, loop.queue, kube.access, loop.stop),
            settings=handlers.build_settings(),
            namespaces=[settings.namespace],
            standalone=True,
        )
    log.info("stopped")


def _defaults(settings: Settings) -> Defaults:
    return Defaults(
        compute_driver=settings.compute_driver,
        database_driver=settings.database_driver,
        image=settings.clawdbot_image,
        repository=settings.clawdbot_repo,
        ref=settings.clawdbot_ref if settings.clawdbot_repo else None,
        variables={
            wire.ENV_MODEL_BASE_URL: str(settings.model_base_url).rstrip("/"),
            wire.ENV_MODEL_API_KEY: settings.model_api_key.get_secret_value(),
        },
    )


def main() -> None:
    """The console script."""
    try:
        settings = Settings()
    except ValidationError as error:
        for line in complaints(error):
            print(f"claw-operator: {line}", file=sys.stderr)
        sys.exit(2)
    logs.configure(settings.log_level)
    try:
        asyncio.run(serve(settings))
    except Refused as error:
        print(f"claw-operator: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
