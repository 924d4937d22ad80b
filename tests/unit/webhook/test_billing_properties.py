"""What holds in every life: whatever happens at Stripe, and whenever, why and however often it is looked at.

An event is only a reason to look, and a look sees the subscription as it is. So events that are lost, repeated, late or
out of order are nothing but other moments to look at, and these tests draw such moments at random.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from claw_crds.v1alpha1 import ClawPlan, State
from claw_webhook.billing import Account, Decision, Gone, Nothing, Standing, Wished, decide
from claw_webhook.notices import Cause, notices
from claw_webhook.stripe_objects import Invoice, Subscription
from tests.unit.webhook.life import Life, wished
from tests.unit.webhook.stripe_documents import (
    before_basil,
    day,
    invoice_document,
    line_document,
    open_document,
    open_invoice,
    plan,
    stamp,
    subscription_document,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONG = 24 * 400
"""Hours after which everything has come to its end."""
ENOUGH = settings(max_examples=100, deadline=None)


@dataclass(frozen=True)
class Fact:
    """How the subscription is from an hour on."""

    hour: int
    document: dict[str, Any]
    arrears: tuple[Invoice, ...] = ()
    keep_until: datetime | None = None

    @cached_property
    def subscription(self) -> Subscription:
        return Subscription.model_validate(self.document)


Timeline = list[Fact]


def billed(*prices: str, back: str | None = None, months: int = 1) -> Callable[[float], dict[str, Any]]:
    """An invoice that was paid for these prices; one of them was given back."""

    def document(begins: float) -> dict[str, Any]:
        lines = [line_document(price, begins=begins, ends=begins + 30 * months) for price in prices]
        credit = [line_document(back, amount=-7900, begins=begins)] if back else []
        return invoice_document(*lines, *credit, created=begins)

    return document


INVOICES: list[Callable[[float], dict[str, Any] | None]] = [
    lambda begins: None,
    lambda begins: open_document(created=begins),
    billed("price_pro"),
    billed("price_starter"),
    billed("price_pro", months=3),
    billed("price_starter", back="price_pro"),
    billed("price_pro", back="price_pro"),
]


@dataclass(frozen=True)
class Told:
    """What Stripe may say, and what a person may have written onto the instance. In days from when it is said."""

    status: str
    price: str
    invoice: Callable[[float], dict[str, Any] | None]
    begins: int
    trial_ends: int
    pause: str | None
    ended: int | None
    owed: list[int]
    kept_until: int | None

    def at(self, hour: int) -> Fact:
        today = hour / 24
        begins = today + self.begins
        changes: dict[str, Any] = {"status": self.status, "latest_invoice": self.invoice(begins)}
        match self.status:
            case "trialing":
                changes["trial_end"] = stamp(today + self.trial_ends)
            case "active" if self.pause is not None:
                changes["pause_collection"] = {"behavior": self.pause}
            case "canceled" if self.ended is not None:
                changes["ended_at"] = stamp(today + self.ended)
        return Fact(
            hour,
            subscription_document(prices=((self.price, None),), begins=begins, ends=begins + 30, **changes),
            tuple(open_invoice(created=today + owed) for owed in self.owed if self.status == "past_due"),
            None if self.kept_until is None else day(today + self.kept_until),
        )


ANY = ("incomplete", "trialing", "active", "past_due", "unpaid", "paused", "canceled")


def told(statuses: Sequence[str]) -> st.SearchStrategy[Told]:
    return st.builds(
        Told,
        status=st.sampled_from(statuses),
        price=st.sampled_from(["price_starter", "price_pro"]),
        invoice=st.sampled_from(INVOICES),
        begins=st.integers(-29, 0),
        trial_ends=st.integers(-1, 30),
        pause=st.sampled_from([None, None, None, "void", "keep_as_draft"]),
        ended=st.sampled_from([None, 0, -9]),
        owed=st.lists(st.integers(-40, 0), max_size=2),
        kept_until=st.sampled_from([None, None, -10, 5, 60]),
    )


def timelines(*, first: Sequence[str] = ANY, last: Sequence[str] = ANY) -> st.SearchStrategy[Timeline]:
    """What happens at Stripe, in its order: up to four things between the first and the last one."""
    between = st.lists(st.tuples(st.integers(1, 24 * 20), told(ANY)), max_size=4)

    def timeline(begin: Told, middle: list[tuple[int, Told]], end: Told) -> Timeline:
        steps = [(0, begin), *middle, (1, end)]
        hours = accumulate(gap for gap, _ in steps)
        return [said.at(hour) for hour, (_, said) in zip(hours, steps, strict=True)]

    return st.builds(timeline, told(first), between, told(last))


GAPS = [0, 1, 5, 23, 24, 25, 100, 24 * 6, 24 * 8, 24 * 25]
moments = st.lists(st.sampled_from(GAPS), min_size=1, max_size=20).map(lambda gaps: list(accumulate(gaps)))
"""Hours of looks: a few of the events came, some twice, some late, and clocks and sweeps came between them."""
terms = st.fixed_dictionaries(
    {"graceDays": st.integers(0, 14), "retentionDays": st.sampled_from([0, 1, 2, 7, 8, 9, 30])}
)


def catalogue(given_terms: dict[str, int]) -> tuple[ClawPlan, ...]:
    return (
        plan("starter", price_ids=("price_starter",), monthly=2900, terms=given_terms),
        plan("pro", price_ids=("price_pro",), monthly=7900, terms=given_terms),
    )


def now_at(timeline: Timeline, hour: int) -> Fact:
    return [fact for fact in timeline if fact.hour <= hour][-1]


def lived(
    life: Life, timeline: Timeline, hours: list[int], *, late: timedelta | None = None
) -> Iterator[tuple[Fact, datetime, Decision]]:
    """Look in these hours; afterwards, where it says how late, when the clock asks for it, until it asks no more.

    Yields what was seen, when, and what was decided.
    """
    for hour in sorted(hours):
        fact, now = now_at(timeline, hour), day(hour / 24)
        life.keep_until = fact.keep_until
        decision = life.look(fact.subscription, now, fact.arrears)
        yield fact, now, decision
    while late is not None and isinstance(decision, Wished):
        now = (decision.look_again_at or now + DAY) + late
        decision = life.look(fact.subscription, now, fact.arrears)
        yield fact, now, decision


def is_paid(fact: Fact, now: datetime, grace: int) -> bool:
    """By the rules in short, in other words than the function's."""
    subscription = fact.document
    match subscription["status"]:
        case "trialing":
            return True
        case "active":
            return bool(subscription["pause_collection"] != {"behavior": "void"})
        case "past_due":
            return all(now < invoice.created + grace * DAY for invoice in fact.arrears) and bool(fact.arrears)
    return False


