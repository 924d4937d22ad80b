"""Who pays, how well their card works, and by whose clock."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from claw_dev.simulators.stripe.records.record import Metadata, Record


class Card(StrEnum):
    """What becomes of a payment with the customer's card."""

    GOOD = "good"
    DECLINES = "declines"
    NEEDS_ACTION = "needs_action"
    """The bank wants to see the customer, who is not there."""
    NONE = "none"

    @property
    def payment_method(self) -> str | None:
        """The id of Stripe's test card that behaves like this."""
        names = {Card.GOOD: "visa", Card.DECLINES: "chargeCustomerFail", Card.NEEDS_ACTION: "authenticationRequired"}
        return f"pm_card_{names[self]}" if self in names else None

    @classmethod
    def of(cls, payment_method: str) -> "Card":
        """How one of Stripe's test cards behaves; every unknown one works."""
        return next((card for card in cls if card.payment_method == payment_method), cls.GOOD)


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
    next_invoice: int = 1
    balance: int = 0
    """What they owe apart from invoices; less than nothing is credit, which the next invoice uses up."""
    card: Card = Card.NONE
    test_clock: str | None = None
    delinquent: bool = False
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class CustomerDetails:
    """What the customer typed on the payment page."""

    email: str
    name: str | None = None
    phone: str | None = None
    business_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class TestClock(Record):
    """A time of their own for some customers. It stands still until somebody advances it."""

    OBJECT: ClassVar[str] = "test_helpers.test_clock"
    PREFIX: ClassVar[str] = "clock"

    frozen_time: int
    target: int | None = None
    """Where it is on its way to."""
    name: str | None = None
    status: str = "ready"
    deleted: bool = False
