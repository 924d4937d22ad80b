"""Stripe as the shop uses it: checkout sessions, the customer portal, and the catalogue that both offer.

Everything here raises StripeUnavailable when Stripe does not do as asked. The client repeats a request by itself, a
bounded number of times and under one idempotency key, so a lost answer makes nothing twice.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, TypeVar

import stripe

from claw_crds.keys import sha256
from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.front.catalogue import (
    PLAN,
    Action,
    Change,
    change_of_portal,
    changes_of_prices,
    our_portal,
    product_id,
)
from claw_webhook.front.stock import Portal, SoldPrice, SoldProduct, Stock
from claw_webhook.stripe_api import StripeUnavailable, asking
from claw_webhook.stripe_objects import CheckoutSession, StripeModel

BROWSER = "claw_browser"
"""Key of a session's metadata: the SHA-256 of the cookie of the browser that began it."""
RESUMES = "claw_resumes"
"""Key of the metadata that names the ended subscription whose instance is taken over."""
TIMEZONE = "timezone"
"""Key of the metadata by which the customer's time is kept."""
_PAGE = 100
_LOOKUP_KEYS = 10
"""As many as Stripe takes in one request."""

M = TypeVar("M", bound=StripeModel)


class NotForSale(Exception):
    """Stripe has no active price for the plan that costs what the plan says. The message is for the service's owner."""


class NoSuchSession(Exception):
    """Stripe knows no checkout session of that id."""


class KeyReused(Exception):
    """The client's idempotency key belongs to an earlier request with other contents."""


class StripeShop:
    """Opens checkouts and portals. `portal` is the configuration to use; the one made from the plans if not given."""

    def __init__(self, client: stripe.StripeClient, *, public_url: str, portal: str | None = None) -> None:
        self._client = client
        self._public_url = public_url
        self._portal = portal

    async def open_checkout(
        self,
        plan: ClawPlan,
        *,
        idempotency_key: str,
        browser: str | None = None,
        customer: str | None = None,
        resumes: str | None = None,
        timezone: str | None = None,
        trial: bool = True,
    ) -> str:
        """The address of a fresh payment page for the plan. Raises NotForSale, KeyReused."""
        said = {PLAN: plan.metadata.name, RESUMES: resumes, TIMEZONE: timezone}
        marks = {key: value for key, value in said.items() if value}
        days = plan.spec.trial_days if trial else 0
        params: Any = {
            "mode": "subscription",
            "line_items": await self._lines(plan),
            "success_url": f"{self._public_url}/welcome?session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{self._public_url}/plans",
            "metadata": marks | ({BROWSER: browser} if browser else {}),
            "subscription_data": {"metadata": marks} | ({"trial_period_days": days} if days else {}),
        }
        if customer:
            params["customer"] = customer
        with asking("open a checkout"):
            try:
                answer = await self._client.v1.checkout.sessions.create_async(
                    params, {"idempotency_key": idempotency_key}
                )
            except stripe.IdempotencyError as error:
                raise KeyReused from error
            session = CheckoutSession.model_validate(answer.to_dict())
        if not session.url:
            raise StripeUnavailable(f"Stripe opened checkout {session.id} without a page to pay on")
        return session.url

    async def session(self, session: str) -> CheckoutSession:
        """A checkout as it is now. Raises NoSuchSession."""
        with asking(f"tell about checkout {session}"):
            try:
                answer = await self._client.v1.checkout.sessions.retrieve_async(session)
            except stripe.InvalidRequestError as error:
                if error.http_status == 404:
                    raise NoSuchSession from error
                raise
            return CheckoutSession.model_validate(answer.to_dict())

    async def open_portal(self, customer: str) -> str:
        """The address of Stripe's portal for that customer, good for a few minutes."""
        params: Any = {"customer": customer, "return_url": f"{self._public_url}/account"}
        with asking(f"open the portal for {customer}"):
            configuration = self._portal or await self._own_portal()
            if configuration:
                params["configuration"] = configuration
            answer = await self._client.v1.billing_portal.sessions.create_async(params)
            return answer.url

    async def _own_portal(self) -> str | None:
        """The configuration from `sync_catalog`; None before that has run: then the account's default is used."""
        listed = self._client.v1.billing_portal.configurations.list_async({"active": True, "limit": _PAGE})
        ours = our_portal(await _all(listed, Portal))
        return ours.id if ours else None

    async def _lines(self, plan: ClawPlan) -> list[dict[str, Any]]:
        """What the customer buys: the plan's price, and the metered one if its usage is reported."""
        sold, metered = None, None
        with asking(f"tell the prices of plan {plan.metadata.name}"):
            async for price in self._prices(plan):
                if price.is_metered:
                    metered = metered or price
                elif price.charges(plan):
                    sold = sold or price
                if sold and (metered or not plan.spec.stripe.meter):
                    break
        if sold is None:
            raise NotForSale(
                f"Stripe has no active price for ClawPlan {plan.metadata.name} that is"
                f" {plan.spec.price.amount_monthly} {plan.spec.price.currency} a month: run claw billing sync-catalog"
            )
        lines: list[dict[str, Any]] = [{"price": sold.id, "quantity": 1}]
        return [*lines, {"price": metered.id}] if metered and plan.spec.stripe.meter else lines

    async def _prices(self, plan: ClawPlan) -> AsyncIterator[SoldPrice]:
        """The plan's own active prices and no others; first those that its lookup keys have moved to."""
        named = plan.spec.stripe
        if named.lookup_keys:
            keys = list(named.lookup_keys[:_LOOKUP_KEYS])
            listed = self._client.v1.prices.list_async({"lookup_keys": keys, "active": True, "limit": _PAGE})
            for price in sorted(await _all(listed, SoldPrice), key=lambda price: str(price.lookup_key) != keys[0]):
                yield price
        for price_id in named.price_ids:
            try:
                answer = await self._client.v1.prices.retrieve_async(price_id)
            except stripe.InvalidRequestError as error:
                if error.http_status == 404:  # of another account, or of the simulator
                    continue
                raise
            price = SoldPrice.model_validate(answer.to_dict())
            if price.active:
                yield price


