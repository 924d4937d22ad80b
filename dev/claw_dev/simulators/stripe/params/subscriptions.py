"""Parameters of subscriptions and of their schedules."""

from typing import Literal

from pydantic import Field

from claw_dev.simulators.stripe.forms import Clearable, FormList
from claw_dev.simulators.stripe.params.parts import Listed, Params, Part, WithMetadata
from claw_dev.simulators.stripe.records import SubscriptionStatus

ProrationBehavior = Literal["always_invoice", "create_prorations", "none"]


class ListSubscriptions(Listed):
    """`GET /v1/subscriptions`. Without a status: all that are not canceled."""

    customer: str | None = None
    price: str | None = None
    test_clock: str | None = None
    status: SubscriptionStatus | Literal["all", "ended"] | None = None


class DiscountGiven(Part):
    """A coupon to redeem."""

    coupon: str


class EndBehavior(Part):
    """What happens at the end of a trial without a card."""

    missing_payment_method: Literal["cancel", "create_invoice", "pause"] = "create_invoice"


class TrialSettings(Part):
    """Of the end of a trial."""

    end_behavior: EndBehavior = EndBehavior()


class NewItem(WithMetadata):
    """An item of a new subscription."""

    price: str
    quantity: int = Field(default=1, ge=0)


class CreateSubscription(WithMetadata, Params):
    """`POST /v1/subscriptions`."""

    customer: str
    items: FormList[NewItem] = Field(min_length=1, max_length=20)
    description: str | None = None
    discounts: FormList[DiscountGiven] = Field(default=[])
    payment_behavior: Literal["allow_incomplete", "default_incomplete", "error_if_incomplete"] = "allow_incomplete"
    trial_end: int | Literal["now"] | None = None
    trial_period_days: int | None = Field(default=None, ge=1)
    trial_settings: TrialSettings = TrialSettings()
    cancel_at_period_end: bool = False


class CancellationDetails(Part):
    """Why, in the customer's words."""

    comment: Clearable[str] = None
    feedback: Clearable[str] = None


class ChangedItem(Part):
    """An item to change, or a new one when it names none."""

    id: str | None = None
    price: str | None = None
    quantity: int | None = Field(default=None, ge=0)
    deleted: bool = False


class PauseCollection(Part):
    """What becomes of invoices while they are not collected."""

    behavior: Literal["keep_as_draft", "mark_uncollectible", "void"]
    resumes_at: int | None = None


class UpdateSubscription(WithMetadata, Params):
    """`POST /v1/subscriptions/{id}`."""

    items: FormList[ChangedItem] = Field(default=[])
    description: Clearable[str] = None
    cancel_at_period_end: bool | None = None
    cancel_at: Clearable[int] = None
    cancellation_details: CancellationDetails | None = None
    pause_collection: Clearable[PauseCollection] = None
    discounts: Clearable[FormList[DiscountGiven]] = None
    trial_end: int | Literal["now"] | None = None
    payment_behavior: Literal["allow_incomplete", "default_incomplete", "error_if_incomplete"] = "allow_incomplete"
    proration_behavior: ProrationBehavior = "create_prorations"
    proration_date: int | None = None


class CancelSubscription(Params):
    """`DELETE /v1/subscriptions/{id}`."""

    cancellation_details: CancellationDetails | None = None
    invoice_now: bool = False
    prorate: bool = False


class ResumeSubscription(Params):
    """`POST /v1/subscriptions/{id}/resume`."""

    proration_behavior: ProrationBehavior | None = None
    billing_cycle_anchor: Literal["now", "unchanged"] = "now"


class CreateSchedule(Params):
    """`POST /v1/subscription_schedules`."""

    from_subscription: str


class PhaseDuration(Part):
    """How long a phase takes."""

    interval: Literal["day", "week", "month", "year"]
    interval_count: int = Field(default=1, ge=1)


class ChangedPhaseItem(Part):
    """A price of a phase."""

    price: str
    quantity: int = Field(default=1, ge=0)


class ChangedPhase(Part):
    """A phase of a schedule. It begins with the end of the one before and takes one interval of its price."""

    items: FormList[ChangedPhaseItem] = Field(min_length=1)
    start_date: int | None = None
    end_date: int | None = None
    duration: PhaseDuration | None = None
    proration_behavior: ProrationBehavior = "create_prorations"


class UpdateSchedule(WithMetadata, Params):
    """`POST /v1/subscription_schedules/{id}`."""

    phases: FormList[ChangedPhase] = Field(default=[])
    end_behavior: Literal["cancel", "release"] | None = None
    proration_behavior: ProrationBehavior = "create_prorations"


class ReleaseSchedule(Params):
    """`POST /v1/subscription_schedules/{id}/release`."""

    preserve_cancel_date: bool | None = None


class ListSchedules(Listed):
    """`GET /v1/subscription_schedules`."""

    customer: str | None = None
