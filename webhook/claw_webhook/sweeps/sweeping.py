"""When the service sweeps, and what it tells of it: once after the start, then at intervals; log lines and metrics."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge

from claw_webhook.backoff import Backoff
from claw_webhook.instances import ClusterUnavailable
from claw_webhook.stripe_api import StripeUnavailable
from claw_webhook.sweeps.comparison import REPAIRED, Kind
from claw_webhook.sweeps.sweep import Comparison, Sweep, Swept

_RETRY = Backoff(first=10, longest=600)
_JITTER = 0.1
"""Of the interval: replicas that were started together do not stay together."""
_RECENT = 0.1
"""Of the interval: a sweep of another replica that ended this recently will do for ours."""

logger = logging.getLogger(__name__)


class SweepMetrics:
    """What sweeps tell Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.findings = Counter(
            "claw_webhook_sweep_findings", "Differences between Stripe and the cluster.", ["kind"], registry=registry
        )
        self.missed_events = Counter(
            "claw_webhook_sweep_missed_events", "Events that were not delivered and found later.", registry=registry
        )
        self.unpaid = Gauge(
            "claw_webhook_unpaid_instances",
            "Instances that nobody pays for, as of this replica's last sweep: alert on any.",
            registry=registry,
        )
        self.ended_at = Gauge(
            "claw_webhook_sweep_ended_timestamp_seconds",
            "When this replica's last complete sweep ended: alert when several hours ago.",
            registry=registry,
        )


class Sweeping:
    """Repeats the sweep, and tells what it found when it begins and when it ends. `random` gives [0, 1)."""

    def __init__(
        self,
        sweep: Sweep,
        *,
        every: timedelta,
        metrics: SweepMetrics,
        clock: Callable[[], datetime],
        random: Callable[[], float],
        retry: Backoff = _RETRY,
    ) -> None:
        self._sweep = sweep
        self._retry = retry
        self._every = every
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._unpaid: set[str] = set()
        self._amiss: set[str] = set()

    async def steps(self) -> AsyncGenerator[None, None]:
        """A step for each sweep, without end. Raises psycopg.Error while the database is away; then begin anew."""
        failures = 0
        while True:
            try:
                swept = await self._sweep.run(unless_within=self._every * _RECENT)
            except (StripeUnavailable, ClusterUnavailable, TimeoutError) as error:
                failures += 1
                if failures == 1:
                    logger.error("the sweep is interrupted: %s", str(error) or "it takes too long")
                pause = min(self._retry.delay(failures, self._random), self._every.total_seconds())
            else:
                if failures:
                    logger.info("the sweep goes on after %d failures", failures)
                failures = 0
                self._tell(swept)
                pause = self._every.total_seconds() * (1 - _JITTER + 2 * _JITTER * self._random())
            yield
            await asyncio.sleep(pause)

    def _tell(self, swept: Swept | None) -> None:
        if swept is None:
            return  # another replica tells
        compared = swept.comparison
        self._metrics.missed_events.inc(swept.events.stored)
        for kind, number in compared.counts.items():
            self._metrics.findings.labels(kind).inc(number)
        self._metrics.ended_at.set(self._clock().timestamp())
        self._tell_amiss(compared)
        self._tell_unpaid(compared)
        numbers = {kind.value: number for kind, number in compared.counts.items()}
        logger.info(
            "swept %d subscriptions, %d instances and %d events",
            compared.subscriptions,
            compared.instances,
            swept.events.listed,
            extra={"missed_events": swept.events.stored} | numbers,
        )

    def _tell_amiss(self, compared: Comparison) -> None:
        """What a look may put right; again only if it had been right meanwhile."""
        now = {finding.message for finding in compared.findings if finding.kind in REPAIRED}
        for message in sorted(now - self._amiss):
            logger.warning("sweep: %s; it is looked at", message)
        self._amiss = now

    def _tell_unpaid(self, compared: Comparison) -> None:
        """What is for a person: when it begins, and when it ends."""
        self._metrics.unpaid.set(compared.counts[Kind.UNPAID])
        now = {str(finding.instance): finding.message for finding in compared.of(Kind.UNPAID)}
        for name in sorted(now.keys() - self._unpaid):
            logger.error("sweep: nobody pays: %s. It is left alone: decide, and delete it by hand", now[name])
        for name in sorted(self._unpaid - now.keys()):
            logger.info("sweep: instance %s is gone, or paid for", name)
        self._unpaid = set(now)
