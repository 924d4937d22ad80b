"""The application: routes, and what goes on beside the requests. What both work with is opened in `services.py`."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import aiohttp
import psycopg
from aiohttp import web

from claw_webhook.background import Background
from claw_webhook.following import follow_instances, follow_plans
from claw_webhook.front.export_pages import PATH as EXPORT_PATH
from claw_webhook.front.export_pages import ExportPages
from claw_webhook.front.key_pages import PATH as KEY_PATH
from claw_webhook.front.key_pages import KeyPages
from claw_webhook.front.pages import Pages
from claw_webhook.front.storefront import STOREFRONT, close_streams, open_storefront, storefront_routes
from claw_webhook.fulfilment import Fulfilment
from claw_webhook.google_hooks import CALENDAR_PATH, GMAIL_PATH, GoogleHooks
from claw_webhook.mails.mail import MailSender
from claw_webhook.mails.sending import Sending
from claw_webhook.metered.metering import Metering
from claw_webhook.metrics import Metrics
from claw_webhook.problems import errors_as_problems, problem
from claw_webhook.receiving import LARGEST_BODY, Receiving
from claw_webhook.runtime_mails import PATH as RUNTIME_MAILS_PATH
from claw_webhook.runtime_mails import RuntimeMails
from claw_webhook.runtimes import RuntimeApi, Runtimes
from claw_webhook.services import WORKERS, Clock, Services, open_services, utc_now
from claw_webhook.settings import Settings
from claw_webhook.stripe_books import StripeBooks
from claw_webhook.sweeps.sweep import Sweep
from claw_webhook.sweeps.sweeping import Sweeping, SweepMetrics

_POLL_SECONDS = 1.0
_TIDY_SECONDS = 3600.0
_PING_SECONDS = 2

SERVICES = web.AppKey("services", Services)
RECEIVING = web.AppKey("receiving", Receiving)
KEY_PAGES = web.AppKey("key_pages", KeyPages)
EXPORT_PAGES = web.AppKey("export_pages", ExportPages)
GOOGLE_HOOKS = web.AppKey("google_hooks", GoogleHooks)
RUNTIME_MAILS = web.AppKey("runtime_mails", RuntimeMails)
BACKGROUND = web.AppKey("background", Background)


def create_app(settings: Settings, *, clock: Clock = utc_now) -> web.Application:
    """The whole service. It opens nothing before it is started."""
    app = web.Application(middlewares=[errors_as_problems], client_max_size=LARGEST_BODY)
    # In this order, and closed in the reverse one.
    app.cleanup_ctx.extend([partial(_services, settings=settings, clock=clock), _handlers, _background])
    app.on_shutdown.append(close_streams)
    app.router.add_post("/webhooks/stripe", _stripe_delivery)
    app.router.add_get(KEY_PATH, _key_question)
    app.router.add_post(KEY_PATH, _key_answer)
    app.router.add_get(EXPORT_PATH, _export_question)
    app.router.add_post(EXPORT_PATH, _export)
    app.router.add_post(GMAIL_PATH, _gmail_push)
    app.router.add_post(CALENDAR_PATH, _calendar_push)
    app.router.add_post(RUNTIME_MAILS_PATH, _runtime_mail)
    app.router.add_routes(storefront_routes())
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/metrics", _metrics)
    return app


async def _services(app: web.Application, *, settings: Settings, clock: Clock) -> AsyncIterator[None]:
    async with open_services(settings, metrics=Metrics(), clock=clock) as services:
        app[SERVICES] = services
        yield


async def _handlers(app: web.Application) -> AsyncIterator[None]:
    # Cookies of one customer's runtime must not reach another's.
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        _open_handlers(app, app[SERVICES], session)
        yield


def _open_handlers(app: web.Application, services: Services, session: aiohttp.ClientSession) -> None:
    settings, metrics = services.settings, services.metrics
    secrets = [secret.get_secret_value() for secret in settings.stripe_webhook_secret]
    app[RECEIVING] = Receiving(services.inbox, secrets=secrets, metrics=metrics)
    pages = Pages(contact=settings.sender.addr_spec)
    app[KEY_PAGES] = KeyPages(services.links, instances=services.instances, pages=pages, metrics=metrics)
    app[EXPORT_PAGES] = ExportPages(
        services.passes, pool=services.pool, instances=services.instances, pages=pages, clock=services.clock
    )
    runtimes = Runtimes(services.pool, clock=services.clock)
    api = RuntimeApi(session, services.instances)
    app[STOREFRONT] = open_storefront(services, runtimes, api)
    app[GOOGLE_HOOKS] = GoogleHooks(runtimes, api)
    app[RUNTIME_MAILS] = RuntimeMails(
        services.pool,
        runtimes=runtimes,
        instances=services.instances,
        outbox=services.outbox,
        clock=services.clock,
    )


async def _background(app: web.Application) -> AsyncIterator[None]:
    services = app[SERVICES]
    background = app[BACKGROUND] = Background(poll_seconds=_POLL_SECONDS, random=random.random)
    _follow_the_cluster(background, services)
    _fulfil(background, services)
    _send_mails(background, services)
    _keep_the_books(background, services)
    yield
    await background.stop()


def _fulfil(background: Background, services: Services) -> None:
    fulfilment = Fulfilment(
        services.inbox,
        looks=services.looks,
        stripe=services.stripe,
        customers=services.customers,
        sightings=services.sightings,
        outbox=services.outbox,
        instances=services.instances,
        clock=services.clock,
        metrics=services.metrics,
    )
    for number in range(WORKERS):
        background.work(f"fulfilment {number}", fulfilment.work_off_one, services.inbox.arrived)
    background.work("old payloads", services.inbox.empty_old_payloads, poll_seconds=_TIDY_SECONDS)


def _follow_the_cluster(background: Background, services: Services) -> None:
    instances = services.instances
    background.follow(
        "instances", partial(follow_instances, instances, services.sightings, services.outbox, services.metrics)
    )
    background.follow("plans", partial(follow_plans, instances, services.inbox))


def _send_mails(background: Background, services: Services) -> None:
    settings = services.settings
    sending = Sending(
        services.outbox,
        links=services.links,
        passes=services.passes,
        mails=MailSender(
            settings.mail_server,
            local_hostname=urlsplit(settings.public_url).hostname or "localhost",
            ca_file=settings.smtp_ca_file,
        ),
        sender=settings.sender,
        public_url=settings.public_url,
        clock=services.clock,
        metrics=services.metrics,
    )
    background.work("mail", sending.send_one, services.outbox.arrived)


def _keep_the_books(background: Background, services: Services) -> None:
    books, registry = StripeBooks(services.stripe.client), services.metrics.registry
    sweep = Sweep(
        services.pool,
        books=books,
        stripe=services.stripe,
        instances=services.instances,
        customers=services.customers,
        inbox=services.inbox,
        looks=services.looks,
        clock=services.clock,
    )
    sweeping = Sweeping(
        sweep,
        every=timedelta(seconds=services.settings.claw_billing_sweep_seconds),
        metrics=SweepMetrics(registry),
        clock=services.clock,
        random=random.random,
    )
    metering = Metering(
        services.pool,
        books=books,
        instances=services.instances,
        registry=registry,
        clock=services.clock,
        random=random.random,
    )
    background.follow("sweep", sweeping.steps)
    background.follow("metering", metering.steps)


async def _stripe_delivery(request: web.Request) -> web.Response:
    return await request.app[RECEIVING].stripe(request)


async def _key_question(request: web.Request) -> web.Response:
    return await request.app[KEY_PAGES].ask(request)


async def _key_answer(request: web.Request) -> web.Response:
    return await request.app[KEY_PAGES].show(request)


async def _export_question(request: web.Request) -> web.Response:
    return await request.app[EXPORT_PAGES].ask(request)


async def _export(request: web.Request) -> web.StreamResponse:
    return await request.app[EXPORT_PAGES].download(request)


async def _gmail_push(request: web.Request) -> web.Response:
    return await request.app[GOOGLE_HOOKS].gmail(request)


async def _calendar_push(request: web.Request) -> web.Response:
    return await request.app[GOOGLE_HOOKS].calendar(request)


async def _runtime_mail(request: web.Request) -> web.Response:
    return await request.app[RUNTIME_MAILS].take(request)


async def _healthz(request: web.Request) -> web.Response:
    """Red when a restart of the process would help, and only then."""
    if dead := request.app[BACKGROUND].dead():
        return problem(500, "Not alive", f"These tasks have ended: {', '.join(dead)}. Restart the process.")
    return web.json_response({"status": "ok"})


async def _readyz(request: web.Request) -> web.Response:
    """Green when a delivery can be stored. Stripe and the cluster may be away: the inbox waits for them."""
    try:
        async with asyncio.timeout(_PING_SECONDS), request.app[SERVICES].pool.connection() as connection:
            await connection.execute("SELECT 1")
    except (psycopg.Error, TimeoutError):
        return problem(503, "Not ready", "The customers database does not answer.")
    return web.json_response({"status": "ok"})


async def _metrics(request: web.Request) -> web.Response:
    services = request.app[SERVICES]
    body = await services.metrics.exposition(services.inbox, services.outbox, services.customers)
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
