"""What an account holds: one frozen record per object, with the facts only. How they look as JSON is rendering's.

References are ids, moments are seconds since 1970, amounts are in the currency's smallest unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

Metadata = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What all objects have."""

    OBJECT: ClassVar[str]
    """The `object` field, and the name in error messages."""
    PREFIX: ClassVar[str]
    """What the id begins with."""

    id: str
    created: int


@dataclass(frozen=True, kw_only=True)
class Product(Record):
    """Something that is sold."""

    OBJECT: ClassVar[str] = "product"
    PREFIX: ClassVar[str] = "prod"

    name: str
    description: str | None = None
    active: bool = True
    default_price: str | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Price(Record):
    """What a product costs each month or year."""

    OBJECT: ClassVar[str] = "price"
    PREFIX: ClassVar[str] = "price"

    product: str
    unit_amount: int
    currency: str = "usd"
    interval: str = "month"
    lookup_key: str | None = None
    nickname: str | None = None
    active: bool = True
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Customer(Record):
    """Who pays. A deleted one stays, as a stub that says so."""

    OBJECT: ClassVar[str] = "customer"
    PREFIX: ClassVar[str] = "cus"

    email: str | None = None
    name: str | None = None
    phone: str | None = None
    description: str | None = None
    business_name: str | None = None
    preferred_locales: tuple[str, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    invoice_prefix: str = ""
    delinquent: bool = False
    deleted: bool = False


class SubscriptionStatus(StrEnum):
    """Where a subscription stands."""

    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELED = "canceled"
    UNPAID = "unpaid"
    PAUSED = "paused"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows any more."""
        return self in (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)


@dataclass(frozen=True, kw_only=True)
class SubscriptionItem(Record):
    """One price that a subscription bills, and for which time it is billed now."""

    OBJECT: ClassVar[str] = "subscription_item"
    PREFIX: ClassVar[str] = "si"

    price: str
    quantity: int
    period_start: int
    period_end: int
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Cancellation:
    """Why a subscription ends."""

    reason: str | None = None
    feedback: str | None = None
    comment: str | None = None


@dataclass(frozen=True, kw_only=True)
class Subscription(Record):
    """What a customer pays for again and again."""

    OBJECT: ClassVar[str] = "subscription"
    PREFIX: ClassVar[str] = "sub"

    customer: str
    status: SubscriptionStatus
    items: tuple[SubscriptionItem, ...]
    currency: str = "usd"
    description: str | None = None
    metadata: Metadata = field(default_factory=dict)
    latest_invoice: str | None = None
    trial_start: int | None = None
    trial_end: int | None = None
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    cancellation: Cancellation = Cancellation()
    paused_at: int | None = None
    pause_collection: str | None = None
    """Its behavior: invoices go on without being collected, and the status stays as it is."""

    @property
    def is_on_trial(self) -> bool:
        """Whether nothing is to be paid yet."""
        return self.status == SubscriptionStatus.TRIALING

    @property
    def period_start(self) -> int:
        """When the time that is billed now began."""
        return min(item.period_start for item in self.items)

    @property
    def period_end(self) -> int:
        """When the next time that is billed begins."""
        return min(item.period_end for item in self.items)


@dataclass(frozen=True, kw_only=True)
class Line(Record):
    """A price and how often: one line of a checkout session or of an invoice."""

    OBJECT: ClassVar[str] = "item"
    PREFIX: ClassVar[str] = "li"

    price: str
    quantity: int


@dataclass(frozen=True, kw_only=True)
class CustomerDetails:
    """What the customer typed on the payment page."""

    email: str
    name: str | None = None
    phone: str | None = None
    business_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class CheckoutSession(Record):
    """A customer on Stripe's payment page, in mode subscription."""

    OBJECT: ClassVar[str] = "checkout.session"
    PREFIX: ClassVar[str] = "cs_test"

    lines: tuple[Line, ...]
    url: str
    success_url: str | None
    cancel_url: str | None = None
    expires_at: int
    status: str = "open"
    payment_status: str = "unpaid"
    client_reference_id: str | None = None
    customer: str | None = None
    customer_email: str | None = None
    customer_details: CustomerDetails | None = None
    locale: str | None = None
    allow_promotion_codes: bool | None = None
    metadata: Metadata = field(default_factory=dict)
    subscription_metadata: Metadata = field(default_factory=dict)
    subscription_description: str | None = None
    trial_days: int = 0
    subscription: str | None = None
    invoice: str | None = None


@dataclass(frozen=True, kw_only=True)
class Invoice(Record):
    """What a subscription was billed for one period."""

    OBJECT: ClassVar[str] = "invoice"
    PREFIX: ClassVar[str] = "in"

    customer: str
    customer_email: str | None
    customer_name: str | None
    number: str
    subscription: str
    subscription_metadata: Metadata
    billing_reason: str
    period_start: int
    period_end: int
    currency: str
    lines: tuple["InvoiceLine", ...]
    paid_at: int | None = None
    attempts: int = 1
    next_attempt: int | None = None

    @property
    def status(self) -> str:
        """As Stripe calls it."""
        return "open" if self.paid_at is None else "paid"

    @property
    def total(self) -> int:
        """What is to be paid."""
        return sum(line.amount for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class InvoiceLine(Record):
    """One subscription item in one period."""

    OBJECT: ClassVar[str] = "line_item"
    PREFIX: ClassVar[str] = "il"

    subscription_item: str
    price: str
    product: str
    description: str
    quantity: int
    unit_amount: int
    amount: int


@dataclass(frozen=True, kw_only=True)
class Event(Record):
    """Something happened to an object. It stays as it was told, whatever happens to the object later."""

    OBJECT: ClassVar[str] = "event"
    PREFIX: ClassVar[str] = "evt"

    type: str
    snapshot: Mapping[str, Any]
    """The object as it was then, as JSON of the event's API version."""
    previous_attributes: Mapping[str, Any] | None = None
    api_version: str
    request_id: str | None = None
    idempotency_key: str | None = None
    pending_webhooks: int = 0
