"""Parameters of checkout sessions."""

from typing import Literal

from pydantic import Field

from claw_dev.simulators.stripe.forms import FormList
from claw_dev.simulators.stripe.params.parts import Listed, Params, Part, WithMetadata
from claw_dev.simulators.stripe.params.subscriptions import DiscountGiven, TrialSettings


class LineItem(Part):
    """What is bought."""

    price: str
    quantity: int = Field(default=1, ge=1)


class SubscriptionData(WithMetadata):
    """What the subscription gets that a session makes."""

    description: str | None = None
    trial_period_days: int | None = Field(default=None, ge=1)
    trial_end: int | None = None
    trial_settings: TrialSettings = TrialSettings()


class CreateSession(WithMetadata, Params):
    """`POST /v1/checkout/sessions`, in mode subscription on Stripe's own page."""

    mode: Literal["subscription"]
    line_items: FormList[LineItem] = Field(min_length=1, max_length=20)
    success_url: str
    cancel_url: str | None = None
    customer: str | None = None
    customer_email: str | None = None
    client_reference_id: str | None = Field(default=None, max_length=200)
    locale: str | None = None
    allow_promotion_codes: bool | None = None
    subscription_data: SubscriptionData = SubscriptionData()
    ui_mode: Literal["hosted_page"] = "hosted_page"
    discounts: FormList[DiscountGiven] = Field(default=[], max_length=1)
    billing_address_collection: Literal["auto", "required"] | None = None
    payment_method_collection: Literal["always", "if_required"] = "always"
    payment_method_types: FormList[str] = Field(default=["card"])
    expires_at: int | None = None


class ListSessions(Listed):
    """`GET /v1/checkout/sessions`."""

    customer: str | None = None
    subscription: str | None = None
    status: Literal["complete", "expired", "open"] | None = None
