"""Test clocks, and by which clock a request is carried out."""

from collections.abc import Iterable

from claw_dev.simulators.stripe import customers
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.advancing import steps
from claw_dev.simulators.stripe.errors import invalid, missing
from claw_dev.simulators.stripe.events import change, tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import AdvanceClock, Bare, CreateClock, Paged, Params
from claw_dev.simulators.stripe.periods import end_of_period
from claw_dev.simulators.stripe.records import Customer, Price, Record, Subscription, TestClock

_INTERVALS = 2


def time_of(account: Account, identifiers: Iterable[str]) -> int | None:
    """The time of the first test clock that any of these objects is on; None for the account's own."""
    for identifier in identifiers:
        try:
            clock = _clock_of(account, account.find(identifier))
        except KeyError:
            continue
        if clock is not None:
            return account.get(TestClock, clock).frozen_time
    return None


def _clock_of(account: Account, record: Record) -> str | None:
    if isinstance(record, TestClock):
        return record.id
    owner = record if isinstance(record, Customer) else account.find(getattr(record, "customer", None) or "")
    return owner.test_clock if isinstance(owner, Customer) else None


def create_clock(account: Account, params: CreateClock) -> TestClock:
    """`POST /v1/test_helpers/test_clocks`."""
    clock = account.new(TestClock, frozen_time=params.frozen_time, name=params.name)
    tell(account, "test_helpers.test_clock.created", clock)
    return clock


def retrieve_clock(account: Account, clock_id: str, _: Params) -> TestClock:
    """`GET /v1/test_helpers/test_clocks/{id}`."""
    return _living(account, clock_id)


def list_clocks(account: Account, params: Paged) -> Page[TestClock]:
    """`GET /v1/test_helpers/test_clocks`."""
    return page(account.all(TestClock), params, lambda clock: not clock.deleted)


def advance_clock(account: Account, clock_id: str, params: AdvanceClock) -> TestClock:
    """`POST /v1/test_helpers/test_clocks/{id}/advance`: answers that it is under way, though it is done by then."""
    clock = _living(account, clock_id)
    if params.frozen_time <= clock.frozen_time:
        raise invalid("frozen_time has to be later than the clock's present time.", "frozen_time")
    if params.frozen_time > _farthest(account, clock):
        raise invalid(
            "You can only advance up to two intervals from the current frozen time based on the shortest "
            "subscription interval in the test clock.",
            "frozen_time",
        )
    advancing = change(
        account, "test_helpers.test_clock.advancing", clock, status="advancing", target=params.frozen_time
    )
    for _ in steps(account, params.frozen_time, clock=advancing):
        pass
    arrived = account.change(advancing, status="ready", frozen_time=params.frozen_time, target=None)
    with account.at(params.frozen_time):
        tell(account, "test_helpers.test_clock.ready", arrived, before=advancing)
    return advancing


def _farthest(account: Account, clock: TestClock) -> int:
    """How far it goes at once: two of the shortest intervals that are billed by it, or two years."""
    theirs = {one.id for one in account.all(Customer) if one.test_clock == clock.id}
    running = [one for one in account.all(Subscription) if one.customer in theirs and not one.status.is_final]
    prices = [account.get(Price, item.price) for one in running for item in one.items]
    ends = [
        end_of_period(clock.frozen_time, price.interval, count=_INTERVALS * price.interval_count) for price in prices
    ]
    return min(ends, default=end_of_period(clock.frozen_time, "year", count=_INTERVALS))


def delete_clock(account: Account, clock_id: str, _: Bare) -> TestClock:
    """`DELETE /v1/test_helpers/test_clocks/{id}`: with its customers and their subscriptions."""
    clock = _living(account, clock_id)
    for customer in account.all(Customer):
        if customer.test_clock == clock.id and not customer.deleted:
            customers.delete_customer(account, customer.id, Bare())
    tell(account, "test_helpers.test_clock.deleted", clock)
    return account.change(clock, deleted=True)


def _living(account: Account, clock_id: str) -> TestClock:
    clock = account.get(TestClock, clock_id)
    if clock.deleted:
        raise missing(clock.OBJECT, clock_id)
    return clock
