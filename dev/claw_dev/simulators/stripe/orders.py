"""What can be asked of the simulator through `/_sim/`: the documents of its control endpoints."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from claw_dev.simulators.stripe.delivery import Signing
from claw_dev.simulators.stripe.records import SubscriptionStatus


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


class ChangePrice(Order):
    """The customer changes the plan."""

    price: str = Field(description="A price's id or lookup key.")


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
