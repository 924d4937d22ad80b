"""What can be asked of the simulator through `/_sim/`: the documents of its control endpoints."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from claw_dev.simulators.stripe.delivery import TAKEN, Signing
from claw_dev.simulators.stripe.records import Card, SubscriptionStatus


class Order(BaseModel):
    """Something to do."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CompleteCheckout(Order):
    """A customer pays: in the open session that is named, or in a new one for the price.

    Nothing is checked that the payment page would check: names of 10 kB and addresses with line breaks go through.
    """

    email: str
    name: str | None = None
    phone: str | None = None
    business_name: str | None = None
    locale: str | None = None
    session: str | None = Field(default=None, description="The id of an open session.")
    customer: str | None = Field(default=None, description="The id of a customer who already exists.")
    price: str | None = Field(default=None, description="A price's id or lookup key, for a new session.")
    quantity: int = Field(default=1, ge=1)
    metadata: dict[str, str] = Field(default={}, description="Of the new session and of its subscription.")
    trial_days: int = Field(default=0, ge=0)
    card: Card = Field(default=Card.GOOD, description="What will become of payments. None is possible on trial only.")
    coupon: str | None = Field(default=None, description="For a new session.")
    without_payment_method: Literal["cancel", "create_invoice", "pause"] = "create_invoice"
    test_clock: str | None = Field(default=None, description="For a new customer.")


class ChangePrice(Order):
    """The customer changes the plan."""

    price: str = Field(description="A price's id or lookup key.")
    proration_behavior: Literal["always_invoice", "create_prorations", "none"] = "create_prorations"


class SetStatus(Order):
    """The subscription gets into a status, with the events that lead there."""

    status: SubscriptionStatus


class Cancel(Order):
    """The subscription ends."""

    at_period_end: bool = False
    reason: Literal["cancellation_requested", "payment_failed", "payment_disputed"] = "cancellation_requested"


class Deliver(Order):
    """One delivery, right now and without retries: an event that was delivered before, or something made up.

    Exactly one of `event`, `type` and `body` says what.
    """

    event: str | None = Field(default=None, description="The id of an event, to be delivered once more.")
    type: str | None = Field(default=None, description="A made-up event of this type.")
    body: str | None = Field(default=None, description="A body that need not even be JSON.")
    signing: Signing = Signing.VALID
    age: int = Field(default=0, description="Seconds since it was signed; Stripe's own library accepts 300.")
    padding: int = Field(default=0, ge=0, le=64 * 2**20, description="Bytes of blanks after the body.")


class SetEndpoint(Order):
    """Where events go. Two secrets are in use while one is rolled."""

    url: str | None = None
    secrets: tuple[str, ...] = ()
    api_version: str | None = Field(default=None, description="What events are told in from now on, if it changes.")
    enabled_events: tuple[str, ...] = Field(default=TAKEN, description="Types, or `*` for all of them.")
    duplicates: float = Field(default=0, ge=0, le=1, description="The share of events that come once more.")
    disorder: float = Field(default=0, ge=0, le=1, description="The share of deliveries that are held back.")
    disorder_seconds: float = Field(default=1, ge=0, description="For how long at most.")


class SetCard(Order):
    """The customer of a subscription has another card, or the old one behaves differently."""

    card: Card


class SetRules(Order):
    """What the business chose in the dashboard. What is not named stays as it is."""

    retry_days: tuple[int, ...] | None = None
    after_retries: Literal["canceled", "unpaid", "past_due"] | None = None
    draft_seconds: int | None = Field(default=None, ge=0)


class Advance(Order):
    """Time passes for everything that is on no test clock: until a moment, or for a while.

    With neither, everything happens that is due by the clock that the simulator was given.
    """

    to: int | None = Field(default=None, description="Seconds since 1970.")
    seconds: int = Field(default=0, ge=0)
