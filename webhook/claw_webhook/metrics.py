"""What the service tells Prometheus, in a registry of its own: nothing else in the process adds to it."""

import math

import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from claw_webhook.customers import Customers
from claw_webhook.inbox import Inbox
from claw_webhook.mails.outbox import Outbox


class Metrics:
    """All metrics of the service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter(
            "claw_webhook_events",
            "Deliveries at POST /webhooks/stripe. The type is empty where the signature did not hold.",
            ["type", "outcome"],
            registry=self.registry,
        )
        self.answer_seconds = Histogram(
            "claw_webhook_answer_seconds",
            "From the first byte of a delivery to its answer.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
            registry=self.registry,
        )
        self.fulfilments = Counter(
            "claw_webhook_fulfilments",
            "Looks at a live subscription, by what came of it.",
            ["outcome"],
            registry=self.registry,
        )
        self.refusals = Counter(
            "claw_webhook_refusals", "Subscriptions that could not be served.", ["reason"], registry=self.registry
        )
        self.available_seconds = Histogram(
            "claw_webhook_available_seconds",
            "From the recorded wish for an instance to its first Ready=True.",
            buckets=(1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 300, 600),
            registry=self.registry,
        )
        self.mails = Counter("claw_webhook_mails", "Mails, by what came of them.", ["outcome"], registry=self.registry)
        self.key_links = Counter(
            "claw_webhook_key_links", "Uses of one-time links, by the state found.", ["state"], registry=self.registry
        )
        self.watch_restarts = Counter(
            "claw_webhook_watch_restarts",
            "Watches that ended (the server's choice), expired, or failed.",
            ["resource", "cause"],
            registry=self.registry,
        )
        self._inbox_pending = Gauge("claw_webhook_inbox_pending", "Events to be worked off.", registry=self.registry)
        self._inbox_age = Gauge(
            "claw_webhook_inbox_oldest_seconds", "Age of the oldest of them.", registry=self.registry
        )
        self._inbox_unserved = Gauge(
            "claw_webhook_inbox_unserved",
            "Events that were refused or given up and wait for a person: alert on any.",
            ["state", "reason"],
            registry=self.registry,
        )
        self._looks = Gauge(
            "claw_webhook_looks",
            "Looks at subscriptions without an event: waiting for their moment, due, or failing.",
            ["state"],
            registry=self.registry,
        )
        self._subscriptions = Gauge(
            "claw_webhook_subscriptions",
            "Subscriptions by how they stand; empty: recorded by an older version, not yet looked at.",
            ["standing"],
            registry=self.registry,
        )
        self._holds = Gauge(
            "claw_webhook_holds",
            "Subscriptions of which nothing is deleted until a person decides: alert on any.",
            registry=self.registry,
        )
        self._outbox = Gauge("claw_webhook_outbox", "Mails pending or given up.", ["state"], registry=self.registry)

    def watch_restarted(self, resource: str, cause: str) -> None:
        """A watch had to begin again."""
        self.watch_restarts.labels(resource, cause).inc()

    async def exposition(self, inbox: Inbox, outbox: Outbox, customers: Customers) -> bytes:
        """Everything in Prometheus' text format. What the database alone knows is NaN while it is away."""
        try:
            backlog, mails = await inbox.backlog(), await outbox.backlog()
            standings, holds = await customers.standings(), await customers.holds()
        except psycopg.OperationalError:
            self._inbox_pending.set(math.nan)
            self._inbox_age.set(math.nan)
            self._holds.set(math.nan)
        else:
            self._inbox_pending.set(backlog.pending)
            self._inbox_age.set(backlog.oldest_seconds)
            self._inbox_unserved.clear()
            for (state, reason), number in backlog.unserved.items():
                self._inbox_unserved.labels(state, reason).set(number)
            for state, number in backlog.looks.items():
                self._looks.labels(state).set(number)
            self._subscriptions.clear()
            for standing, number in standings.items():
                self._subscriptions.labels(standing).set(number)
            self._holds.set(holds)
            for state, number in mails.items():
                self._outbox.labels(state).set(number)
        return generate_latest(self.registry)
