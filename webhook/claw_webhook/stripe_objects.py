"""Stripe's documents, as far as they are read here. Pure.

They are large and change from version to version: these models take the few fields that are used, tolerate all others,
and read what moved in 2025 in both places: the running period (from the subscription to its items), an invoice's
subscription (into `parent`) and the price of an invoice's line (into `pricing`).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

_CHECKOUT_TELLS = {"checkout.session.completed", "checkout.session.async_payment_succeeded"}


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
    """What the customer entered. It never changes again, so an event's copy of it is as good as a fresh one."""

    customer_details: Annotated[CheckoutCustomer, BeforeValidator(_or_empty)] = CheckoutCustomer()
    locale: str | None = None
    metadata: Metadata = Field(default_factory=dict)


class CheckoutSession(Checkout):
    """A checkout session with what became of it."""

    id: StripeId
    status: str | None = None
    """open, complete or expired."""
    payment_status: str | None = None
    """paid, unpaid or no_payment_required."""
    subscription: Reference = None
    customer: Reference = None
    url: str | None = None
    """Stripe's page; only while the session is open."""


class EventData(StripeModel):
    """The envelope's content: the object that changed, as it was then."""

    object: dict[str, Any] = Field(default_factory=dict)


class Event(StripeModel):
    """The envelope. Thin events (`v2.core.event`) have no data; they are stored all the same."""

    id: StripeId
    type: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\[\]-]{1,255}$")]
    created: datetime | None = None
    data: Annotated[EventData, BeforeValidator(_or_empty)] = EventData()

    @classmethod
    def parse(cls, payload: str) -> "Event":
        """From the text that was signed. Raises ValueError."""
        try:
            return cls.model_validate(json.loads(payload))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    @property
    def subject(self) -> str | None:
        """Whom to look at because of this event: a subscription, or all those of a customer (`cus_…`).

        None when nothing follows from the event. Refunds and disputes are among those: whether the subscription goes on
        is decided in Stripe, and an event of the subscription tells.
        """
        thing = self.data.object
        match self.type.split("."):
            case ["customer", "subscription", *_]:
                return _reference(thing.get("id"))
            case ["customer", "updated" | "deleted"]:
                return _reference(thing.get("id"))
            case ["checkout", "session", *_]:
                return _reference(thing.get("subscription"))
            case ["invoice", *_]:
                return _reference(_subscription_of_invoice(thing))
        return None

    @property
    def checkout(self) -> Checkout | None:
        """What the customer entered at the checkout, if this event tells and can be read."""
        if self.type not in _CHECKOUT_TELLS:
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


class Recurring(StripeModel):
    """How often a price is charged: every so many days, weeks, months or years."""

    interval: str = ""
    interval_count: int = 1
    usage_type: str = "licensed"


class StripePrice(StripeModel):
    """What was bought. Archived ones (`active` is false) are still paid for by those who bought them."""

    id: str
    lookup_key: str | None = None
    product: Reference = None
    active: bool = True
    unit_amount: int | None = None
    currency: str | None = None
    recurring: Recurring | None = None


class Period(StripeModel):
    """From the one moment up to, not including, the other."""

    start: datetime
    end: datetime

    def covers(self, now: datetime) -> bool:
        """Whether `now` is within."""
        return self.start <= now < self.end


class InvoiceLine(StripeModel):
    """One line of an invoice. What is given back has a negative amount."""

    amount: int = 0
    price: StripePrice | None = None
    period: Period | None = None

    @model_validator(mode="before")
    @classmethod
    def _either_shape(cls, document: Any) -> Any:
        match document:
            case {"pricing": {"price_details": {"price": str(price), **details}}}:
                return {**document, "price": {"id": price, "product": details.get("product")}}
            case {"pricing": {"price_details": {"price": Mapping() as price}}}:
                return {**document, "price": price}
        return document


class InvoiceLines(StripeModel):
    """The lines of an invoice."""

    data: tuple[InvoiceLine, ...] = ()


