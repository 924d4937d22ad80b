"""The application: what there is, opened in the order of `cleanup_ctx` and closed in the reverse one."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

import psycopg
from aiohttp import web

from claw_webhook.background import Background
from claw_webhook.customers import Customers
from claw_webhook.database import Pool, migrate_when_there, open_pool
from claw_webhook.following import follow_instances, follow_plans
from claw_webhook.fulfilment import Fulfilment
from claw_webhook.inbox import Inbox
from claw_webhook.instances import Instances, connect
from claw_webhook.key_pages import PATH as KEY_PATH
from claw_webhook.key_pages import KeyPages
from claw_webhook.links import KeyLinks
from claw_webhook.mail import MailSender
from claw_webhook.metrics import Metrics
from claw_webhook.outbox import Outbox
from claw_webhook.problems import errors_as_problems, problem
from claw_webhook.receiving import LARGEST_BODY, Receiving
from claw_webhook.sending import Sending
from claw_webhook.settings import Settings
from claw_webhook.stripe_api import StripeApi, open_stripe

_WORKERS = 4
# A worker holds one connection for its claim and uses a second one; requests and followers share the rest.
_CONNECTIONS = 2 * _WORKERS + 8
_POLL_SECONDS = 1.0
_DATABASE_PATIENCE_SECONDS = 30
_PING_SECONDS = 2

Clock = Callable[[], datetime]

SETTINGS = web.AppKey("settings", Settings)
METRICS = web.AppKey("metrics", Metrics)
POOL = web.AppKey("pool", Pool)
INBOX = web.AppKey("inbox", Inbox)
OUTBOX = web.AppKey("outbox", Outbox)
LINKS = web.AppKey("links", KeyLinks)
STRIPE = web.AppKey("stripe", StripeApi)
INSTANCES = web.AppKey("instances", Instances)
RECEIVING = web.AppKey("receiving", Receiving)
KEY_PAGES = web.AppKey("key_pages", KeyPages)
BACKGROUND = web.AppKey("background", Background)


def utc_now() -> datetime:
    """The clock of the running service."""
    return datetime.now(UTC)


def create_app(settings: Settings, *, clock: Clock = utc_now) -> web.Application:
    """The whole service. It opens nothing before it is started."""
    app = web.Application(middlewares=[errors_as_problems], client_max_size=LARGEST_BODY)
    app[SETTINGS] = settings
    app[METRICS] = Metrics()
    app.cleanup_ctx.extend(
        [partial(_database, clock=clock), _stripe, _cluster, _handlers, partial(_background, clock=clock)]
    )
    app.router.add_post("/webhooks/stripe", _stripe_delivery)
    app.router.add_get(KEY_PATH, _key_question)
    app.router.add_post(KEY_PATH, _key_answer)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/metrics", _metrics)
    return app


async def _database(app: web.Application, *, clock: Clock) -> AsyncIterator[None]:
    url = app[SETTINGS].database_url.get_secret_value()
    async with open_pool(url, size=_CONNECTIONS) as pool:
        await migrate_when_there(pool, patience_seconds=_DATABASE_PATIENCE_SECONDS)
        app[POOL] = pool
        app[INBOX] = Inbox(pool, clock=clock, random=random.random)
        app[OUTBOX] = Outbox(pool, clock=clock, random=random.random)
        app[LINKS] = KeyLinks(pool, clock=clock)
        yield


async def _stripe(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    async with open_stripe(settings.stripe_secret_key.get_secret_value(), base=settings.stripe_api_url) as stripe:
        app[STRIPE] = stripe
        yield


async def _cluster(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    async with connect(settings.kubeconfig) as api:
        app[INSTANCES] = Instances(
            api, namespace=settings.claw_namespace, random=random.random, restarted=app[METRICS].watch_restarted
        )
        yield


async def _handlers(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    secrets = [secret.get_secret_value() for secret in settings.stripe_webhook_secret]
    app[RECEIVING] = Receiving(app[INBOX], secrets=secrets, metrics=app[METRICS])
    app[KEY_PAGES] = KeyPages(
        app[LINKS], instances=app[INSTANCES], contact=settings.sender.addr_spec, metrics=app[METRICS]
    )
    yield


async def _background(app: web.Application, *, clock: Clock) -> AsyncIterator[None]:
    settings, metrics = app[SETTINGS], app[METRICS]
    inbox, outbox, instances = app[INBOX], app[OUTBOX], app[INSTANCES]
    customers = Customers(app[POOL], namespace=settings.claw_namespace, clock=clock)
    fulfilment = Fulfilment(inbox, stripe=app[STRIPE], customers=customers, instances=instances, metrics=metrics)
    sending = Sending(
        outbox,
        links=app[LINKS],
        mails=MailSender(settings.mail_server, local_hostname=urlsplit(settings.public_url).hostname or "localhost"),
        sender=settings.sender,
        public_url=settings.public_url,
        clock=clock,
        metrics=metrics,
    )
    background = app[BACKGROUND] = Background(poll_seconds=_POLL_SECONDS, random=random.random)
    for number in range(_WORKERS):
        background.work(f"fulfilment {number}", fulfilment.work_off_one, inbox.arrived)
    background.work("mail", sending.send_one, outbox.arrived)
    background.follow("instances", partial(follow_instances, instances, customers, outbox, metrics))
    background.follow("plans", partial(follow_plans, instances, inbox))
    yield
    await background.stop()


async def _stripe_delivery(request: web.Request) -> web.Response:
    return await request.app[RECEIVING].stripe(request)


async def _key_question(request: web.Request) -> web.Response:
    return await request.app[KEY_PAGES].ask(request)


async def _key_answer(request: web.Request) -> web.Response:
    return await request.app[KEY_PAGES].show(request)


async def _healthz(request: web.Request) -> web.Response:
    """Red when a restart of the process would help, and only then."""
    if dead := request.app[BACKGROUND].dead():
        return problem(500, "Not alive", f"These tasks have ended: {', '.join(dead)}. Restart the process.")
    return web.json_response({"status": "ok"})


async def _readyz(request: web.Request) -> web.Response:
    """Green when a delivery can be stored. Stripe and the cluster may be away: the inbox waits for them."""
    try:
        async with asyncio.timeout(_PING_SECONDS), request.app[POOL].connection() as connection:
            await connection.execute("SELECT 1")
    except (psycopg.Error, TimeoutError):
        return problem(503, "Not ready", "The customers database does not answer.")
    return web.json_response({"status": "ok"})


async def _metrics(request: web.Request) -> web.Response:
    body = await request.app[METRICS].exposition(request.app[INBOX], request.app[OUTBOX])
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
