"""What each request may carry. A parameter that is not here is refused, as Stripe refuses what it does not know.

Parameters that only say how money moves are accepted and have no effect, because no money moves.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from claw_dev.simulators.stripe.errors import StripeProblem, invalid
from claw_dev.simulators.stripe.forms import Clearable, FormList
from claw_dev.simulators.stripe.records import Metadata, SubscriptionStatus

MetadataChanges = Clearable[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=40)],
        Annotated[str, StringConstraints(max_length=500)],
    ]
]
"""Keys to set; those with an empty value are removed, and an empty text removes all."""


class Part(BaseModel):
    """A group of parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WithMetadata(Part):
    """A group of parameters with metadata among them."""

    metadata: MetadataChanges = None

    def metadata_after(self, before: Metadata) -> Metadata:
        """The metadata after the request: given keys set, those given empty removed, and all by an empty text."""
        if "metadata" not in self.model_fields_set:
            return before
        return {key: value for key, value in {**before, **self.metadata}.items() if value} if self.metadata else {}


class Params(Part):
    """What every request may carry."""

    expand: FormList[str] = []


class Span(Part):
    """A span of time in seconds since 1970; a single moment is one too."""

    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None

    def contains(self, moment: int) -> bool:
        """Whether the moment lies in it."""
        return (
            (self.gt is None or moment > self.gt)
            and (self.gte is None or moment >= self.gte)
            and (self.lt is None or moment < self.lt)
            and (self.lte is None or moment <= self.lte)
        )


def _moment_as_span(value: Any) -> Any:
    return {"gte": value, "lte": value} if isinstance(value, str) else value


class Listed(Params):
    """What every list takes."""

    limit: int = Field(default=10, ge=1, le=100)
    starting_after: str | None = None
    ending_before: str | None = None
    created: Annotated[Span | None, BeforeValidator(_moment_as_span)] = None


class ListProducts(Listed):
    """`GET /v1/products`."""

    active: bool | None = None
    ids: FormList[str] = []


class CreateProduct(WithMetadata, Params):
    """`POST /v1/products`."""

    name: str
    id: str | None = None
    description: str | None = None
    active: bool = True


class Recurring(Part):
    """How often a price is billed."""

    interval: Literal["month", "year"]


class ListPrices(Listed):
    """`GET /v1/prices`."""

    active: bool | None = None
    currency: str | None = None
    lookup_keys: FormList[str] = Field(default=[], max_length=10)
    product: str | None = None
    type: Literal["one_time", "recurring"] | None = None
    recurring: Recurring | None = None


class CreatePrice(WithMetadata, Params):
    """`POST /v1/prices`: recurring ones only."""

    currency: str
    product: str
    recurring: Recurring
    unit_amount: int = Field(ge=0)
    active: bool = True
    lookup_key: str | None = None
    nickname: str | None = None
    transfer_lookup_key: bool = False


class UpdatePrice(WithMetadata, Params):
    """`POST /v1/prices/{id}`: what it costs never changes."""

    active: bool | None = None
    lookup_key: Clearable[str] = None
    nickname: Clearable[str] = None
    transfer_lookup_key: bool = False


class ListCustomers(Listed):
    """`GET /v1/customers`."""

    email: str | None = None


class ChangeCustomer(WithMetadata, Params):
    """`POST /v1/customers` and `POST /v1/customers/{id}`."""

    email: Clearable[str] = None
    name: Clearable[str] = None
    phone: Clearable[str] = None
    description: Clearable[str] = None
    business_name: Clearable[str] = None
    preferred_locales: FormList[str] = []


class LineItem(Part):
    """What is bought."""

    price: str
    quantity: int = Field(default=1, ge=1)


class SubscriptionData(WithMetadata):
    """What the subscription gets that a session makes."""

    description: str | None = None
    trial_period_days: int = Field(default=0, ge=1)


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
    billing_address_collection: str | None = None
    payment_method_collection: str | None = None
    payment_method_types: FormList[str] = []


class ListSessions(Listed):
    """`GET /v1/checkout/sessions`."""

    customer: str | None = None
    subscription: str | None = None
    status: Literal["complete", "expired", "open"] | None = None


class ListSubscriptions(Listed):
    """`GET /v1/subscriptions`. Without a status: all that are not canceled."""

    customer: str | None = None
    price: str | None = None
    status: SubscriptionStatus | Literal["all", "ended"] | None = None


class CancellationDetails(Part):
    """Why, in the customer's words."""

    comment: Clearable[str] = None
    feedback: Clearable[str] = None


class ChangedItem(Part):
    """An item to change, or a new one when it names none."""

    id: str | None = None
    price: str | None = None
    quantity: int | None = Field(default=None, ge=1)
    deleted: bool = False


class PauseCollection(Part):
    """What becomes of invoices while they are not collected."""

    behavior: Literal["keep_as_draft", "mark_uncollectible", "void"]


class UpdateSubscription(WithMetadata, Params):
    """`POST /v1/subscriptions/{id}`."""

    items: FormList[ChangedItem] = []
    description: Clearable[str] = None
    cancel_at_period_end: bool | None = None
    cancel_at: Clearable[int] = None
    cancellation_details: CancellationDetails | None = None
    pause_collection: Clearable[PauseCollection] = None
    payment_behavior: str | None = None
    proration_behavior: str | None = None
    proration_date: int | None = None


class CancelSubscription(Params):
    """`DELETE /v1/subscriptions/{id}`."""

    cancellation_details: CancellationDetails | None = None
    invoice_now: bool = False
    prorate: bool = False


class ResumeSubscription(Params):
    """`POST /v1/subscriptions/{id}/resume`."""

    proration_behavior: str | None = None


class ListInvoices(Listed):
    """`GET /v1/invoices`."""

    customer: str | None = None
    subscription: str | None = None
    status: Literal["draft", "open", "paid", "uncollectible", "void"] | None = None


class ListEvents(Listed):
    """`GET /v1/events`."""

    type: str | None = None
    types: FormList[str] = Field(default=[], max_length=20)
    delivery_success: bool | None = None


P = TypeVar("P", bound=Params)


def validated(model: type[P], tree: dict[str, Any]) -> P:
    """The parameters of a request. Raises StripeProblem that names the first wrong one."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> StripeProblem:
    first = error.errors(include_url=False)[0]
    outer, *inner = [str(step) for step in first["loc"]]
    param = outer + "".join(f"[{step}]" for step in inner)
    match first["type"]:
        case "missing":
            return invalid(f"Missing required param: {param}.", param, "parameter_missing")
        case "extra_forbidden":
            return invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")
        case "int_parsing":
            return invalid(f"Invalid integer: {first['input']}", param, "parameter_invalid_integer")
        case "bool_parsing":
            return invalid(f"Invalid boolean: {first['input']}", param)
        case "greater_than_equal" | "less_than_equal":
            reason = first["msg"].removeprefix("Input should be ")
            message = f"This value must be {reason} (it currently is '{first['input']}')."
            return invalid(message, param, "parameter_invalid_integer")
    return invalid(f"Invalid {param}: {first['msg']}", param)