async def sync_catalog(client: stripe.StripeClient, plans: Sequence[ClawPlan], *, dry_run: bool) -> list[Change]:
    """Make Stripe sell what the plans say; returns what was done, or with `dry_run` what would be.

    May be repeated and interrupted: what is right already is left alone. Raises CatalogueConflict before anything is
    changed, StripeUnavailable also in between.
    """
    stock = await _stock(client, plans)
    changes = changes_of_prices(plans, stock)
    if changes and not dry_run:
        for change in changes:
            await _apply(client, change)
        stock = await _stock(client, plans)
    portal = change_of_portal(plans, stock)
    if portal is None:
        return changes
    if not dry_run:
        await _apply(client, portal)
    return [*changes, portal]


async def _stock(client: stripe.StripeClient, plans: Sequence[ClawPlan]) -> Stock:
    # All active prices, not only those of our products: a price that was being replaced may be anywhere.
    keys = [key for plan in plans for key in plan.spec.stripe.lookup_keys[:1]]
    ids = sorted({product_id(plan) for plan in plans})
    with asking("tell what it sells"):
        prices = await _all(client.v1.prices.list_async({"active": True, "limit": _PAGE}), SoldPrice)
        for first in range(0, len(keys), _LOOKUP_KEYS):
            some = keys[first : first + _LOOKUP_KEYS]
            prices += await _all(client.v1.prices.list_async({"lookup_keys": some, "limit": _PAGE}), SoldPrice)
        products = await _all(client.v1.products.list_async({"ids": ids, "limit": _PAGE}), SoldProduct) if ids else []
        portals = client.v1.billing_portal.configurations.list_async({"active": True, "limit": _PAGE})
        return Stock(
            products={product.id: product for product in products},
            prices=list({price.id: price for price in prices}.values()),
            portals=await _all(portals, Portal),
        )


async def _apply(client: stripe.StripeClient, change: Change) -> None:
    params: Any = dict(change.params)
    with asking(f"{change.action} {change.target}"):
        match change.action:
            case Action.CREATE_PRODUCT:
                await client.v1.products.create_async(params)
            case Action.UPDATE_PRODUCT:
                await client.v1.products.update_async(change.target, params)
            case Action.CREATE_PRICE:
                # The same from two who run at the same time; another one when a price goes back to what it was.
                key = sha256(f"{change.target} {sorted(params.items())} {change.replaces}")
                await client.v1.prices.create_async(params, {"idempotency_key": f"claw-price-{key}"})
            case Action.SET_DEFAULT_PRICE:
                found = await _all(client.v1.prices.list_async({"lookup_keys": [params["lookup_key"]]}), SoldPrice)
                await client.v1.products.update_async(change.target, {"default_price": found[0].id})
            case Action.MARK_PRICE:
                await client.v1.prices.update_async(change.target, params)
            case Action.ARCHIVE_PRICE:
                await client.v1.prices.update_async(change.target, {"active": False})
            case Action.CREATE_PORTAL:
                await client.v1.billing_portal.configurations.create_async(params)
            case Action.UPDATE_PORTAL:
                await client.v1.billing_portal.configurations.update_async(change.target, params)


async def _all(listed: "Awaitable[stripe.ListObject[Any]]", model: type[M]) -> list[M]:
    """Every object of a list, whatever its length."""
    first = await listed
    return [model.model_validate(item.to_dict()) async for item in first.auto_paging_iter()]
