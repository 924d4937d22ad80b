"""Puts one operator together from its parts: drivers, loop, queue. No part looks for another one by itself."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random

from claw_operator.act import Actor
from claw_operator.desired import Defaults
from claw_operator.drivers import Drivers
from claw_operator.external import ComputeDriver, DatabaseDriver
from claw_operator.finalize import Finalizer
from claw_operator.kube import Kube
from claw_operator.memory import Memories
from claw_operator.metrics import Metrics
from claw_operator.orphans import Policy
from claw_operator.pace import Pacing
from claw_operator.reconcile import Reconciler
from claw_operator.report import Reporter
from claw_operator.rollback import Rollback
from claw_operator.store import Store
from claw_operator.sweep import Schedule, Sweeper
from claw_operator.workqueue import Backoff, WorkQueue

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loop:
    """A running loop and what its surroundings need of it."""

    store: Store
    queue: WorkQueue
    metrics: Metrics
    stop: Callable[[], Awaitable[None]]
    """Lets running passes finish and everything else end. Kopf must call it before it ends itself: it takes every task
    that was begun after it for one of its own, and cancels it."""


@asynccontextmanager
async def running_loop(
    *,
    kube: Kube,
    drivers: Drivers,
    defaults: Defaults,
    workers: int,
    resync_seconds: float,
    shutdown_seconds: float,
    clock: Callable[[], datetime],
    random: Random,
    metrics: Metrics | None = None,
    policy: Policy | None = None,
    schedule: Schedule | None = None,
) -> AsyncIterator[Loop]:
    """A loop whose workers run until the block ends; running passes then get `shutdown_seconds` to finish.

    `policy` says what is done about orphans, and `schedule` when; without a policy nobody looks for any.
    """
    store, metrics = Store(), metrics or Metrics()
    memories = Memories(clock)
    reporter = Reporter(kube, store, metrics, clock)
    finalizer = Finalizer(
        kube=kube,
        store=store,
        drivers=drivers,
        defaults=defaults,
        metrics=metrics,
        reporter=reporter,
        memories=memories,
    )
    reconciler = Reconciler(
        kube=kube,
        store=store,
        drivers=drivers,
        defaults=defaults,
        actor=Actor(kube, metrics, secrets.token_bytes),
        finalizer=finalizer,
        rollback=Rollback(kube=kube, metrics=metrics, reporter=reporter, memories=memories),
        reporter=reporter,
        memories=memories,
        metrics=metrics,
        pacing=Pacing(resync_seconds, random.random),
        clock=clock,
    )
    queue = WorkQueue(reconciler.reconcile, random=random.random, workers=workers)
    queue.start()
    makers: list[ComputeDriver | DatabaseDriver] = [*drivers.compute.values(), *drivers.database.values()]
    beside = [asyncio.create_task(listen(driver, store, queue, random)) for driver in drivers.compute.values()]
    if policy is not None:
        sweeper = Sweeper(
            kube=kube,
            drivers=drivers,
            store=store,
            queue=queue,
            metrics=metrics,
            policy=policy,
            schedule=schedule,
            clock=clock,
        )
        beside.append(asyncio.create_task(sweeper.run(), name="sweep"))

    async def stop() -> None:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await queue.stop(shutdown_seconds)
        for maker in makers:
            await maker.aclose()

    try:
        yield Loop(store, queue, metrics, stop)
    finally:
        await stop()


async def listen(driver: ComputeDriver, store: Store, queue: WorkQueue, random: Random) -> None:
    """What a driver notices by itself is looked at now, not at the next resync. Ends when the driver tells no more."""
    failures = 0
    while True:
        try:
            async for uid in driver.changes():
                failures = 0
                if store.get(uid) is not None:
                    queue.add(uid)
        except Exception:
            failures += 1
            if failures == 1:
                log.exception("driver %s does not tell what changes by itself; asking it again", driver.name)
        else:
            return
        await asyncio.sleep(Backoff().seconds(failures, random.random))