class Invoice(StripeModel):
    """A bill. Amounts are in the currency's smallest unit."""

    id: str | None = None
    status: str | None = None
    """draft, open, paid, uncollectible or void."""
    subscription: Reference = None
    created: datetime
    due_date: datetime | None = None
    """Only where the customer is sent a bill instead of being charged."""
    currency: str = ""
    amount_due: int = 0
    amount_paid: int = 0
    amount_remaining: int = 0
    lines: Annotated[InvoiceLines, BeforeValidator(_or_empty)] = InvoiceLines()

    @model_validator(mode="before")
    @classmethod
    def _either_shape(cls, document: Any) -> Any:
        if isinstance(document, Mapping):
            return {**document, "subscription": _subscription_of_invoice(document)}
        return document

    @property
    def is_owed(self) -> bool:
        """Whether money is still to come for it."""
        return self.status == "open" and self.amount_remaining > 0

    @property
    def owed_since(self) -> datetime:
        """The day on which it should have been paid."""
        return self.due_date or self.created


class PauseCollection(StripeModel):
    """Somebody asked Stripe to stop collecting for a while."""

    behavior: str = ""
    """keep_as_draft, mark_uncollectible, or void: nothing is owed because nothing is offered."""
    resumes_at: datetime | None = None


class SubscriptionItem(StripeModel):
    """One line of a subscription."""

    id: str | None = None
    price: StripePrice
    quantity: int | None = None
    """None where usage is metered."""
    current_period_start: datetime | None = None
    current_period_end: datetime | None = None


class SubscriptionItems(StripeModel):
    """The lines of a subscription."""

    data: tuple[SubscriptionItem, ...] = ()


def _expanded(value: object) -> object:
    return value if isinstance(value, Mapping | BaseModel) else None


class Subscription(StripeModel):
    """A subscription as it is now, with its customer and its latest invoice expanded."""

    id: StripeId
    status: str
    customer: StripeCustomer
    items: SubscriptionItems = SubscriptionItems()
    latest_invoice: Annotated[Invoice | None, BeforeValidator(_expanded)] = None
    metadata: Metadata = Field(default_factory=dict)
    currency: str = ""
    discounts: Annotated[tuple[Any, ...], BeforeValidator(lambda value: value or ())] = ()
    created: datetime | None = None
    trial_end: datetime | None = None
    cancel_at: datetime | None = None
    cancel_at_period_end: bool = False
    canceled_at: datetime | None = None
    """When somebody asked for the end, which may be long before it."""
    ended_at: datetime | None = None
    pause_collection: PauseCollection | None = None
    current_period_start: datetime | None = None
    current_period_end: datetime | None = None
    """Both only in API versions before 2025-03-31; later ones write them on each item."""

    @property
    def period_start(self) -> datetime | None:
        """The beginning of the running period, in whichever place this API version writes it."""
        starts = [item.current_period_start for item in self.items.data if item.current_period_start is not None]
        return max(starts, default=self.current_period_start)

    @property
    def paid_until(self) -> datetime | None:
        """The end of the running period, in whichever place this API version writes it."""
        ends = [item.current_period_end for item in self.items.data if item.current_period_end is not None]
        return max(ends, default=self.current_period_end)

    @property
    def ends_with_period(self) -> bool:
        """Whether it was cancelled for the end of the running period. Stripe has two ways to say so."""
        end = self.paid_until
        return self.cancel_at_period_end or (self.cancel_at is not None and end is not None and self.cancel_at <= end)

    @property
    def monthly_price(self) -> int | None:
        """What is charged each month, in the currency's smallest unit; None where that is not known before."""
        if self.discounts:
            return None
        total = 0
        for item in self.items.data:
            each, rhythm = item.price.unit_amount, item.price.recurring
            if each is None or rhythm is None or item.quantity is None:
                return None
            if (rhythm.interval, rhythm.interval_count) != ("month", 1):
                return None
            total += each * item.quantity
        return total

    @property
    def price_ids(self) -> tuple[str, ...]:
        """The prices that were bought."""
        return tuple(item.price.id for item in self.items.data)


def _subscription_of_invoice(invoice: Mapping[str, Any]) -> object:
    match invoice:
        case {"parent": {"subscription_details": {"subscription": subscription}}}:
            return subscription
    return invoice.get("subscription")
