"""Which mails a look at a subscription causes. Pure.

A mail is asked for at every look at which there is a reason for it, and leaves once: its occasion is what happened, not
when somebody noticed, so it is the same at each look, and the outbox takes each only once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.billing import TRIAL_NOTICE, Account, Decision, Gone, Standing, Wished, in_arrears_since
from claw_webhook.deletion import FIRST_WARNING, LAST_WARNING, later, valid_warning
from claw_webhook.front.offers import money


class Cause(StrEnum):
    """Why a mail leaves; also the name of its template."""

    WELCOME = "welcome"
    """Not from here: the instance is seen to be ready."""
    TRIAL_ENDING = "trial_ending"
    PAYMENT_FAILED = "payment_failed"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    GOODBYE = "goodbye"
    DELETION_WEEK = "deletion_week"
    DELETION_DAY = "deletion_day"
    SIGN_IN = "sign_in"
    """Not from here: somebody asked for it."""
    MESSAGE = "message"
    """Not from here: the customer's assistant has something to tell."""


@dataclass(frozen=True)
class Notice:
    """A mail that is to leave, if it has not already."""

    cause: Cause
    occasion: str
    """Unique with the cause, for ever."""
    details: dict[str, str] = field(default_factory=dict)
    """For the template: what cannot be looked up when the mail leaves, such as the plan's name and amounts."""


def notices(account: Account, decision: Decision, plans: Iterable[ClawPlan], now: datetime) -> tuple[Notice, ...]:
    """The mails that are due now that this was decided; `account.memory` is from before."""
    names = {plan.metadata.name: plan.spec.display_name for plan in plans}
    match decision:
        case Wished():
            found = [*_of_service(account, decision), *_of_arrears(account, decision)]
            found += [*_of_trial(account, decision, now), *_of_end(account, decision, now)]
            plan = names.get(decision.spec.plan_ref.name)
        case Gone():
            # A plan that keeps nothing ends with this mail; after a retention, it has left long ago.
            found = [_notice(Cause.GOODBYE, account)]
            plan = names.get(account.memory.spec.plan_ref.name) if account.memory.spec is not None else None
        case _:
            return ()
    return tuple(replace(notice, details={"plan": plan, **notice.details}) if plan else notice for notice in found)


def _notice(cause: Cause, account: Account, moment: datetime | None = None, **details: str) -> Notice:
    happened = f":{moment.isoformat()}" if moment is not None else ""
    return Notice(cause, f"{account.subscription.id}{happened}", details)


def _of_service(account: Account, wished: Wished) -> Iterator[Notice]:
    """The assistant stops or goes on: what counts is what the customer notices, not what Stripe calls it."""
    before = account.memory.spec
    if before is None or before.state is wished.spec.state or wished.standing is Standing.ENDED:
        return
    cause = Cause.RESUMED if wished.standing.is_served else Cause.SUSPENDED
    # Told apart by what went before: there may be several in the life of a subscription.
    yield _notice(cause, account, account.memory.since)


def _of_arrears(account: Account, wished: Wished) -> Iterator[Notice]:
    if wished.standing is not Standing.GRACE:
        return
    latest = account.subscription.latest_invoice
    owed = [bill for bill in account.arrears or filter(None, [latest]) if bill.is_owed]
    amounts = {"amount": money(sum(bill.amount_remaining for bill in owed), owed[0].currency)} if owed else {}
    yield _notice(Cause.PAYMENT_FAILED, account, in_arrears_since(account), **amounts)


def _of_trial(account: Account, wished: Wished, now: datetime) -> Iterator[Notice]:
    """Not for somebody who has cancelled: nothing begins with the trial's end."""
    subscription = account.subscription
    end = subscription.trial_end
    if wished.standing is not Standing.TRIALING or end is None or not end - TRIAL_NOTICE <= now < end:
        return
    if subscription.cancel_at_period_end or (subscription.cancel_at is not None and subscription.cancel_at <= end):
        return
    price = subscription.monthly_price
    amounts = {"amount": money(price, subscription.currency)} if price is not None else {}
    yield _notice(Cause.TRIAL_ENDING, account, end, **amounts)


def _of_end(account: Account, wished: Wished, now: datetime) -> Iterator[Notice]:
    if wished.standing is not Standing.ENDED or wished.deletion_at is None:
        return
    memory = account.memory
    yield _notice(Cause.GOODBYE, account)
    if memory.hold is not None:
        return
    due = later(wished.deletion_at, memory.keep_until)
    ended_at = memory.since if memory.standing is Standing.ENDED and memory.since is not None else now
    # Where the goodbye itself leaves less than a week, it is warning enough.
    if ended_at < due - FIRST_WARNING <= now < due - LAST_WARNING:
        yield _notice(Cause.DELETION_WEEK, account, due)
    if now >= due - LAST_WARNING and valid_warning(memory.warned_at, due) is None:
        yield _notice(Cause.DELETION_DAY, account, due)
