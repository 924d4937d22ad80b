"""What the service works with, opened in one place: the app adds routes and workers, a command uses what it needs."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from claw_webhook.customers import Customers
from claw_webhook.database import Pool, migrate_when_there, open_pool
from claw_webhook.front.links import KeyLinks
from claw_webhook.front.passes import Passes
from claw_webhook.inbox import Inbox
from claw_webhook.instances import Instances, connect
from claw_webhook.looks import Looks
from claw_webhook.mails.outbox import Outbox
from claw_webhook.metrics import Metrics
from claw_webhook.settings import Settings
from claw_webhook.sightings import Sightings
from claw_webhook.stripe_api import StripeApi, open_stripe

WORKERS = 4
# A worker holds one connection for its claim and uses a second one; requests and followers share the rest.
_CONNECTIONS = 2 * WORKERS + 8
_DATABASE_PATIENCE_SECONDS = 30

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of the running service."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """The database's tables, Stripe and the cluster, ready to be used."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    pool: Pool
    inbox: Inbox
    looks: Looks
    outbox: Outbox
    links: KeyLinks
    passes: Passes
    customers: Customers
    sightings: Sightings
    stripe: StripeApi
    instances: Instances


@asynccontextmanager
async def open_services(settings: Settings, *, metrics: Metrics, clock: Clock = utc_now) -> AsyncIterator[Services]:
    """Everything, with the schema up to date. Raises psycopg.OperationalError without a database.

    Stripe and the cluster may be away: they are only called when something is to be done.
    """
    async with (
        open_pool(settings.database_url.get_secret_value(), size=_CONNECTIONS) as pool,
        open_stripe(settings.stripe_secret_key.get_secret_value(), base=settings.stripe_api_url) as stripe,
        connect(settings.kubeconfig) as api,
    ):
        await migrate_when_there(pool, patience_seconds=_DATABASE_PATIENCE_SECONDS)
        inbox = Inbox(pool, clock=clock, random=random.random)
        yield Services(
            settings=settings,
            clock=clock,
            metrics=metrics,
            pool=pool,
            inbox=inbox,
            looks=Looks(pool, clock=clock, arrived=inbox.arrived),
            outbox=Outbox(pool, clock=clock, random=random.random),
            links=KeyLinks(pool, clock=clock),
            passes=Passes(pool, clock=clock),
            customers=Customers(pool, namespace=settings.claw_namespace, clock=clock),
            sightings=Sightings(pool, namespace=settings.claw_namespace, clock=clock),
            stripe=stripe,
            instances=Instances(
                api, namespace=settings.claw_namespace, random=random.random, restarted=metrics.watch_restarted
            ),
        )
