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
from claw_operator.kube import Kube, NotFound, Refused, Unavailable
from claw_operator.metrics import Metrics
from claw_operator.orphans import Policy
from claw_operator.providers import connected_drivers
from claw_operator.settings import Settings, complaints
from claw_operator.sweep import Schedule
from claw_operator.workqueue import Backoff

log = logging.getLogger("claw_operator")

_FIRST_SWEEP = 60.0
"""Seconds after the start; the loop has its hands full until then."""
_BACKOFF = Backoff()


async def serve(settings: Settings) -> None:
    """Run until told to stop."""
    metrics, random = Metrics(), Random()  # noqa: S311 - jitter, not secrets
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(Kube.connect(settings.kubeconfig))
        drivers = await stack.enter_async_context(connected_drivers(settings, metrics, random))
        fleet = await fleet_of(kube, settings.namespace, random)
        loop = await stack.enter_async_context(
            running_loop(
                kube=kube,
                drivers=drivers,
                defaults=_defaults(settings, fleet),
                workers=settings.workers,
                resync_seconds=settings.resync_seconds,
                shutdown_seconds=settings.shutdown_seconds,
                clock=lambda: datetime.now(UTC),
                random=random,
                metrics=metrics,
                policy=Policy(
                    fleet=fleet,
                    namespace=settings.namespace,
                    deletion=settings.orphan_deletion,
                    grace=settings.orphan_grace_seconds,
                ),
                schedule=Schedule(every=settings.sweep_seconds, first=min(settings.sweep_seconds, _FIRST_SWEEP)),
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


async def fleet_of(kube: Kube, namespace: str, random: Random, backoff: Backoff = _BACKOFF) -> str:
    """What tells our marks from those of other clusters. Nothing is made without it, so the API server is waited for.

    Raises NotFound and Refused.
    """
    failures = 0
    while True:
        try:
            return await kube.namespace_uid(namespace)
        except Unavailable:  # Kube has said so
            failures += 1
            await asyncio.sleep(backoff.seconds(failures, random.random))


def _defaults(settings: Settings, fleet: str) -> Defaults:
    return Defaults(
        compute_driver=settings.compute_driver,
        database_driver=settings.database_driver,
        fleet=fleet,
        image=settings.clawdbot_image,
        repository=settings.clawdbot_repo,
        ref=settings.clawdbot_ref if settings.clawdbot_repo else None,
        variables={
            **settings.handed_on(),
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
    except NotFound as error:
        print(f"claw-operator: {error}; create it, or set CLAW_NAMESPACE", file=sys.stderr)
        sys.exit(2)
    except Refused as error:
        print(f"claw-operator: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