@ENOUGH
@given(timelines(last=["trialing", "active", "past_due", "unpaid", "paused"]), moments, moments, terms)
def test_however_it_was_looked_at_before_the_last_look_makes_the_same_instance(
    timeline: Timeline, some: list[int], others: list[int], given_terms: dict[str, int]
) -> None:
    plans, last = catalogue(given_terms), timeline[-1]
    lives = Life(plans), Life(plans)
    for life, hours in zip(lives, (some, others), strict=True):
        for _ in lived(life, timeline, [*(hour for hour in hours if hour <= last.hour), last.hour]):
            pass
    one, other = lives
    alone = decide(Account(last.subscription, arrears=last.arrears), plans, day(last.hour / 24))
    assert one.spec == other.spec == wished(alone).spec
    assert one.books.deletion_at is None
    assert one.books.warned_at is None


@ENOUGH
@given(timelines(), moments, terms)
def test_nobody_who_pays_is_ever_suspended_or_deleted(
    timeline: Timeline, hours: list[int], given_terms: dict[str, int]
) -> None:
    for fact, now, decision in lived(Life(catalogue(given_terms)), timeline, hours):
        if is_paid(fact, now, given_terms["graceDays"]):
            assert wished(decision).spec.state is State.RUNNING
            assert wished(decision).spec.delete_after is None


@ENOUGH
@given(
    timelines(first=["active"], last=["canceled"]),
    moments,
    terms,
    st.sets(st.integers(0, 20)),
    st.sampled_from([timedelta(0), timedelta(seconds=1), 25 * HOUR, 20 * DAY]),
)
def test_nothing_is_deleted_before_everything_that_was_promised(
    timeline: Timeline, hours: list[int], given_terms: dict[str, int], held: set[int], late: timedelta
) -> None:
    life = Life(catalogue(given_terms))
    was_held = False
    looks = lived(life, timeline, [0, *hours, timeline[-1].hour + hours[-1]], late=late)
    for number, (fact, now, decision) in enumerate(looks):
        if isinstance(decision, Wished) and decision.standing is not Standing.ENDED:
            life.promises.clear()
        if not isinstance(decision, Gone):
            was_held = number in held
            life.hold("given up" if was_held else None)
            continue
        assert fact.document["status"] == "canceled"
        assert not was_held
        assert fact.keep_until is None or now >= fact.keep_until
        assert all(promise <= now for promise in life.promises)
        if given_terms["retentionDays"] > 0:
            warned = [left for (cause, _), left in life.mails.items() if cause is Cause.DELETION_DAY]
            assert max(warned) <= now - DAY
            assert life.promises
    assert life.instance is None, "the clock comes to its end"


