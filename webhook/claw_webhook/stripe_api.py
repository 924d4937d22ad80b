"""Stripe's API, as far as it is called: the subscription as it is now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import stripe
from pydantic import ValidationError

from claw_webhook.stripe_objects import Subscription

_PATIENCE = httpx.Timeout(10, connect=3)
_RETRIES = 2


class StripeUnavailable(Exception):
    """Stripe did not answer as asked, and may do so later. The message is for the person who runs the service."""


class NoSuchSubscription(Exception):
    """Stripe says that it does not exist, at least for our key."""


class StripeApi:
    """Reads from Stripe. The client brings timeouts and a bounded number of retries."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client

    async def subscription(self, subscription: str) -> Subscription:
        """The subscription as it is now, with its customer. Raises NoSuchSubscription, StripeUnavailable."""
        try:
            answer = await self._client.v1.subscriptions.retrieve_async(subscription, {"expand": ["customer"]})
            return Subscription.model_validate(answer.to_dict())
        except stripe.InvalidRequestError as error:
            if error.http_status == 404:
                raise NoSuchSubscription(
                    f"Stripe knows no subscription {subscription}: is STRIPE_SECRET_KEY of the account and the mode"
                    " (live or test) that sent the event?"
                ) from error
            raise StripeUnavailable(f"Stripe refused to tell about {subscription}: {error.user_message}") from error
        except stripe.AuthenticationError as error:
            raise StripeUnavailable("Stripe does not accept STRIPE_SECRET_KEY: give it a valid one") from error
        except stripe.StripeError as error:
            raise StripeUnavailable(f"Stripe did not tell about {subscription}: {type(error).__name__}") from error
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
            raise StripeUnavailable(f"Stripe's answer about {subscription} cannot be read in {fields}") from error


@asynccontextmanager
async def open_stripe(secret_key: str, *, base: str) -> AsyncIterator[StripeApi]:
    """Stripe at that address, over one httpx session that does not block the loop."""
    transport = stripe.HTTPXClient(timeout=_PATIENCE)
    client = stripe.StripeClient(
        secret_key, http_client=transport, base_addresses={"api": base}, max_network_retries=_RETRIES
    )
    try:
        yield StripeApi(client)
    finally:
        await transport.close_async()  # type: ignore[no-untyped-call]  # stripe left it without annotations
