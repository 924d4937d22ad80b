"""Subscription schedules: what a subscription will be from its next period on."""

from dataclasses import replace
from itertools import pairwise

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid
from claw_dev.simulators.stripe.events import change, tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import (
    ChangedPhase,
    CreateSchedule,
    ListSchedules,
    Params,
    ReleaseSchedule,
    UpdateSchedule,
)
from claw_dev.simulators.stripe.periods import end_of_period
from claw_dev.simulators.stripe.records import (
    Phase,
    PhaseItem,
    Price,
    Schedule,
    Subscription,
    SubscriptionItem,
)
from claw_dev.simulators.stripe.standing import end, update


def create_schedule(account: Account, params: CreateSchedule) -> Schedule:
    """`POST /v1/subscription_schedules`: from a subscription that there is."""
    return take_over(account, account.get(Subscription, params.from_subscription, "from_subscription"))


def take_over(account: Account, subscription: Subscription) -> Schedule:
    """A schedule whose first phase is the subscription's running period."""
    if subscription.schedule is not None:
        message = f"You cannot migrate a subscription that is already attached to a schedule: {subscription.schedule}."
        raise invalid(message, "from_subscription")
    items = tuple(PhaseItem(price=item.price, quantity=item.quantity) for item in subscription.items)
    schedule = account.new(
        Schedule,
        customer=subscription.customer,
        subscription=subscription.id,
        phases=(Phase(start=subscription.period_start, end=subscription.period_end, items=items),),
    )
    tell(account, "subscription_schedule.created", schedule)
    update(account, subscription, schedule=schedule.id)
    return schedule


def plan_change(account: Account, subscription: Subscription, items: tuple[PhaseItem, ...]) -> Schedule:
    """Let the subscription have these items from its next period on, whatever was planned before."""
    if subscription.schedule is not None:
        release(account, account.get(Schedule, subscription.schedule))
    schedule = take_over(account, account.get(Subscription, subscription.id))
    now, price = schedule.phases[0], account.get(Price, items[0].price)
    following = Phase(
        start=now.end,
        end=end_of_period(now.end, price.interval, count=price.interval_count),
        items=items,
        proration_behavior="none",
    )
    return change(account, "subscription_schedule.updated", schedule, phases=(now, following))


def update_schedule(account: Account, schedule_id: str, params: UpdateSchedule) -> Schedule:
    """`POST /v1/subscription_schedules/{id}`."""
    before = _running(account, schedule_id)
    phases = before.phases
    if params.phases:
        phases = _phases(account, params.phases, before)
    return change(
        account,
        "subscription_schedule.updated",
        before,
        phases=phases,
        end_behavior=params.end_behavior or before.end_behavior,
        metadata=params.metadata_after(before.metadata),
    )


def retrieve_schedule(account: Account, schedule_id: str, _: Params) -> Schedule:
    """`GET /v1/subscription_schedules/{id}`."""
    return account.get(Schedule, schedule_id)


def list_schedules(account: Account, params: ListSchedules) -> Page[Schedule]:
    """`GET /v1/subscription_schedules`."""
    return page(account.all(Schedule), params, lambda schedule: params.customer in (None, schedule.customer))


def release_schedule(account: Account, schedule_id: str, _: ReleaseSchedule) -> Schedule:
    """`POST /v1/subscription_schedules/{id}/release`: the subscription stays as it is."""
    return release(account, _running(account, schedule_id))


def cancel_schedule(account: Account, schedule_id: str, _: Params) -> Schedule:
    """`POST /v1/subscription_schedules/{id}/cancel`: the subscription, too."""
    schedule = _running(account, schedule_id)
    end(account, account.get(Subscription, schedule.subscription or ""))
    return account.get(Schedule, schedule_id)


def release(account: Account, schedule: Schedule) -> Schedule:
    """It decides nothing any more."""
    released = account.change(
        schedule,
        status="released",
        released_at=account.now(),
        released_subscription=schedule.subscription,
        subscription=None,
    )
    tell(account, "subscription_schedule.released", released)
    update(account, account.get(Subscription, schedule.subscription or ""), schedule=None)
    return released


def enter_next_phase(account: Account, subscription: Subscription) -> Subscription:
    """At the end of a period: the subscription as the phase wants it that begins now. It is the caller's to keep."""
    if subscription.schedule is None:
        return subscription
    schedule = account.get(Schedule, subscription.schedule)
    phase = schedule.phase_at(subscription.period_end)
    if phase is not None and phase.start == subscription.period_end:
        return replace(subscription, items=_items_of(account, subscription, phase))
    if phase is None and schedule.end_behavior == "release":
        release(account, schedule)
        return account.get(Subscription, subscription.id)
    return subscription


def _items_of(account: Account, subscription: Subscription, phase: Phase) -> tuple[SubscriptionItem, ...]:
    """The first item stays the same one with another price, as Stripe's portal does it."""
    kept = subscription.items[0]
    found = []
    for position, wanted in enumerate(phase.items):
        identifier = kept.id if position == 0 else account.new_id(SubscriptionItem.PREFIX)
        found.append(replace(kept, id=identifier, price=wanted.price, quantity=wanted.quantity))
    return tuple(found)


def _phases(account: Account, given: list[ChangedPhase], before: Schedule) -> tuple[Phase, ...]:
    found: list[Phase] = []
    for position, phase in enumerate(given):
        at = f"phases[{position}]"
        items = tuple(PhaseItem(price=item.price, quantity=item.quantity) for item in phase.items)
        prices = [account.get(Price, item.price, f"{at}[items][price]") for item in items]
        start = phase.start_date or (found[-1].end if found else before.phases[0].start)
        interval = phase.duration or prices[0]
        finish = phase.end_date or end_of_period(start, interval.interval, count=interval.interval_count)
        found.append(Phase(start=start, end=finish, items=items, proration_behavior=phase.proration_behavior))
    if any(one.end != other.start for one, other in pairwise(found)):
        raise invalid("Each phase has to begin where the one before it ends.", "phases")
    return tuple(found)


def _running(account: Account, schedule_id: str) -> Schedule:
    schedule = account.get(Schedule, schedule_id)
    if schedule.is_over:
        raise invalid(f"The schedule is {schedule.status} and can not be changed.")
    return schedule
