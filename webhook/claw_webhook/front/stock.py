"""What Stripe sells: prices, products and the portal's configuration, as far as they are read here. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.stripe_objects import Metadata, Reference, StripeModel


class Recurring(StripeModel):
    """How often a price is billed, and whether by the month or by what was used."""

    interval: str = "month"
    interval_count: int = 1
    usage_type: str = "licensed"


class SoldPrice(StripeModel):
    """A price as Stripe has it."""

    id: str
    active: bool = True
    product: Reference = None
    currency: str = ""
    unit_amount: int | None = None
    """In the currency's smallest unit; None for tiers and fractions."""
    recurring: Recurring | None = None
    lookup_key: str | None = None
    metadata: Metadata = Field(default_factory=dict)

    def charges(self, plan: ClawPlan) -> bool:
        """Whether it asks for exactly what the plan says: that amount, once a month."""
        price = plan.spec.price
        return (
            (self.currency, self.unit_amount) == (price.currency, price.amount_monthly)
            and self.recurring is not None
            and (self.recurring.interval, self.recurring.interval_count) == ("month", 1)
            and not self.is_metered
        )

    @property
    def is_metered(self) -> bool:
        """Billed by what was used, and not by the month."""
        return self.recurring is not None and self.recurring.usage_type == "metered"


class SoldProduct(StripeModel):
    """A product as Stripe has it."""

    id: str
    name: str = ""
    description: str | None = None
    active: bool = True
    default_price: Reference = None
    metadata: Metadata = Field(default_factory=dict)


class Portal(StripeModel):
    """A configuration of Stripe's customer portal."""

    id: str
    active: bool = True
    metadata: Metadata = Field(default_factory=dict)


@dataclass(frozen=True)
class Stock:
    """What Stripe has of it already."""

    products: Mapping[str, SoldProduct]
    """By id."""
    prices: Sequence[SoldPrice]
    portals: Sequence[Portal]

    def price_with_key(self, lookup_key: str) -> SoldPrice | None:
        """The price that has the lookup key; Stripe lets only one have it."""
        return next((price for price in self.prices if price.lookup_key == lookup_key), None)
