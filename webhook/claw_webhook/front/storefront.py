"""The part of the service that customers see: plans and checkout, the success page, sign-in, account and portal."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from claw_webhook.front.account_pages import SIGN_IN_PATH, AccountPages
from claw_webhook.front.accounts import Accounts
from claw_webhook.front.google_pages import CALLBACK_PATH, GooglePages
from claw_webhook.front.google_pages import PATH as GOOGLE_PATH
from claw_webhook.front.orders import Orders
from claw_webhook.front.pages import Pages
from claw_webhook.front.progress import Welcome
from claw_webhook.front.shop import Shop
from claw_webhook.front.stripe_shop import StripeShop
from claw_webhook.front.visitors import Throttle
from claw_webhook.runtimes import RuntimeApi, Runtimes
from claw_webhook.services import Services

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Storefront:
    """Its handlers."""

    shop: Shop
    welcome: Welcome
    account: AccountPages
    google: GooglePages


STOREFRONT = web.AppKey("storefront", Storefront)


def storefront_routes() -> list[web.RouteDef]:
    """Its routes. They find the handlers in the application, where they are once it has started."""
    return [
        web.get("/plans", _to(lambda front: front.shop.plans)),
        web.post("/checkout", _to(lambda front: front.shop.checkout)),
        web.get("/welcome", _to(lambda front: front.welcome.page)),
        web.get("/welcome/progress", _to(lambda front: front.welcome.events), allow_head=False),
        web.get("/sign-in", _to(lambda front: front.account.ask)),
        web.post("/sign-in", _to(lambda front: front.account.mail)),
        web.get(SIGN_IN_PATH, _to(lambda front: front.account.confirm)),
        web.post(SIGN_IN_PATH, _to(lambda front: front.account.enter)),
        web.post("/sign-out", _to(lambda front: front.account.leave)),
        web.get("/account", _to(lambda front: front.account.account)),
        web.post("/account/export", _to(lambda front: front.account.export)),
        web.post("/portal", _to(lambda front: front.account.portal)),
        web.get(GOOGLE_PATH, _to(lambda front: front.google.show)),
        web.post(f"{GOOGLE_PATH}/connect", _to(lambda front: front.google.connect)),
        web.post(f"{GOOGLE_PATH}/disconnect", _to(lambda front: front.google.disconnect)),
        web.get(CALLBACK_PATH, _to(lambda front: front.google.callback), allow_head=False),
    ]


def open_storefront(services: Services, runtimes: Runtimes, api: RuntimeApi) -> Storefront:
    """The handlers, over what the service works with."""
    settings, instances, clock = services.settings, services.instances, services.clock
    contact = settings.sender.addr_spec
    pages = Pages(contact=contact, outside=_pages_of(settings.stripe_api_url))
    stripe = StripeShop(
        services.stripe.client, public_url=settings.public_url, portal=settings.stripe_portal_configuration
    )
    accounts = Accounts(services.pool, services.passes, clock=clock)
    orders = Orders(
        stripe,
        pool=services.pool,
        instances=instances,
        customers=services.customers,
        looks=services.looks,
        asking=Throttle(burst=20, per_second=0.5),
    )
    return Storefront(
        shop=Shop(stripe, instances=instances, accounts=accounts, pages=pages, public_url=settings.public_url),
        welcome=Welcome(orders, links=services.links, pages=pages),
        account=AccountPages(
            accounts,
            passes=services.passes,
            outbox=services.outbox,
            stripe=stripe,
            instances=instances,
            pages=pages,
            public_url=settings.public_url,
            google=settings.claw_google_client_id is not None,
            clock=clock,
        ),
        google=GooglePages(
            accounts,
            runtimes=runtimes,
            api=api,
            pages=Pages(contact=contact, outside=_pages_of(settings.claw_google_url)),
            public_url=settings.public_url,
            google=settings.claw_google_url,
        ),
    )


async def close_streams(app: web.Application) -> None:
    """When the application is told to stop, before it waits for its connections."""
    app[STOREFRONT].welcome.close()


def _to(handler: Callable[[Storefront], Handler]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request.app[STOREFRONT])(request)

    return handle


def _pages_of(api_url: str) -> str:
    """Where the pages of Stripe or Google are: anywhere on https; for a simulator also where its API is."""
    parts = urlsplit(api_url)
    return "https:" if parts.scheme == "https" else f"https: {parts.scheme}://{parts.netloc}"
