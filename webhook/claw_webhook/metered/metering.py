"""Usage on its way to Stripe: counters of the instances, gathered for some minutes and then told, each stretch once.

A stretch is closed, durably, before it is first sent. So after a crash or a lost answer the very same event goes out
again, and Stripe tells by its identifier that it has it. What is counted in between is the next stretch.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from claw_crds.plan import Meter
from claw_crds.v1alpha1 import UsageStatus
from claw_webhook.backoff import Backoff
from claw_webhook.database import Connection, Pool
from claw_webhook.instances import Instances
from claw_webhook.metered.gathering import Reading, Stretch, WentBackwards, counted, gather
from claw_webhook.metered.meter_events import Closed, Metered, MeterEvents, metered_instances, newest_stretches
from claw_webhook.stripe_api import StripeUnavailable
from claw_webhook.stripe_books import MeterEventRefused, StripeBooks

_LOCK = 0x6D657465  # "mete"; any number will do, as long as all replicas agree on it
_EVERY_SECONDS = 60
_AT_ONCE = 10
_RETRY = Backoff(first=60, longest=3600)
_TAKEN_BY_STRIPE = timedelta(days=35) - timedelta(hours=1)
_LONGEST_REASON = 500

logger = logging.getLogger(__name__)


class Metering:
    """Reads counters and reports usage. Any number of replicas may do so. `random` gives floats in [0, 1)."""

    def __init__(
        self,
        pool: Pool,
        *,
        books: StripeBooks,
        instances: Instances,
        registry: CollectorRegistry,
        clock: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._books = books
        self._instances = instances
        self._clock = clock
        self._random = random
        self._table = MeterEvents(pool, clock=clock)
        self._backwards: set[tuple[str, datetime]] = set()
        self._troubles: set[str] = set()
        self._outcomes = Counter(
            "claw_webhook_meter_events", "Stretches of usage, by what came of them.", ["outcome"], registry=registry
        )

    async def steps(self) -> AsyncGenerator[None, None]:
        """A step a minute, without end. Raises ClusterUnavailable, psycopg.Error: then begin anew."""
        while True:
            await self.read_counters()
            while await self.send_due():
                pass
            yield
            await asyncio.sleep(_EVERY_SECONDS * (0.9 + 0.2 * self._random()))

    async def read_counters(self) -> None:
        """Gather what the instances have used, as the cluster last showed it."""
        plans = await self._instances.plans()
        meters = {plan.metadata.name: plan.spec.stripe.meter for plan in plans if plan.spec.stripe.meter}
        if not meters:
            return
        event_names = sorted({meter.event_name for meter in meters.values()})
        async with self._pool.connection() as reading, aclosing(metered_instances(reading, list(meters))) as pages:
            async for page in pages:
                async with self._pool.connection() as connection:
                    # Two readers would each begin the next stretch.
                    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
                    newest = await newest_stretches(connection, [one.name for one in page], event_names)
                    for one in page:
                        await self._read(connection, one, meters[one.plan], newest.get(one.name))

    async def _read(self, connection: Connection, one: Metered, meter: Meter, newest: Stretch | None) -> None:
        try:
            usage = UsageStatus.model_validate_json(one.usage)
        except ValidationError:
            logger.warning("usage of instance %s cannot be read: nothing of it is billed for now", one.name)
            return
        reading = Reading(meter.event_name, usage.period_start.astimezone(UTC), counted(usage, meter.counts))
        try:
            stretch = gather(newest, reading, made_at=one.requested_at)
        except WentBackwards as error:
            self._went_backwards(one.name, reading, error)
            return
        if stretch is not None:
            await self._table.write(connection, one.name, one.customer, stretch)

    def _went_backwards(self, instance: str, reading: Reading, error: WentBackwards) -> None:
        period = (instance, reading.period_start)
        if period not in self._backwards:
            logger.error(
                "usage of instance %s %s: nothing more is billed until it is higher again. Was its database replaced?",
                instance,
                error,
            )
        self._backwards.add(period)

    async def send_due(self) -> bool:
        """Tell Stripe of some stretches that are due; False when there are no more."""
        closed = await self._table.close_due(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for one in closed:
                group.create_task(self._send(one))
        return len(closed) == _AT_ONCE

    async def _send(self, one: Closed) -> None:
        event = one.event
        if self._clock() - event.at > _TAKEN_BY_STRIPE:
            reason = f"older than the 35 days that Stripe takes; before: {one.last_reason or 'never sent'}"
            await self._settle(one, "dead", reason)
            logger.error(
                "%d of %s of instance %s are not billed: %s", event.value, event.event_name, one.instance, reason
            )
            return
        try:
            await self._books.report(event)
        except (StripeUnavailable, MeterEventRefused) as error:
            if event.event_name not in self._troubles:
                logger.error("usage for meter %s is not taken, and sent again later: %s", event.event_name, error)
            self._troubles.add(event.event_name)
            self._outcomes.labels("postponed").inc()
            pause = _RETRY.delay(one.attempts, self._random)
            await self._table.postpone(event.identifier, seconds=pause, reason=str(error)[:_LONGEST_REASON])
            return
        if event.event_name in self._troubles:
            logger.info("usage for meter %s is taken again", event.event_name)
        self._troubles.discard(event.event_name)
        await self._settle(one, "sent")

    async def _settle(self, one: Closed, state: str, reason: str | None = None) -> None:
        self._outcomes.labels(state).inc()
        await self._table.settle(one.event.identifier, state, reason)
