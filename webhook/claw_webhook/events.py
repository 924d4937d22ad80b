"""What a Stripe subscription wishes for: a ClawInstance, none, or nothing that can be served. Pure.

An event is only a hint that something about a subscription changed. It may come twice, late, or in the wrong order, and
none of that matters, because only the subscription as it is *now* decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from claw_crds.v1alpha1 import ClawInstanceSpec, ClawPlan, Customer, PlanRef, State
from claw_webhook.cleaning import clean_line, is_plain
from claw_webhook.stripe_objects import Checkout, StripePrice, Subscription


class RefusalReason(StrEnum):
    """Why a paid subscription is not served. Each is a label of a metric, so there are few."""

    UNKNOWN_PRICE = "UnknownPrice"
    AMBIGUOUS_PLAN = "AmbiguousPlan"
    UNUSABLE_EMAIL = "UnusableEmail"
    UNKNOWN_STATUS = "UnknownStatus"
    NO_SUCH_SUBSCRIPTION = "NoSuchSubscription"
    REJECTED_BY_CLUSTER = "RejectedByCluster"


HEALED_BY_PLANS = (RefusalReason.UNKNOWN_PRICE, RefusalReason.AMBIGUOUS_PLAN)
"""What a change of a ClawPlan can put right."""


@dataclass(frozen=True)
class Wished:
    """The customer is to have an instance with this spec."""

    spec: ClawInstanceSpec


@dataclass(frozen=True)
class Ended:
    """The subscription is over: the instance goes."""


@dataclass(frozen=True)
class NotYet:
    """The first payment is missing: nothing is made, and nothing is taken away."""


@dataclass(frozen=True)
class Refusal:
    """Paid or not, it cannot be served as it is. The message is for the person who runs the service."""

    reason: RefusalReason
    message: str


Decision = Wished | Ended | NotYet | Refusal

_STATES = {
    "trialing": State.RUNNING,
    "active": State.RUNNING,
    "past_due": State.RUNNING,  # Stripe is still trying to collect
    "unpaid": State.SUSPENDED,  # Stripe gave up and the subscription goes on
    "paused": State.SUSPENDED,  # a trial ended without a payment method
}
_ENDED = {"canceled", "incomplete_expired"}
_NOT_YET = {"incomplete"}


def decide(subscription: Subscription, checkout: Checkout | None, plans: Iterable[ClawPlan]) -> Decision:
    """What the subscription, as it is now, wishes for.

    An ended subscription needs neither a known price nor a usable customer: it must be possible to end what could not
    be started today.
    """
    if subscription.status in _ENDED:
        return Ended()
    if subscription.status in _NOT_YET:
        return NotYet()
    state = _STATES.get(subscription.status)
    if state is None:
        return Refusal(
            RefusalReason.UNKNOWN_STATUS,
            f"subscription {subscription.id} has the status {subscription.status[:40]!r}, which this version does not"
            " know: update the webhook service, then resend the event",
        )
    plan = _plan_of(subscription, plans)
    if isinstance(plan, Refusal):
        return plan
    customer = _customer_of(subscription, checkout or Checkout())
    if isinstance(customer, Refusal):
        return customer
    return Wished(ClawInstanceSpec(customer=customer, plan_ref=PlanRef(name=plan), state=state))


def _plan_of(subscription: Subscription, plans: Iterable[ClawPlan]) -> str | Refusal:
    """The name of the one plan that the subscription's prices mean. Other lines, such as add-ons, do not matter."""
    prices = [item.price for item in subscription.items.data]
    names = {plan.metadata.name for plan in plans for price in prices if _sells(plan, price)}
    if len(names) == 1:
        return names.pop()
    bought = ", ".join(f"{price.id} (lookup key {price.lookup_key or 'none'})" for price in prices) or "no price"
    if names:
        return Refusal(
            RefusalReason.AMBIGUOUS_PLAN,
            f"subscription {subscription.id} bought {bought}, which means the plans {', '.join(sorted(names))} at once:"
            " leave one of them in the subscription, or take the price from one ClawPlan",
        )
    return Refusal(
        RefusalReason.UNKNOWN_PRICE,
        f"subscription {subscription.id} bought {bought}, which no ClawPlan sells: add it to spec.stripe of a plan,"
        " and the event is tried again by itself",
    )


def _sells(plan: ClawPlan, price: StripePrice) -> bool:
    return price.id in plan.spec.stripe.price_ids or price.lookup_key in plan.spec.stripe.lookup_keys


def _customer_of(subscription: Subscription, checkout: Checkout) -> Customer | Refusal:
    """The customer as the schema accepts one: the name cleaned, an odd locale or timezone left to the default.

    Only the address cannot be repaired by guessing: a mail to the wrong person is worse than none.
    """
    payer = subscription.customer
    # What was said last and most deliberately wins: the customer's own record, the subscription's, the checkout's.
    said = {**checkout.metadata, **subscription.metadata, **payer.metadata}
    fields = {
        "id": payer.id,
        "email": (payer.email or checkout.customer_details.email or "").strip(),
        "name": clean_line(payer.name or checkout.customer_details.name),
        "company": clean_line(said.get("company") or payer.business_name or checkout.customer_details.business_name),
        "timezone": said.get("timezone"),
        "locale": said.get("locale") or next(iter(payer.preferred_locales), checkout.locale),
    }
    given = {field: value for field, value in fields.items() if value is not None}
    unfit = _unfit(given)
    if "email" in unfit or not is_plain(given["email"]):
        return Refusal(
            RefusalReason.UNUSABLE_EMAIL,
            f"customer {payer.id} of subscription {subscription.id} has no usable email address: correct it in Stripe,"
            " then resend the event",
        )
    return Customer.model_validate({field: value for field, value in given.items() if field not in unfit})


def _unfit(fields: Mapping[str, str]) -> set[str]:
    """The fields that the schema of a Customer refuses."""
    try:
        Customer.model_validate(fields)
    except ValidationError as error:
        return {str(fault["loc"][0]) for fault in error.errors(include_url=False)}
    return set()
