"""What a subscription wishes for, at every point of its life. Pure; the file to read second.

The live subscription decides, not the event that hinted at it: events may be lost, repeated or out of order, and none
of that can matter to a function that does not see them. Only two things are remembered, because they are promises to a
customer whose subscription has ended: the moment of deletion that was announced, and when the last warning was given.
Everything else follows anew from Stripe's documents, the plans and the clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from claw_crds.v1alpha1 import ClawInstanceSpec, ClawPlan, PlanRef, State
from claw_webhook.deletion import Deletion, deletion
from claw_webhook.payers import payer_of
from claw_webhook.pricing import Bought, Catalogue, bought_plan, plans_bought
from claw_webhook.stripe_objects import Checkout, Invoice, Subscription

TRIAL_NOTICE = timedelta(days=3)
"""How long before its end a customer hears that the trial is over."""
RETENTION_OF_A_LOST_PLAN = timedelta(days=30)
"""Where the ClawPlan that would tell is no longer in the cluster."""

RESUMES = "claw_resumes"
"""In a subscription's metadata: the ended subscription whose instance the customer wants back."""


class Standing(StrEnum):
    """How a subscription stands, for us."""

    NOT_YET = "NotYet"
    """Nothing was paid yet."""
    TRIALING = "Trialing"
    ACTIVE = "Active"
    GRACE = "Grace"
    """A payment failed, and the plan's days of grace are not over."""
    UNPAID = "Unpaid"
    """They are, or Stripe gave up."""
    PAUSED = "Paused"
    """A trial ended without a payment method, or somebody paused the subscription."""
    ENDED = "Ended"

    @property
    def is_served(self) -> bool:
        """Whether the instance runs. Such a customer is never deleted."""
        return self in {Standing.TRIALING, Standing.ACTIVE, Standing.GRACE}


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
class Memory:
    """What the database remembers of a subscription; `Memory()` of a new one."""

    instance: str | None = None
    """Name of the ClawInstance that was made for it, or that it took over, and that is not gone."""
    spec: ClawInstanceSpec | None = None
    """The last one applied."""
    standing: Standing | None = None
    since: datetime | None = None
    """When it got there."""
    deletion_at: datetime | None = None
    """As announced to the customer."""
    warned_at: datetime | None = None
    """When the last warning was put into the outbox."""
    keep_until: datetime | None = None
    """By annotation; `deletion.NEVER` where that cannot be read: then nothing is deleted."""
    hold: str | None = None
    """Why nothing may be deleted until a person decides."""


@dataclass(frozen=True)
class Account:
    """Everything that decides, except for the plans and the clock."""

    subscription: Subscription
    checkout: Checkout | None = None
    arrears: tuple[Invoice, ...] = ()
    """The open invoices, asked for where `needs_arrears`."""
    memory: Memory = Memory()


@dataclass(frozen=True)
class Wished:
    """The instance is to have this spec."""

    spec: ClawInstanceSpec
    standing: Standing
    grace_until: datetime | None = None
    """In arrears: until then it is served."""
    deletion_at: datetime | None = None
    """Of an ended one: not deleted before then, nor before `Memory.keep_until`. To be remembered: it is announced."""
    look_again_at: datetime | None = None
    """When the answer may be another one although nothing happens. Always in the future."""
    next_plan: str | None = None
    """The plan that is billed from now on, while the spec's dearer one is paid for and goes on."""


@dataclass(frozen=True)
class Nothing:
    """There is no instance: none is made, and none is taken away."""

    standing: Literal[Standing.NOT_YET, Standing.ENDED]
    look_again_at: datetime | None = None


@dataclass(frozen=True)
class Gone:
    """The instance is deleted now, after everything that was promised."""

    standing: Literal[Standing.ENDED] = Standing.ENDED


@dataclass(frozen=True)
class Refusal:
    """It cannot be served as it is, and nothing changes. The message is for the person who runs the service."""

    reason: RefusalReason
    message: str
    standing: Standing | None = None
    """How it stands all the same, where that is known: who pays is not deleted for being refused."""


Decision = Wished | Nothing | Gone | Refusal


def needs_arrears(subscription: Subscription) -> bool:
    """Whether the open invoices decide, too: only they tell since when money is owed."""
    return subscription.status == "past_due"


def resumes(subscription: Subscription) -> str | None:
    """The ended subscription whose instance this one takes over; None unless this one is served."""
    is_served = subscription.status in {"trialing", "active", "past_due"}
    return subscription.metadata.get(RESUMES) if is_served else None


def decide(account: Account, plans: Iterable[ClawPlan], now: datetime) -> Decision:
    """What the subscription, as it is now, wishes for.

    Which plan was bought, and by whom; how that stands; and if it is over, how long the data is kept. Whoever is served
    must be served as they paid for, or somebody is told; an instance that only waits goes on as it last was.
    """
    subscription, memory = account.subscription, account.memory
    catalogue = {plan.metadata.name: plan for plan in plans}
    bought = bought_plan(subscription, catalogue, now) or _no_plan(subscription, catalogue)
    customer = payer_of(subscription, account.checkout or Checkout()) or _no_address(subscription)
    terms = _terms(bought, memory, catalogue)
    grace_until = _grace_until(account, terms)

    standing = _standing(subscription, grace_is_over=grace_until is not None and now >= grace_until)
    if standing is None:
        return _unknown_status(subscription)
    if standing is Standing.NOT_YET or (standing is Standing.ENDED and memory.instance is None):
        return Nothing(standing)

    if memory.spec is not None and not standing.is_served:
        # It must be possible to end what could not be started today: a customer deleted in Stripe has no address.
        bought = Bought(memory.spec.plan_ref.name) if isinstance(bought, Refusal) else bought
        customer = memory.spec.customer if isinstance(customer, Refusal) else customer
    if isinstance(bought, Refusal):
        return replace(bought, standing=standing)
    if isinstance(customer, Refusal):
        return replace(customer, standing=standing)

    wished = Wished(
        ClawInstanceSpec(
            customer=customer,
            plan_ref=PlanRef(name=bought.plan),
            state=State.RUNNING if standing.is_served else State.SUSPENDED,
        ),
        standing,
        grace_until=grace_until if standing is Standing.GRACE else None,
        look_again_at=_earliest(now, bought.until, grace_until, _trial_notice_at(subscription)),
        next_plan=bought.next_plan,
    )
    return _until_deleted(wished, _deletion(account, terms, now), now) if standing is Standing.ENDED else wished


