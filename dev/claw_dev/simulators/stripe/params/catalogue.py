"""Parameters of what is for sale: products, prices, coupons, meters."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from claw_dev.simulators.stripe.forms import Clearable, FormList
from claw_dev.simulators.stripe.params.parts import Listed, Paged, Params, Part, WithMetadata


class ListProducts(Listed):
    """`GET /v1/products`."""

    active: bool | None = None
    ids: FormList[str] = Field(default=[])


class CreateProduct(WithMetadata, Params):
    """`POST /v1/products`."""

    name: str
    id: str | None = None
    description: str | None = None
    active: bool = True


class UpdateProduct(WithMetadata, Params):
    """`POST /v1/products/{id}`."""

    name: str | None = None
    description: Clearable[str] = None
    active: bool | None = None
    default_price: str | None = None


class Recurring(Part):
    """How often a price is billed, and whether in advance or for what was used."""

    interval: Literal["day", "week", "month", "year"]
    interval_count: int = Field(default=1, ge=1)
    meter: str | None = None
    usage_type: Literal["licensed", "metered"] = "licensed"


class RecurringFilter(Part):
    """Which recurring prices are listed."""

    interval: Literal["day", "week", "month", "year"] | None = None
    meter: str | None = None
    usage_type: Literal["licensed", "metered"] | None = None


class ListPrices(Listed):
    """`GET /v1/prices`."""

    active: bool | None = None
    currency: str | None = None
    lookup_keys: FormList[str] = Field(default=[], max_length=10)
    product: str | None = None
    type: Literal["one_time", "recurring"] | None = None
    recurring: RecurringFilter | None = None


class CreatePrice(WithMetadata, Params):
    """`POST /v1/prices`: recurring ones only."""

    currency: str
    product: str
    recurring: Recurring
    unit_amount: int = Field(ge=0)
    active: bool = True
    lookup_key: str | None = None
    nickname: str | None = None
    tax_behavior: Literal["exclusive", "inclusive", "unspecified"] = "unspecified"
    transfer_lookup_key: bool = False


class UpdatePrice(WithMetadata, Params):
    """`POST /v1/prices/{id}`: what it costs never changes."""

    active: bool | None = None
    lookup_key: Clearable[str] = None
    nickname: Clearable[str] = None
    transfer_lookup_key: bool = False


class CreateCoupon(WithMetadata, Params):
    """`POST /v1/coupons`."""

    id: str | None = None
    name: str | None = None
    percent_off: float | None = Field(default=None, gt=0, le=100)
    amount_off: int | None = Field(default=None, ge=1)
    currency: str | None = None
    duration: Literal["forever", "once", "repeating"] = "once"
    duration_in_months: int | None = Field(default=None, ge=1)


class Aggregation(Part):
    """How the values of a meter's events become one."""

    formula: Literal["count", "last", "sum"]


class CustomerMapping(Part):
    """Where an event names its customer."""

    event_payload_key: str
    type: Literal["by_id"]


class ValueSettings(Part):
    """Where an event has its value."""

    event_payload_key: str


class CreateMeter(Params):
    """`POST /v1/billing/meters`."""

    display_name: str
    event_name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    default_aggregation: Aggregation
    customer_mapping: CustomerMapping = CustomerMapping(event_payload_key="stripe_customer_id", type="by_id")
    value_settings: ValueSettings = ValueSettings(event_payload_key="value")
    event_time_window: Literal["day", "hour"] | None = None


class UpdateMeter(Params):
    """`POST /v1/billing/meters/{id}`."""

    display_name: str | None = None


class ListMeters(Paged):
    """`GET /v1/billing/meters`."""

    status: Literal["active", "inactive"] | None = None


class CreateMeterEvent(Params):
    """`POST /v1/billing/meter_events`."""

    event_name: str
    payload: dict[str, str]
    identifier: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    timestamp: int | None = None


class ListUsage(Paged):
    """`GET /v1/billing/meters/{id}/event_summaries`."""

    customer: str
    start_time: int
    end_time: int
