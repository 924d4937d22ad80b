"""Stripe's books, as far as they are read whole or written into: its lists of events and subscriptions, and usage.

`stripe_api.py` looks at one subscription; this looks at all of them. A list is yielded page by page, so that ten
thousand subscriptions take no more memory than a hundred. One that could not be read to its end raises: what is missing
from half a list is not missing.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import stripe
from pydantic import ValidationError

from claw_webhook.stripe_api import StripeUnavailable
from claw_webhook.stripe_objects import StripeModel, Subscription

_PAGE = 100
"""The most that Stripe gives at once."""
_KNOWN_ALREADY = ("duplicate_meter_event", "An event already exists with identifier")
"""How Stripe refuses usage that it has: by a code, or, on some paths, in words alone."""


class MeterEventRefused(Exception):
    """Stripe does not take this usage. The message, Stripe's own, says why: no such meter, customer gone, too old."""


@dataclass(frozen=True)
class Unreadable:
    """A subscription in a form that this version cannot read. It is there: nothing follows from its contents."""

    id: str
    fields: str


@dataclass(frozen=True)
class MeterEvent:
    """Usage of one customer, to be counted once, whoever sends it how often."""

    identifier: str
    """At most 100 characters. Stripe remembers it for a day at least."""
    event_name: str
    customer: str
    value: int
    at: datetime


class StripeBooks:
    """Lists and usage of one Stripe account. Every method may raise StripeUnavailable."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client

    async def events(self, since: datetime) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Everything that happened since then, newest first, in pages. Stripe keeps events for 30 days."""
        params: dict[str, Any] = {"created": {"gte": int(since.timestamp())}}
        async with aclosing(self._pages("/v1/events", params, "its events")) as pages:
            async for page in pages:
                yield page

    async def subscriptions(self) -> AsyncGenerator[list[Subscription | Unreadable], None]:
        """All subscriptions of the account, ended ones included, in pages."""
        params = {"status": "all", "expand": ["data.customer", "data.latest_invoice"]}
        async with aclosing(self._pages("/v1/subscriptions", params, "its subscriptions")) as pages:
            async for page in pages:
                yield [_subscription(document) for document in page]

    async def _pages(self, path: str, params: dict[str, Any], what: str) -> AsyncGenerator[list[dict[str, Any]], None]:
        after: dict[str, str] = {}
        while True:
            page = await self._page(path, {**params, **after, "limit": _PAGE}, what)
            yield page.data
            if not page.has_more:
                return
            if not page.data:
                raise StripeUnavailable(f"Stripe says that there is more of {what}, and does not tell it")
            after = {"starting_after": str(page.data[-1]["id"])}

    async def _page(self, path: str, params: dict[str, Any], what: str) -> "_Page":
        try:
            # As it is: the client's own objects of a hundred events take a tenth of a second to make, in which the
            # loop could not answer a delivery.
            answer = await self._client.raw_request_async("get", path, **params)
            return _Page.model_validate(answer.data)
        except stripe.StripeError as error:
            raise _unavailable(f"Stripe did not list {what} to the end", error) from error
        except ValidationError as error:
            raise StripeUnavailable(f"Stripe's list of {what} cannot be read") from error

    async def report(self, usage: MeterEvent) -> None:
        """Tell Stripe of usage; once more is the same. Raises MeterEventRefused."""
        try:
            await self._client.v1.billing.meter_events.create_async(
                {
                    "event_name": usage.event_name,
                    "identifier": usage.identifier,
                    "timestamp": int(usage.at.timestamp()),
                    "payload": {"stripe_customer_id": usage.customer, "value": str(usage.value)},
                }
            )
        except stripe.InvalidRequestError as error:
            code, words = _KNOWN_ALREADY
            if error.code == code or words in (error.user_message or ""):
                return
            raise MeterEventRefused(error.user_message or error.code or "no reason given") from error
        except stripe.StripeError as error:
            raise _unavailable(f"Stripe did not take the usage {usage.identifier}", error) from error


class _Page(StripeModel):
    data: list[dict[str, Any]]
    has_more: bool


def _subscription(document: dict[str, Any]) -> Subscription | Unreadable:
    try:
        return Subscription.model_validate(document)
    except ValidationError as error:
        fields = {".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False, include_url=False)}
        return Unreadable(str(document.get("id")), ", ".join(sorted(fields)))


def _unavailable(what: str, error: stripe.StripeError) -> StripeUnavailable:
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return StripeUnavailable(f"{what}: STRIPE_SECRET_KEY is not accepted, or may not do this")
    return StripeUnavailable(f"{what}: {type(error).__name__}")
