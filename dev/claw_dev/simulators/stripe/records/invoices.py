"""What subscriptions are billed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from claw_dev.simulators.stripe.records.record import Metadata, Record


class InvoiceStatus(StrEnum):
    """Where an invoice stands."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"


@dataclass(frozen=True, kw_only=True)
class InvoiceLine(Record):
    """One subscription item in one period, or the part of one that a change charges or credits."""

    OBJECT: ClassVar[str] = "line_item"
    PREFIX: ClassVar[str] = "il"

    subscription_item: str
    price: str
    product: str
    description: str
    quantity: int
    unit_amount: int
    amount: int
    period_start: int
    period_end: int
    proration: bool = False


@dataclass(frozen=True, kw_only=True)
class Invoice(Record):
    """What a subscription was billed for one period, or for a change within one."""

    OBJECT: ClassVar[str] = "invoice"
    PREFIX: ClassVar[str] = "in"

    customer: str
    customer_email: str | None
    customer_name: str | None
    number: str | None = None
    subscription: str
    subscription_metadata: Metadata
    billing_reason: str
    period_start: int
    period_end: int
    currency: str
    lines: tuple[InvoiceLine, ...]
    discounts: Mapping[str, int] = field(default_factory=dict)
    """How much less it is by each discount."""
    status: InvoiceStatus = InvoiceStatus.DRAFT
    auto_advance: bool = True
    """Whether Stripe goes on with it by itself: finalizes it, tries to collect."""
    finalizes_at: int | None = None
    finalized_at: int | None = None
    paid_at: int | None = None
    voided_at: int | None = None
    uncollectible_at: int | None = None
    starting_balance: int = 0
    ending_balance: int | None = None
    attempts: int = 0
    next_attempt: int | None = None
    test_clock: str | None = None

    @property
    def subtotal(self) -> int:
        """What the lines come to."""
        return sum(line.amount for line in self.lines)

    @property
    def total(self) -> int:
        """What is left of it after discounts; a credit when it is less than nothing."""
        return self.subtotal - sum(self.discounts.values())

    @property
    def amount_due(self) -> int:
        """What is to be paid once the customer's balance is used up."""
        return max(0, self.total + self.starting_balance)

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in (InvoiceStatus.PAID, InvoiceStatus.VOID)
