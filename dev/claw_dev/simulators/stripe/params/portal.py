"""Parameters of the customers' portal."""

from typing import Literal

from pydantic import Field

from claw_dev.simulators.stripe.forms import Clearable, FormList
from claw_dev.simulators.stripe.params.parts import Paged, Params, Part, WithMetadata


class BusinessProfile(Part):
    """What the portal says of the business."""

    headline: Clearable[str] = None
    privacy_policy_url: str | None = None
    terms_of_service_url: str | None = None


class Switch(Part):
    """A feature that is on or off."""

    enabled: bool


class CustomerUpdate(Part):
    """What customers may change of themselves."""

    enabled: bool
    allowed_updates: FormList[str] = Field(default=[])


class CancellationReason(Part):
    """Whether customers are asked why."""

    enabled: bool
    options: FormList[str] = Field(default=[])


class CancelFeature(Part):
    """How customers leave."""

    enabled: bool
    mode: Literal["at_period_end", "immediately"] = "at_period_end"
    proration_behavior: Literal["always_invoice", "create_prorations", "none"] = "none"
    cancellation_reason: CancellationReason = CancellationReason(enabled=False)


class OfferedProduct(Part):
    """The prices of a product that customers may change to."""

    product: str
    prices: FormList[str]


class Condition(Part):
    """Which changes wait for the period's end."""

    type: Literal["decreasing_item_amount", "shortening_interval"]


class AtPeriodEnd(Part):
    """Changes that wait for it."""

    conditions: FormList[Condition] = Field(default=[])


class UpdateFeature(Part):
    """How customers change their plan."""

    enabled: bool
    default_allowed_updates: FormList[Literal["price", "promotion_code", "quantity"]] = Field(default=[])
    products: FormList[OfferedProduct] = Field(default=[])
    proration_behavior: Literal["always_invoice", "create_prorations", "none"] = "none"
    schedule_at_period_end: AtPeriodEnd = AtPeriodEnd()


class Features(Part):
    """What customers may do in the portal."""

    customer_update: CustomerUpdate = CustomerUpdate(enabled=False)
    invoice_history: Switch = Switch(enabled=False)
    payment_method_update: Switch = Switch(enabled=False)
    subscription_cancel: CancelFeature = CancelFeature(enabled=False)
    subscription_update: UpdateFeature = UpdateFeature(enabled=False)


class CreateConfiguration(WithMetadata, Params):
    """`POST /v1/billing_portal/configurations`."""

    features: Features
    business_profile: BusinessProfile = BusinessProfile()
    default_return_url: Clearable[str] = None
    name: Clearable[str] = None


class UpdateConfiguration(WithMetadata, Params):
    """`POST /v1/billing_portal/configurations/{id}`."""

    features: Features | None = None
    business_profile: BusinessProfile | None = None
    default_return_url: Clearable[str] = None
    name: Clearable[str] = None
    active: bool | None = None


class ListConfigurations(Paged):
    """`GET /v1/billing_portal/configurations`."""

    active: bool | None = None
    is_default: bool | None = None


class FlowSubscription(Part):
    """Which subscription a flow is about."""

    subscription: str


class Flow(Part):
    """Where in the portal the visit begins."""

    type: Literal["payment_method_update", "subscription_cancel", "subscription_update"]
    subscription_cancel: FlowSubscription | None = None
    subscription_update: FlowSubscription | None = None


class CreatePortalSession(Params):
    """`POST /v1/billing_portal/sessions`."""

    customer: str
    configuration: str | None = None
    return_url: str | None = None
    locale: str | None = None
    flow_data: Flow | None = None
