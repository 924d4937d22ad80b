"""`/sign-in` and `/account`: a customer without a password, let in by a link in a mail.

Whether an address is known is told to nobody: asking for a link has one answer. The link in the mail shows a button and
changes nothing, because mail scanners follow every link they find; the button signs in, once.

Cookies do not serve other sites: every POST that relies on one is refused when another site's page has sent it.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg
from aiohttp import web

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.front.accounts import Accounts
from claw_webhook.front.pages import Pages
from claw_webhook.front.passes import SESSION_LIFETIME, TOKEN, Passes, PassKind
from claw_webhook.front.standing_words import card
from claw_webhook.front.stripe_shop import StripeShop
from claw_webhook.front.visitors import SESSION, Throttle, address_of, is_foreign, set_cookie
from claw_webhook.instances import ClusterUnavailable, Instances
from claw_webhook.mails.outbox import Outbox
from claw_webhook.stripe_api import StripeUnavailable

SIGN_IN_PATH = f"/sign-in/{{token:{TOKEN}}}"
_EXPORT_LIFETIME = timedelta(hours=1)
_LONGEST_ADDRESS = 254

logger = logging.getLogger(__name__)


class AccountPages:
    """The handlers."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        passes: Passes,
        outbox: Outbox,
        stripe: StripeShop,
        instances: Instances,
        pages: Pages,
        public_url: str,
        google: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._accounts = accounts
        self._passes = passes
        self._outbox = outbox
        self._stripe = stripe
        self._instances = instances
        self._pages = pages
        self._public_url = public_url
        self._google = google
        self._clock = clock
        self._throttle = Throttle(burst=5, per_second=1 / 60)

    async def ask(self, request: web.Request) -> web.Response:
        """`GET /sign-in`: asks for the address."""
        return self._pages.render(200, "pages/sign_in.html.j2", state="ask")

    async def mail(self, request: web.Request) -> web.Response:
        """`POST /sign-in`: mails a link, if the address is a customer's. The answer is always the same."""
        if self._is_foreign(request):
            return self._foreign()
        if not self._throttle.allows(address_of(request)):
            text = "Too many links were asked for from your address. Please try again in some minutes."
            return self._pages.sorry(429, "One moment, please", text, headers=self._throttle.retry_after)
        email = str((await request.post()).get("email", "")).strip()
        if "@" not in email or len(email) > _LONGEST_ADDRESS or not email.isprintable():
            return self._pages.render(422, "pages/sign_in.html.j2", state="no_address")
        try:
            if await self._accounts.ask_for_sign_in(email):
                self._outbox.arrived.set()
        except psycopg.OperationalError as error:
            return self._try_again(error)
        return self._pages.render(200, "pages/sign_in.html.j2", state="sent")

    async def confirm(self, request: web.Request) -> web.Response:
        """`GET /sign-in/{token}`: a button."""
        try:
            found = await self._passes.look(request.match_info["token"], PassKind.SIGN_IN)
        except psycopg.OperationalError as error:
            return self._try_again(error)
        return self._pages.render(200 if found else 410, "pages/sign_in.html.j2", state="confirm" if found else "over")

    async def enter(self, request: web.Request) -> web.Response:
        """`POST /sign-in/{token}`: uses the link up and sets the cookie."""
        if self._is_foreign(request):  # or another site could sign its visitors in as somebody else
            return self._foreign()
        try:
            found = await self._passes.use(request.match_info["token"], PassKind.SIGN_IN)
            if found is None:
                return self._pages.render(410, "pages/sign_in.html.j2", state="over")
            token = await self._passes.issue(PassKind.SESSION, found.customer, lifetime=SESSION_LIFETIME)
        except psycopg.OperationalError as error:
            return self._try_again(error)
        logger.info("customer %s signed in", found.customer)
        answer = _see_other("/account")
        seconds = int(SESSION_LIFETIME.total_seconds())
        set_cookie(answer, SESSION, token, seconds=seconds, public_url=self._public_url)
        return answer

    async def leave(self, request: web.Request) -> web.Response:
        """`POST /sign-out`: the pass is used up, so a copy of the cookie opens nothing either."""
        if self._is_foreign(request):
            return self._foreign()
        try:
            await self._passes.use(request.cookies.get(SESSION, ""), PassKind.SESSION)
        except psycopg.OperationalError as error:
            return self._try_again(error)
        answer = _see_other("/sign-in")
        answer.del_cookie(SESSION, path="/")
        return answer

    async def account(self, request: web.Request) -> web.Response:
        """`GET /account`: what the customer has, and what can be done about it."""
        try:
            customer = await self._accounts.signed_in(request)
            if customer is None:
                return _see_other("/sign-in")
            email, timezone = await self._accounts.email(customer)
            held = await self._accounts.subscriptions(customer)
            plans = await self._plans()
        except psycopg.OperationalError as error:
            return self._try_again(error)
        now = self._clock()
        cards = [card(one, plans.get(one.plan or ""), timezone=timezone, now=now) for one in held]
        return self._pages.render(
            200, "pages/account.html.j2", leads_out=True, email=email, cards=cards, google=self._google
        )

    async def portal(self, request: web.Request) -> web.Response:
        """`POST /portal`: to Stripe's portal, where plan, card and invoices are."""
        if self._is_foreign(request):
            return self._foreign()
        try:
            customer = await self._accounts.signed_in(request)
            if customer is None:
                return _see_other("/sign-in")
            return _see_other(await self._stripe.open_portal(customer))
        except (psycopg.OperationalError, StripeUnavailable) as error:
            return self._try_again(error)

    async def export(self, request: web.Request) -> web.Response:
        """`POST /account/export`: a download link for one of the customer's own instances."""
        if self._is_foreign(request):
            return self._foreign()
        wanted = str((await request.post()).get("subscription", ""))
        try:
            customer = await self._accounts.signed_in(request)
            if customer is None:
                return _see_other("/sign-in")
            held = await self._accounts.subscriptions(customer)
            instance = next((one.instance for one in held if one.id == wanted), None)
            if instance is None:
                return self._pages.sorry(404, "Nothing to download", "There is no data of this subscription any more.")
            token = await self._passes.issue(PassKind.EXPORT, customer, lifetime=_EXPORT_LIFETIME, instance=instance)
        except psycopg.OperationalError as error:
            return self._try_again(error)
        return _see_other(f"/exports/{token}")

    async def _plans(self) -> dict[str, ClawPlan]:
        try:
            return {plan.metadata.name: plan for plan in await self._instances.plans()}
        except ClusterUnavailable as error:
            logger.warning("an account is shown without its plans' prices: %s", error)
            return {}

    def _is_foreign(self, request: web.Request) -> bool:
        return is_foreign(request, self._public_url)

    def _foreign(self) -> web.Response:
        text = "This request came from a page of somebody else. Open our own page and try again."
        return self._pages.sorry(403, "Not from here", text)

    def _try_again(self, error: Exception) -> web.Response:
        logger.warning("an account's page could not be shown: %s", error or type(error).__name__)
        text = "This does not work at the moment. Please try again in a minute."
        return self._pages.sorry(503, "Not right now", text, headers={"Retry-After": "10"})


def _see_other(place: str) -> web.Response:
    return web.Response(status=303, headers={"Location": place, "Cache-Control": "no-store"})
