"""What is for sale, and for how much less."""

from dataclasses import dataclass, field
from typing import ClassVar

from claw_dev.simulators.stripe.records.record import Metadata, Record


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
    interval_count: int = 1
    meter: str | None = None
    """The meter that counts what is paid for afterwards; without one the price is paid in advance."""
    lookup_key: str | None = None
    nickname: str | None = None
    tax_behavior: str = "unspecified"
    active: bool = True
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Coupon(Record):
    """Terms on which something costs less: a share or an amount off."""

    OBJECT: ClassVar[str] = "coupon"
    PREFIX: ClassVar[str] = "coupon"

    name: str | None = None
    percent_off: float | None = None
    amount_off: int | None = None
    currency: str | None = None
    duration: str = "once"
    duration_in_months: int | None = None
    metadata: Metadata = field(default_factory=dict)
    redeemed: int = 0
    deleted: bool = False

    def off(self, amount: int) -> int:
        """How much less the amount becomes; never more than all of it."""
        if self.percent_off is not None:
            return round(amount * self.percent_off / 100)
        return min(amount, self.amount_off or 0)


@dataclass(frozen=True, kw_only=True)
class Discount(Record):
    """A coupon that was given to a subscription. It stays known after the coupon is deleted."""

    OBJECT: ClassVar[str] = "discount"
    PREFIX: ClassVar[str] = "di"

    coupon: Coupon
    customer: str
    subscription: str
    end: int | None = None
    used: bool = False

    def applies(self, moment: int) -> bool:
        """Whether an invoice of that moment becomes less by it."""
        if self.coupon.duration == "once":
            return not self.used
        return self.end is None or moment < self.end

    def off(self, amount: int) -> int:
        """How much less the amount becomes."""
        return self.coupon.off(amount)
