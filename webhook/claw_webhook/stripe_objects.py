"""Stripe's documents, as far as they are read here. Pure.

They are large and change from version to version: these models take the few fields that are used, tolerate all others,
and read what moved (in 2025 the running period went from the subscription to its items) in both places.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

CHECKOUT_COMPLETED = "checkout.session.completed"


class StripeModel(BaseModel):
    """The part of one of Stripe's documents that is read here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _id_of(value: object) -> object:
    """Stripe writes a reference as an id, or as the whole object when asked to expand it."""
    return value.get("id") if isinstance(value, Mapping) else value


def _or_empty(value: object) -> object:
    return {} if value is None else value


StripeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]{0,127}$")]
Reference = Annotated[StripeId | None, BeforeValidator(_id_of)]
Metadata = Annotated[dict[str, str], BeforeValidator(_or_empty)]


_REFERENCE: TypeAdapter[str | None] = TypeAdapter(Reference)


def _reference(value: object) -> str | None:
    try:
        return _REFERENCE.validate_python(value)
    except ValidationError:
        return None


class CheckoutCustomer(StripeModel):
    """What the customer typed into the checkout's form."""

    email: str | None = None
    name: str | None = None
    business_name: str | None = None


class Checkout(StripeModel):
    """A completed checkout session. It never changes again, so the event's copy of it is as good as a fresh one."""

    customer_details: Annotated[CheckoutCustomer, BeforeValidator(_or_empty)] = CheckoutCustomer()
    locale: str | None = None
    metadata: Metadata = Field(default_factory=dict)


class EventData(StripeModel):
    """The envelope's content: the object that changed, as it was then."""

    object: dict[str, Any] = Field(default_factory=dict)


class Event(StripeModel):
    """The envelope. Thin events (`v2.core.event`) have no data; they are stored all the same."""

    id: StripeId
    type: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\[\]-]{1,255}$")]
    data: Annotated[EventData, BeforeValidator(_or_empty)] = EventData()

    @classmethod
    def parse(cls, payload: str) -> "Event":
        """From the text that was signed. Raises ValueError."""
        try:
            return cls.model_validate(json.loads(payload))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    @property
    def subscription_id(self) -> str | None:
        """The subscription that the event is about; None when nothing is to be done about the event."""
        if self.type == CHECKOUT_COMPLETED:
            return _reference(self.data.object.get("subscription"))
        if self.type.startswith("customer.subscription."):
            return _reference(self.data.object.get("id"))
        return None

    @property
    def checkout(self) -> Checkout | None:
        """What the customer entered at the checkout, if this event tells and can be read."""
        if self.type != CHECKOUT_COMPLETED:
            return None
        try:
            return Checkout.model_validate(self.data.object)
        except ValidationError:
            return None


class StripeCustomer(StripeModel):
    """Who pays. A deleted customer has nothing but its id."""

    id: StripeId
    email: str | None = None
    name: str | None = None
    business_name: str | None = None
    preferred_locales: Annotated[tuple[str, ...], BeforeValidator(lambda value: value or ())] = ()
    metadata: Metadata = Field(default_factory=dict)


class StripePrice(StripeModel):
    """What was bought."""

    id: str
    lookup_key: str | None = None


class SubscriptionItem(StripeModel):
    """One line of a subscription."""

    price: StripePrice
    current_period_end: int | None = None


class SubscriptionItems(StripeModel):
    """The lines of a subscription."""

    data: tuple[SubscriptionItem, ...] = ()


class Subscription(StripeModel):
    """A subscription as it is now, with its customer expanded."""

    id: StripeId
    status: str
    customer: StripeCustomer
    items: SubscriptionItems = SubscriptionItems()
    metadata: Metadata = Field(default_factory=dict)
    cancel_at_period_end: bool = False
    current_period_end: int | None = None
    """Only in API versions before 2025-03-31; later ones write it on each item."""

    @property
    def paid_until(self) -> datetime | None:
        """The end of the running period, in UTC, in whichever place this API version writes it."""
        ends = [item.current_period_end for item in self.items.data if item.current_period_end is not None]
        end = max(ends, default=self.current_period_end)
        return None if end is None else datetime.fromtimestamp(end, UTC)

    @property
    def price_ids(self) -> tuple[str, ...]:
        """The prices that were bought."""
        return tuple(item.price.id for item in self.items.data)
