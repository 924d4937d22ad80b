"""Time passes: everything that falls due happens, each thing at its own moment and in the order of the moments."""

import heapq
from collections.abc import Iterator

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.records import CheckoutSession, Customer, Subscription, TestClock
from claw_dev.simulators.stripe.renewal import next_step

Subject = Subscription | CheckoutSession


def steps(account: Account, until: int, *, clock: TestClock | None = None) -> Iterator[int]:
    """Carry out everything up to and including `until`, and tell after each step when it was.

    Of the test clock's customers, or of all that are on none. Between two steps the account may be used: what begins
    or changes meanwhile is not forgotten.
    """
    present = account.reached if clock is None else clock.frozen_time
    while queue := list(_due(account, until, clock)):
        heapq.heapify(queue)
        while queue:
            queued, kind, identifier = heapq.heappop(queue)
            step = next_step(account, account.get(_KINDS[kind], identifier))
            if step is None or step.moment > until:
                continue
            if step.moment > queued:
                heapq.heappush(queue, (step.moment, kind, identifier))
                continue
            # What was put off beyond its moment, by a pause say, happens as soon as it can.
            present = max(present, step.moment)
            if clock is None:
                account.forward_to(present)
            with account.at(present):
                step.take()
            yield present
            heapq.heappush(queue, (present, kind, identifier))
    if clock is None:
        account.forward_to(until)
        account.reached = until


_KINDS: dict[int, type[Subject]] = {0: Subscription, 1: CheckoutSession}


def _due(account: Account, until: int, clock: TestClock | None) -> Iterator[tuple[int, int, str]]:
    wanted = clock.id if clock else None
    for kind, records in _KINDS.items():
        for record in reversed(account.all(records)):
            step = next_step(account, record)
            if step is not None and step.moment <= until and _clock_of(account, record) == wanted:
                yield step.moment, kind, record.id


def _clock_of(account: Account, subject: Subject) -> str | None:
    return account.get(Customer, subject.customer).test_clock if subject.customer else None
