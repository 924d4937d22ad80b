"""`/plans`, what there is to buy, and `/checkout`, which leads to Stripe's payment page.

What is sold are the ClawPlans of the cluster. A request names a plan and never a price: which price that is, is looked
up at Stripe among the plan's own.
"""

import json
import logging
import math
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psycopg
from aiohttp import web

from claw_crds.keys import sha256
from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.front.accounts import Accounts
from claw_webhook.front.offers import money, promises
from claw_webhook.front.pages import Pages
from claw_webhook.front.stripe_shop import KeyReused, NotForSale, StripeShop
from claw_webhook.front.visitors import BROWSER, Throttle, address_of, browser_of, set_cookie
from claw_webhook.instances import ClusterUnavailable, Instances
from claw_webhook.problems import problem
from claw_webhook.stripe_api import StripeUnavailable

_COOKIE_SECONDS = 2 * 24 * 3600
"""A checkout is open for a day, and its browser may come back to it on the next."""
_PLANS_FRESH_SECONDS = 5
"""Plans change seldom, and anybody may look at them as often as they like."""
_TIMEZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """What somebody wants to buy."""

    plan: str
    resumes: str | None = None
    """The id of an ended subscription of the same customer, whose instance is to go on."""
    timezone: str | None = None
    """Of the browser, for example Europe/London."""


class Shop:
    """The handlers. `new_token` gives unguessable texts, `seconds` is a clock that only goes forward."""

    def __init__(
        self,
        stripe: StripeShop,
        *,
        instances: Instances,
        accounts: Accounts,
        pages: Pages,
        public_url: str,
        new_token: Callable[[], str] = secrets.token_urlsafe,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stripe = stripe
        self._instances = instances
        self._accounts = accounts
        self._pages = pages
        self._public_url = public_url
        self._new_token = new_token
        self._throttle = Throttle(burst=10, per_second=0.1)
        self._seconds = seconds
        self._plans: tuple[float, list[ClawPlan]] = (-math.inf, [])
        """When they were read, and what they were."""
        self._trouble: str | None = None

    async def plans(self, request: web.Request) -> web.Response:
        """`GET /plans`."""
        try:
            sold = await self._sold()
        except ClusterUnavailable as error:
            logger.warning("the plans could not be shown: %s", error)
            text = "We cannot show our plans at the moment. Please try again in a minute."
            return self._pages.sorry(503, "Not right now", text, headers={"Retry-After": "30"})
        offers = [
            {
                "plan": name,
                "name": plan.spec.display_name,
                "price": money(plan.spec.price.amount_monthly, plan.spec.price.currency),
                "trial_days": plan.spec.trial_days,
                "promises": promises(plan),
            }
            for name, plan in sold.items()
        ]
        return self._pages.render(200, "pages/plans.html.j2", script="pages/plans.js", leads_out=True, offers=offers)

    async def checkout(self, request: web.Request) -> web.Response:
        """`POST /checkout`: a form is led to the payment page, JSON is told its address."""
        if not self._throttle.allows(address_of(request)):
            detail = "Too many checkouts were begun from your address. Wait a little."
            return self._refuse(request, 429, "Too many requests", detail, self._throttle.retry_after)
        try:
            order = await _order(request)
        except ValueError as error:
            return self._refuse(request, 422, "Not an order", str(error))
        try:
            return await self._open(request, order)
        except KeyReused:
            detail = "This Idempotency-Key was used for another order. Take a new one."
            return self._refuse(request, 409, "Conflict", detail)
        except (StripeUnavailable, NotForSale, ClusterUnavailable, psycopg.OperationalError) as error:
            self._say_once(str(error) or type(error).__name__)
            detail = "The checkout cannot be opened at the moment. Nothing was charged; please try again in a minute."
            return self._refuse(request, 503, "Not right now", detail, {"Retry-After": "10"})

    async def _open(self, request: web.Request, order: Order) -> web.Response:
        plan = (await self._sold()).get(order.plan)
        if plan is None:
            return self._refuse(request, 404, "No such plan", "There is no plan of this name: see /plans.")
        customer = await self._accounts.signed_in(request)
        if order.resumes and not (customer and await self._accounts.may_resume(customer, order.resumes)):
            detail = "Only an ended subscription of your own can be resumed, while its data is kept. Sign in first."
            return self._refuse(request, 409, "Cannot be resumed", detail)

        # Kept apart for each browser, or each address: another client's "1" must not lead to this checkout.
        client_key = request.headers.get("Idempotency-Key")
        browser = browser_of(request) or (None if client_key else self._new_token())
        own_key = f"{client_key} {browser or address_of(request)} {customer}" if client_key else self._new_token()
        url = await self._stripe.open_checkout(
            plan,
            idempotency_key=f"claw-checkout-{sha256(own_key)}",
            browser=sha256(browser) if browser else None,
            customer=customer,
            resumes=order.resumes,
            timezone=order.timezone,
            trial=customer is None or not await self._accounts.has_subscribed(customer),
        )
        self._say_once(None)
        answer = (
            web.json_response({"url": url})
            if _is_json(request)
            else web.Response(status=303, headers={"Location": url})
        )
        if browser:
            set_cookie(answer, BROWSER, browser, seconds=_COOKIE_SECONDS, public_url=self._public_url)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def _sold(self) -> dict[str, ClawPlan]:
        """The plans that Stripe can sell, by name, the cheapest first."""
        read_at, plans = self._plans
        if self._seconds() - read_at > _PLANS_FRESH_SECONDS:
            plans = sorted(await self._instances.plans(), key=lambda plan: plan.spec.price.amount_monthly)
            self._plans = self._seconds(), plans
        return {
            plan.metadata.name: plan for plan in plans if plan.spec.stripe.price_ids or plan.spec.stripe.lookup_keys
        }

    def _refuse(
        self, request: web.Request, status: int, title: str, detail: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        """A page for a person, a problem for a program."""
        if "text/html" in request.headers.get("Accept", ""):
            return self._pages.sorry(status, title, detail, headers=headers)
        return problem(status, title, detail, headers)

    def _say_once(self, trouble: str | None) -> None:
        """To the log, when no checkout can be opened, and when one can again."""
        if trouble and not self._trouble:
            logger.error("no checkout can be opened: %s", trouble)
        elif self._trouble and not trouble:
            logger.info("checkouts can be opened again")
        self._trouble = trouble


async def _order(request: web.Request) -> Order:
    """From a form or from JSON. Raises ValueError with what is wrong."""
    if _is_json(request):
        try:
            given = await request.json()
        except json.JSONDecodeError as error:
            raise ValueError("The body is not JSON.") from error
    else:
        given = await request.post()
    if not isinstance(given, Mapping):
        raise ValueError('The body has to be an object: {"plan": "…"}.')  # noqa: TRY004  # the client's fault
    plan, resumes = given.get("plan"), given.get("resumes") or None
    if not isinstance(plan, str) or not plan:
        raise ValueError("The order names no plan.")
    if not isinstance(resumes, str | None):
        raise ValueError("What is resumed has to be the id of a subscription.")  # noqa: TRY004
    timezone = str(given.get("timezone") or "")
    return Order(plan, resumes, timezone if _TIMEZONE.fullmatch(timezone) else None)


def _is_json(request: web.Request) -> bool:
    return request.content_type == "application/json"
