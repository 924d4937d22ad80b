"""Customers on Stripe's payment page."""

from dataclasses import dataclass, field
from typing import ClassVar

from claw_dev.simulators.stripe.records.customers import CustomerDetails
from claw_dev.simulators.stripe.records.record import Metadata, Record


@dataclass(frozen=True, kw_only=True)
class Line(Record):
    """A price and how often: one line of a checkout session."""

    OBJECT: ClassVar[str] = "item"
    PREFIX: ClassVar[str] = "li"

    price: str
    quantity: int


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
    billing_address_collection: str | None = None
    payment_method_collection: str = "always"
    payment_method_types: tuple[str, ...] = ("card",)
    coupon: str | None = None
    metadata: Metadata = field(default_factory=dict)
    subscription_metadata: Metadata = field(default_factory=dict)
    subscription_description: str | None = None
    trial_days: int = 0
    trial_end: int | None = None
    without_payment_method: str = "create_invoice"
    """What becomes of the subscription when its trial ends and nobody gave a card."""
    subscription: str | None = None
    invoice: str | None = None

    @property
    def has_trial(self) -> bool:
        """Whether nothing is to be paid today."""
        return bool(self.trial_days or self.trial_end)
