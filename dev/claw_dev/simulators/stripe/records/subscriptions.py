"""What customers pay for again and again."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from claw_dev.simulators.stripe.records.invoices import InvoiceLine
from claw_dev.simulators.stripe.records.record import Metadata, Record


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

    @property
    def is_renewed(self) -> bool:
        """Whether a new period follows the one that ends, paid or not."""
        return self in (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)


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
    anchor: int
    """The moment whose day of the month begins each period."""
    currency: str = "usd"
    description: str | None = None
    metadata: Metadata = field(default_factory=dict)
    discounts: tuple[str, ...] = ()
    schedule: str | None = None
    latest_invoice: str | None = None
    trial_start: int | None = None
    trial_end: int | None = None
    without_payment_method: str = "create_invoice"
    """What becomes of it when the trial ends and there is no card."""
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    cancellation: Cancellation = Cancellation()
    paused_at: int | None = None
    pause_collection: str | None = None
    """Its behavior: invoices go on without being collected, and the status stays as it is."""
    collection_resumes_at: int | None = None
    trial_end_told: bool = False
    """Whether its coming end was announced. Not shown, as what follows."""
    unsettled: tuple[str, ...] = ()
    """The invoices with which something is still to happen, the oldest first."""
    prorations: tuple[InvoiceLine, ...] = ()
    """What the next invoice charges or credits for changes within a period."""

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
