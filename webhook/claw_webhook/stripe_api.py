"""Stripe's API, as far as billing reads it: the subscription as it is now, and what is owed for it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import stripe
from pydantic import ValidationError

from claw_webhook.stripe_objects import Invoice, Subscription

API_VERSION = "2026-10-28.endive"
"""What the installed client was written for. Older answers are understood, too: an endpoint sends events in its own."""
_PAGE = 100
"""As many as Stripe gives at once, and more than one customer ever has."""
_PATIENCE = httpx.Timeout(10, connect=3)
_RETRIES = 2


class StripeUnavailable(Exception):
    """Stripe did not answer as asked, and may do so later. The message is for the person who runs the service."""


class NoSuchSubscription(Exception):
    """Stripe says that it does not exist, at least for our key."""


class StripeApi:
    """Reads from Stripe. The client brings timeouts and a bounded number of retries."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self.client = client

    async def subscription(self, subscription: str) -> Subscription:
        """The subscription as it is now, with its customer and latest invoice.

        Raises NoSuchSubscription, StripeUnavailable.
        """
        with asking(f"tell about subscription {subscription}"):
            try:
                answer = await self.client.v1.subscriptions.retrieve_async(
                    subscription, {"expand": ["customer", "latest_invoice"]}
                )
            except stripe.InvalidRequestError as error:
                if error.http_status != 404:
                    raise
                raise NoSuchSubscription(
                    f"Stripe knows no subscription {subscription}: is STRIPE_SECRET_KEY of the account and the mode"
                    " (live or test) that sent the event?"
                ) from error
            return Subscription.model_validate(answer.to_dict())

    async def open_invoices(self, subscription: str) -> tuple[Invoice, ...]:
        """What is owed for the subscription, newest first. Raises StripeUnavailable."""
        with asking(f"tell about the open invoices of {subscription}"):
            answer = await self.client.v1.invoices.list_async(
                {"subscription": subscription, "status": "open", "limit": _PAGE}
            )
            return tuple(Invoice.model_validate(invoice.to_dict()) for invoice in answer.data)

    async def subscriptions_of(self, customer: str) -> tuple[Subscription, ...]:
        """The customer's subscriptions that have not been canceled. Raises StripeUnavailable."""
        with asking(f"tell about the subscriptions of {customer}"):
            try:
                answer = await self.client.v1.subscriptions.list_async(
                    {"customer": customer, "limit": _PAGE, "expand": ["data.customer"]}
                )
            except stripe.InvalidRequestError as error:
                if error.code != "resource_missing":
                    raise
                return ()  # deleted, with all there was
            return tuple(Subscription.model_validate(subscription.to_dict()) for subscription in answer.data)


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Every failure of a call as StripeUnavailable, with what to do. `what` completes "Stripe did not …"."""
    try:
        yield
    except stripe.AuthenticationError as error:
        raise StripeUnavailable("Stripe does not accept STRIPE_SECRET_KEY: give it a valid one") from error
    except stripe.InvalidRequestError as error:
        raise StripeUnavailable(f"Stripe refused to {what}: {error.user_message}") from error
    except stripe.StripeError as error:
        raise StripeUnavailable(f"Stripe did not {what}: {type(error).__name__}") from error
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
        raise StripeUnavailable(f"Stripe's answer when asked to {what} cannot be read in {fields}") from error


@asynccontextmanager
async def open_stripe(secret_key: str, *, base: str) -> AsyncIterator[StripeApi]:
    """Stripe at that address, over one httpx session that does not block the loop."""
    transport = stripe.HTTPXClient(timeout=_PATIENCE)
    client = stripe.StripeClient(
        secret_key,
        http_client=transport,
        stripe_version=API_VERSION,
        base_addresses={"api": base},
        max_network_retries=_RETRIES,
    )
    try:
        yield StripeApi(client)
    finally:
        await transport.close_async()  # type: ignore[no-untyped-call]  # stripe left it without annotations