@ENOUGH
@given(timelines(first=["active"]), moments, terms, st.integers(0, 99))
def test_the_answer_stays_the_same_until_it_is_looked_at_again(
    timeline: Timeline, hours: list[int], given_terms: dict[str, int], percent: int
) -> None:
    life = Life(catalogue(given_terms))
    for fact, now, decision in lived(life, timeline, [0, *hours]):
        if isinstance(decision, Gone):
            continue
        assert isinstance(decision, Wished | Nothing)
        again = decision.look_again_at
        assert again is None or again > now
        span = again - now if again is not None else LONG * HOUR
        for part in (0, 10, 30, 60, 99, percent):
            assert life.asked(fact.subscription, now + span * part / 100, fact.arrears) == decision


@ENOUGH
@given(timelines(), moments, terms)
def test_each_mail_leaves_once_however_often_it_is_looked(
    timeline: Timeline, hours: list[int], given_terms: dict[str, int]
) -> None:
    life = Life(catalogue(given_terms))
    for fact, now, decision in lived(life, timeline, hours):
        left, books = dict(life.mails), life.books
        if isinstance(decision, Gone):
            continue
        for moment in (now, now + timedelta(seconds=1)):
            again = decision if moment == now else life.asked(fact.subscription, moment, fact.arrears)
            if again != decision:
                break
            life.look(fact.subscription, moment, fact.arrears)
            assert life.mails == left
            assert life.books == books


@ENOUGH
@given(terms, st.lists(st.integers(0, 24 * 80), max_size=10), st.booleans())
def test_left_to_its_clock_an_ended_subscription_is_warned_of_twice_and_then_deleted(
    given_terms: dict[str, int], hours: list[int], paid: bool
) -> None:
    invoice = invoice_document(line_document("price_pro")) if paid else open_document(created=0)
    served = Subscription.model_validate(subscription_document())
    over = Subscription.model_validate(
        subscription_document(status="canceled", ended_at=stamp(10), latest_invoice=invoice)
    )
    life = Life(catalogue(given_terms))
    life.look(served, day(1))
    between = iter(sorted(day(10 + hour / 24) for hour in hours))
    extra, now = next(between, None), day(10)
    while not isinstance(decision := life.look(over, now), Gone):
        again = wished(decision).look_again_at
        assert again is not None
        while extra is not None and extra <= now:
            extra = next(between, None)
        now = again if extra is None else min(again, extra)
    kept = given_terms["retentionDays"] + (20 if paid else 0)
    assert now == day(10 + kept)
    # The goodbye itself tells the day: where that is near, it is warning enough.
    warnings = [(Cause.DELETION_WEEK, kept > 7), (Cause.DELETION_DAY, kept > 0)]
    assert life.causes == [Cause.GOODBYE, *(cause for cause, is_due in warnings if is_due)]


@ENOUGH
@given(
    timelines(first=["canceled"], last=["canceled"]),
    moments,
    terms,
    st.sampled_from(["trialing", "active", "past_due"]),
)
def test_a_payment_at_any_moment_stops_the_clock_before_anything_else(
    timeline: Timeline, hours: list[int], given_terms: dict[str, int], status: str
) -> None:
    assume(given_terms["graceDays"] > 0)
    life = Life(catalogue(given_terms))
    life.look(Subscription.model_validate(subscription_document()), day(0))
    last = day(0)
    for _, now, decision in lived(life, timeline, hours):
        last = now
        if isinstance(decision, Gone):
            return
    paid = Subscription.model_validate(subscription_document(status=status))
    bill = open_invoice(created=(last - day(0)) / DAY)
    decision = wished(life.look(paid, last, (bill,)))
    assert decision.spec.state is State.RUNNING
    assert (life.books.deletion_at, life.books.warned_at, life.books.hold) == (None, None, None)


@ENOUGH
@given(timelines(), st.integers(0, LONG), terms)
def test_both_shapes_of_the_api_say_the_same(timeline: Timeline, hour: int, given_terms: dict[str, int]) -> None:
    fact, plans, now = now_at(timeline, hour), catalogue(given_terms), day(hour / 24)
    older = Subscription.model_validate(before_basil(fact.document))
    accounts = [Account(one, arrears=fact.arrears) for one in (fact.subscription, older)]
    one, other = (decide(account, plans, now) for account in accounts)
    assert one == other
    assert notices(accounts[0], one, plans, now) == notices(accounts[1], other, plans, now)