def _standing(subscription: Subscription, *, grace_is_over: bool) -> Standing | None:
    """None when Stripe has invented a status: it is not guessed."""
    match subscription.status:
        case "incomplete":
            return Standing.NOT_YET
        case "trialing":
            return Standing.TRIALING
        case "active":
            pause = subscription.pause_collection
            # Of Stripe's three ways to pause the bills only this one means that nothing is offered meanwhile.
            return Standing.PAUSED if pause is not None and pause.behavior == "void" else Standing.ACTIVE
        case "past_due":
            return Standing.UNPAID if grace_is_over else Standing.GRACE
        case "unpaid":
            return Standing.UNPAID
        case "paused":
            return Standing.PAUSED
        case "canceled" | "incomplete_expired":
            return Standing.ENDED
    return None


def _terms(bought: Bought | Refusal, memory: Memory, catalogue: Catalogue) -> ClawPlan | None:
    """The plan whose days of grace and retention count: the one bought or, if nobody can tell, the last one served."""
    if isinstance(bought, Bought):
        return catalogue[bought.plan]
    return catalogue.get(memory.spec.plan_ref.name) if memory.spec is not None else None


def in_arrears_since(account: Account) -> datetime | None:
    """The first day of the arrears. It follows from what is owed, so that it does not matter which events arrived."""
    subscription = account.subscription
    if not needs_arrears(subscription):
        return None
    owed = [invoice.owed_since for invoice in account.arrears if invoice.is_owed]
    latest = subscription.latest_invoice
    return min(owed, default=latest.owed_since if latest is not None else subscription.period_start)


def _grace_until(account: Account, terms: ClawPlan | None) -> datetime | None:
    """None when nothing is owed, or when nobody can tell since when: then nobody is suspended for it."""
    since = in_arrears_since(account)
    return since + timedelta(days=terms.spec.grace_days) if since is not None and terms is not None else None


def _trial_notice_at(subscription: Subscription) -> datetime | None:
    if subscription.status != "trialing" or subscription.trial_end is None:
        return None
    return subscription.trial_end - TRIAL_NOTICE


def _deletion(account: Account, terms: ClawPlan | None, now: datetime) -> Deletion:
    subscription, memory = account.subscription, account.memory
    latest = subscription.latest_invoice
    paid_until = subscription.paid_until if latest is None or latest.status == "paid" else None
    return deletion(
        over_at=max(filter(None, (subscription.ended_at, paid_until)), default=now),
        retention=timedelta(days=terms.spec.retention_days) if terms is not None else RETENTION_OF_A_LOST_PLAN,
        announced_at=memory.deletion_at,
        warned_at=memory.warned_at,
        keep_until=memory.keep_until,
        is_held=memory.hold is not None,
        now=now,
    )


def _until_deleted(wished: Wished, planned: Deletion, now: datetime) -> Wished | Gone:
    if planned.is_due(now):
        return Gone()
    return replace(
        wished,
        spec=wished.spec.model_copy(update={"delete_after": planned.announced_at.replace(microsecond=0)}),
        deletion_at=planned.announced_at,
        look_again_at=_earliest(now, wished.look_again_at, *planned.moments),
    )


def _earliest(now: datetime, *moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def _unknown_status(subscription: Subscription) -> Refusal:
    return Refusal(
        RefusalReason.UNKNOWN_STATUS,
        f"subscription {subscription.id} has the status {subscription.status[:40]!r}, which this version does not"
        " know: update the webhook service, then replay the event",
    )


def _no_plan(subscription: Subscription, catalogue: Catalogue) -> Refusal:
    names = sorted(plans_bought(subscription, catalogue.values()))
    lines = [(item.price, item.quantity) for item in subscription.items.data]
    bought = ", ".join(
        f"{price.id} (lookup key {price.lookup_key or 'none'}{', none of it' if quantity == 0 else ''})"
        for price, quantity in lines
    )
    if names:
        return Refusal(
            RefusalReason.AMBIGUOUS_PLAN,
            f"subscription {subscription.id} bought {bought}, which means the plans {', '.join(names)} at once:"
            " leave one of them in the subscription, or take the price from one ClawPlan",
        )
    return Refusal(
        RefusalReason.UNKNOWN_PRICE,
        f"subscription {subscription.id} bought {bought or 'no price'}, which no ClawPlan sells: add it to spec.stripe"
        " of a plan, and it is tried again by itself",
    )


def _no_address(subscription: Subscription) -> Refusal:
    return Refusal(
        RefusalReason.UNUSABLE_EMAIL,
        f"customer {subscription.customer.id} of subscription {subscription.id} has no usable email address: correct it"
        " in Stripe, and it is tried again by itself",
    )
