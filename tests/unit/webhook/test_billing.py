"""What a subscription wishes for, as a table: a row for everything that Stripe may say of it."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from claw_crds.v1alpha1 import ClawInstanceSpec, Customer, PlanRef, State
from claw_webhook.billing import Account, Decision, Gone, Memory, Nothing, RefusalReason, Standing, Wished, decide
from claw_webhook.deletion import NEVER
from claw_webhook.stripe_objects import Invoice, Subscription
from tests.unit.webhook.life import refused, wished
from tests.unit.webhook.stripe_documents import (
    before_basil,
    customer_document,
    day,
    invoice_before_basil,
    invoice_document,
    line_document,
    open_document,
    plan,
    price_document,
    stamp,
    subscription_document,
)

PRO = plan("pro", price_ids=("price_pro", "price_pro_old"), terms={"graceDays": 7, "retentionDays": 30})
PLANS = (PRO, plan("team", price_ids=("price_team",), monthly=19900))
SERVED = Memory(
    instance="claw-1",
    spec=ClawInstanceSpec(
        customer=Customer(id="cus_Ada1", email="ada@example.com", name="Ada Lovelace", locale="en-GB"),
        plan_ref=PlanRef(name="pro"),
        state=State.RUNNING,
    ),
    standing=Standing.ACTIVE,
    since=day(-60),
)

RUNS, WAITS = State.RUNNING, State.SUSPENDED
NONE, GONE = "no instance", "deleted"


@dataclass(frozen=True)
class Row:
    """Of a subscription with these changes, seen on that day, becomes that."""

    name: str
    changes: dict[str, Any]
    on: float
    becomes: State | str
    standing: Standing
    again: float | None = None
    """The day on which it is looked at again by itself."""
    arrears: tuple[dict[str, Any], ...] = ()
    memory: Memory = SERVED
    more: dict[str, Any] = field(default_factory=dict)
    """What else the decision says."""

    def decide(self, document: dict[str, Any], arrears: tuple[dict[str, Any], ...]) -> Decision:
        bills = tuple(Invoice.model_validate(bill) for bill in arrears)
        account = Account(Subscription.model_validate(document), arrears=bills, memory=self.memory)
        return decide(account, PLANS, day(self.on))


def past_due(*, since: float, **changes: Any) -> dict[str, Any]:
    """The renewal on day 0 was not paid."""
    return {"status": "past_due", "latest_invoice": open_document(created=since), **changes}


def ended(on: float, **changes: Any) -> dict[str, Any]:
    return {"status": "canceled", "ended_at": stamp(on), **changes}


def announced(deletion: float, *, warned: float | None = None, **more: Any) -> Memory:
    """An ended one, whose deletion on that day was announced."""
    return Memory(
        instance="claw-1",
        spec=SERVED.spec,
        standing=Standing.ENDED,
        since=day(10),
        deletion_at=day(deletion),
        warned_at=None if warned is None else day(warned),
        **more,
    )


NEW = Memory()
UNPAID_END = {"latest_invoice": open_document(created=0)}
TABLE = [
    # Before the first payment.
    Row("incomplete: nothing is made", {"status": "incomplete"}, 0, NONE, Standing.NOT_YET, memory=NEW),
    Row("incomplete: nothing is taken away", {"status": "incomplete"}, 0, NONE, Standing.NOT_YET),
    Row("incomplete_expired: nothing was made", {"status": "incomplete_expired"}, 1, NONE, Standing.ENDED, memory=NEW),
    # The trial.
    Row("trialing: runs", {"status": "trialing", "trial_end": stamp(14)}, 0, RUNS, Standing.TRIALING, again=11),
    Row("trialing: a new one, too", {"status": "trialing"}, 0, RUNS, Standing.TRIALING, memory=NEW),
    Row("trial ends soon: runs", {"status": "trialing", "trial_end": stamp(14)}, 11, RUNS, Standing.TRIALING),
    Row("trial is over, Stripe not yet", {"status": "trialing", "trial_end": stamp(14)}, 14, RUNS, Standing.TRIALING),
    Row("trial is over: paid", {"trial_end": stamp(14)}, 14, RUNS, Standing.ACTIVE),
    Row("trial, paused collection", {"status": "trialing", "pause_collection": {"behavior": "void"}}, 0, RUNS,
        Standing.TRIALING),
    Row("trial is over: not paid", {"status": "paused", "trial_end": stamp(14)}, 14, WAITS, Standing.PAUSED),
    # Paid.
    Row("active: runs", {}, 0, RUNS, Standing.ACTIVE),
    Row("active: a new one, too", {}, 0, RUNS, Standing.ACTIVE, memory=NEW),
    Row("active: cancelled for the period's end", {"cancel_at_period_end": True, "canceled_at": stamp(3)}, 29, RUNS,
        Standing.ACTIVE),
    Row("active: cancelled for a day", {"cancel_at": stamp(20), "canceled_at": stamp(3)}, 19, RUNS, Standing.ACTIVE),
    Row("active: the period is over, Stripe not yet", {}, 31, RUNS, Standing.ACTIVE),
    Row("active: a coupon made it free", {"latest_invoice": invoice_document(line_document("price_pro"),
        amount_due=0, amount_paid=0)}, 5, RUNS, Standing.ACTIVE),
    Row("active: no invoice at all", {"latest_invoice": None}, 5, RUNS, Standing.ACTIVE),
    Row("active: the latest invoice is still open", {"latest_invoice": open_document(created=0)}, 9, RUNS,
        Standing.ACTIVE),
    Row("active: in another currency", {"currency": "eur"}, 5, RUNS, Standing.ACTIVE),
    Row("paused collection, void: nothing is offered", {"pause_collection": {"behavior": "void"}}, 5, WAITS,
        Standing.PAUSED),
    Row("paused collection, keep_as_draft: runs", {"pause_collection": {"behavior": "keep_as_draft"}}, 5, RUNS,
        Standing.ACTIVE),
    Row("paused collection, mark_uncollectible: runs", {"pause_collection": {"behavior": "mark_uncollectible"}}, 5,
        RUNS, Standing.ACTIVE),
    Row("paused: waits", {"status": "paused"}, 5, WAITS, Standing.PAUSED),
    # Arrears: seven days of grace.
    Row("past_due: the first day", past_due(since=0), 0, RUNS, Standing.GRACE, again=7, more={"grace_until": day(7)}),
    Row("past_due: grace almost over", past_due(since=0), 6.99999, RUNS, Standing.GRACE, again=7,
        more={"grace_until": day(7)}),
    Row("past_due: grace over, to the second", past_due(since=0), 7, WAITS, Standing.UNPAID),
    Row("past_due: seen late for the first time", past_due(since=0), 20, WAITS, Standing.UNPAID),
    Row("past_due: the first of several bills counts", past_due(since=30), 31, WAITS, Standing.UNPAID,
        arrears=(open_document(created=30), open_document(created=0))),
    Row("past_due: the first one was paid since", past_due(since=30), 31, RUNS, Standing.GRACE, again=37,
        arrears=(open_document(created=30),), more={"grace_until": day(37)}),
    Row("past_due: a bill with nothing left to pay does not count", past_due(since=30), 31, RUNS, Standing.GRACE,
        again=37, arrears=(open_document(created=0, amount_remaining=0), open_document(created=30)),
        more={"grace_until": day(37)}),
    Row("past_due: who gets bills is late after the due date", past_due(since=0), 15, RUNS, Standing.GRACE, again=21,
        arrears=(open_document(created=0, due_date=stamp(14)),), more={"grace_until": day(21)}),
    Row("past_due: without invoice the period's beginning counts", past_due(since=0, latest_invoice=None), 5, RUNS,
        Standing.GRACE, again=7, more={"grace_until": day(7)}),
    Row("past_due: nobody is suspended by a clock that nobody can read",
        past_due(since=0, latest_invoice=None, items={"data": [{"price": price_document("price_pro")}]}), 99, RUNS,
        Standing.GRACE),
    Row("unpaid: waits", {"status": "unpaid"}, 5, WAITS, Standing.UNPAID),
    # The end, with an instance: the period was paid until day 30, and the plan keeps data for 30 days.
    Row("canceled at the period's end: kept for 30 days", ended(30), 30, WAITS, Standing.ENDED, again=53,
        more={"deletion_at": day(60)}),
    Row("canceled at once: the time that was paid for comes first", ended(10), 10, WAITS, Standing.ENDED, again=53,
        more={"deletion_at": day(60)}),
    Row("canceled for not paying: what was not paid for does not count", ended(10, **UNPAID_END), 10, WAITS,
        Standing.ENDED, again=33, more={"deletion_at": day(40)}),
    Row("incomplete_expired: where an instance exists", {"status": "incomplete_expired", "ended_at": stamp(1),
        **UNPAID_END}, 1, WAITS, Standing.ENDED, again=24, more={"deletion_at": day(31)}),
    Row("canceled without a date of the end: now", ended(0, ended_at=None, **UNPAID_END), 5, WAITS, Standing.ENDED,
        again=28, more={"deletion_at": day(35)}),
    Row("canceled, heard of late: at least eight days remain", ended(10, **UNPAID_END), 100, WAITS, Standing.ENDED,
        again=101, more={"deletion_at": day(108)}),
    Row("canceled: what was announced stays", ended(10, **UNPAID_END), 20, WAITS, Standing.ENDED, again=43,
        memory=announced(50), more={"deletion_at": day(50)}),
    Row("canceled: a week before", ended(10), 43, WAITS, Standing.ENDED, again=49, memory=announced(50),
        more={"deletion_at": day(50)}),
    Row("canceled: a day before", ended(10), 49, WAITS, Standing.ENDED, again=50, memory=announced(50),
        more={"deletion_at": day(50)}),
    Row("canceled: warned, and not yet", ended(10), 49.5, WAITS, Standing.ENDED, again=50,
        memory=announced(50, warned=49), more={"deletion_at": day(50)}),
    Row("canceled: warned late, a day is left", ended(10), 49.5, WAITS, Standing.ENDED, again=50.5,
        memory=announced(50), more={"deletion_at": day(50.5)}),
    Row("canceled: never warned, a day is left", ended(10), 70, WAITS, Standing.ENDED, again=71,
        memory=announced(50), more={"deletion_at": day(71)}),
    Row("canceled: time is up, to the second", ended(10), 50, GONE, Standing.ENDED, memory=announced(50, warned=49)),
    Row("canceled: time is up for long", ended(10), 80, GONE, Standing.ENDED, memory=announced(50, warned=49)),
    Row("canceled: the last warning was less than a day ago", ended(10), 50, WAITS, Standing.ENDED, again=50.5,
        memory=announced(50, warned=49.5), more={"deletion_at": day(50.5)}),
    Row("canceled: somebody wants it kept longer", ended(10), 50, WAITS, Standing.ENDED, again=63,
        memory=announced(50, warned=49, keep_until=day(70)), more={"deletion_at": day(50)}),
    Row("canceled: kept longer, it is announced anew", ended(10), 63, WAITS, Standing.ENDED, again=69,
        memory=announced(50, warned=49, keep_until=day(70)), more={"deletion_at": day(70)}),
    Row("canceled: a warning for an earlier day is none", ended(10), 70, WAITS, Standing.ENDED, again=71,
        memory=announced(50, warned=49, keep_until=day(70)), more={"deletion_at": day(71)}),
    Row("canceled: kept longer, and time is up", ended(10), 70, GONE, Standing.ENDED,
        memory=announced(70, warned=69, keep_until=day(70))),
    Row("canceled: kept for an earlier day changes nothing", ended(10), 50, GONE, Standing.ENDED,
        memory=announced(50, warned=49, keep_until=day(20))),
    Row("canceled: kept for ever", ended(10), 900, WAITS, Standing.ENDED,
        memory=announced(50, warned=49, keep_until=NEVER), more={"deletion_at": day(50)}),
    Row("canceled: on hold nothing is deleted", ended(10), 90, WAITS, Standing.ENDED,
        memory=announced(50, warned=49, hold="given up"), more={"deletion_at": day(50)}),
    Row("canceled: on hold there is no clock to look at", ended(10), 20, WAITS, Standing.ENDED,
        memory=announced(50, hold="given up"), more={"deletion_at": day(50)}),
    Row("canceled: on hold nothing is put off either", ended(10), 90, WAITS, Standing.ENDED,
        memory=announced(50, hold="given up"), more={"deletion_at": day(50)}),
    Row("canceled: the instance is gone", ended(10), 90, NONE, Standing.ENDED, memory=Memory(standing=Standing.ENDED)),
    Row("canceled: no instance was ever made", ended(10), 10, NONE, Standing.ENDED, memory=NEW),
    # Back again, whatever was announced.
    Row("active again: the clock is gone", {}, 49.9, RUNS, Standing.ACTIVE, memory=announced(50, warned=49)),
    Row("active again after the moment: the clock is gone", {}, 80, RUNS, Standing.ACTIVE,
        memory=announced(50, warned=49)),
    Row("trialing again: the clock is gone", {"status": "trialing"}, 80, RUNS, Standing.TRIALING,
        memory=announced(50, warned=49, hold="given up")),
    Row("past_due after a return: the clock is gone", past_due(since=78), 80, RUNS, Standing.GRACE, again=85,
        memory=announced(50, warned=49), more={"grace_until": day(85)}),
    Row("unpaid after a return: kept without a clock", {"status": "unpaid"}, 80, WAITS, Standing.UNPAID,
        memory=announced(50, warned=49)),
]  # fmt: skip


@pytest.mark.parametrize("shape", ["present", "before 2025-03-31"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_of_a_subscription_becomes(row: Row, shape: str) -> None:
    document, arrears = subscription_document(**row.changes), row.arrears
    if shape != "present":
        document, arrears = before_basil(document), tuple(map(invoice_before_basil, arrears))
    decision = row.decide(document, arrears)
    if row.becomes is NONE:
        assert decision == Nothing(row.standing)  # type: ignore[arg-type]  # a row of the table says which
        return
    if row.becomes is GONE:
        assert decision == Gone()
        return
    deletion_at = row.more.get("deletion_at")
    assert SERVED.spec is not None
    spec = SERVED.spec.model_copy(
        update={"state": row.becomes} | ({"delete_after": deletion_at} if deletion_at else {})
    )
    again = None if row.again is None else day(row.again)
    assert decision == Wished(spec, row.standing, look_again_at=again, **row.more)


def test_every_status_of_stripe_is_in_the_table() -> None:
    statuses = {row.changes.get("status", "active") for row in TABLE}
    assert statuses == {
        "incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused"
    }  # fmt: skip
    assert {row.standing for row in TABLE} == set(Standing)


def test_a_status_that_stripe_invents_tomorrow_is_refused_and_not_guessed() -> None:
    account = Account(Subscription.model_validate(subscription_document(status="dormant")), memory=SERVED)
    assert refused(decide(account, PLANS, day(1))).reason == RefusalReason.UNKNOWN_STATUS


@pytest.mark.parametrize("retention", [0, 1, 3, 8])
def test_a_short_retention_is_kept_and_its_end_is_warned_of(retention: int) -> None:
    plans = (plan("pro", price_ids=("price_pro",), terms={"retentionDays": retention}),)
    over = Subscription.model_validate(subscription_document(**ended(10, **UNPAID_END)))
    decision = decide(Account(over, memory=SERVED), plans, day(10))
    if retention == 0:
        assert decision == Gone()
    else:
        assert wished(decision).deletion_at == day(10 + retention)


def test_a_plan_that_is_no_longer_in_the_cluster_keeps_data_for_thirty_days() -> None:
    over = Subscription.model_validate(subscription_document(**ended(10, **UNPAID_END)))
    decision = wished(decide(Account(over, memory=SERVED), (), day(10)))
    assert decision.deletion_at == day(40)
    assert decision.spec.plan_ref.name == "pro"


DELETED_CUSTOMER = {"customer": {"id": "cus_Ada1", "object": "customer", "deleted": True}}
UNKNOWN_PRICE = {"items": {"data": [{"price": price_document("price_else")}]}}


@pytest.mark.parametrize("changes", [DELETED_CUSTOMER, UNKNOWN_PRICE, DELETED_CUSTOMER | UNKNOWN_PRICE])
@pytest.mark.parametrize("status", ["canceled", "unpaid", "paused", "incomplete_expired"])
def test_what_could_not_be_served_today_can_still_be_suspended(status: str, changes: dict[str, Any]) -> None:
    over = Subscription.model_validate(subscription_document(status=status, **changes))
    spec = wished(decide(Account(over, memory=SERVED), PLANS, day(10))).spec
    assert SERVED.spec is not None
    assert (spec.customer, spec.plan_ref, spec.state) == (SERVED.spec.customer, SERVED.spec.plan_ref, WAITS)


def test_grace_ends_for_a_price_that_nobody_knows_any_more_and_what_was_served_is_kept() -> None:
    late = Subscription.model_validate(subscription_document(**past_due(since=0, **UNKNOWN_PRICE)))
    account = Account(late, memory=SERVED)
    assert refused(decide(account, PLANS, day(6))).standing is Standing.GRACE
    assert wished(decide(account, PLANS, day(7))).spec.state is WAITS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [(DELETED_CUSTOMER, RefusalReason.UNUSABLE_EMAIL), (UNKNOWN_PRICE, RefusalReason.UNKNOWN_PRICE)],
)
@pytest.mark.parametrize("status", ["active", "trialing", "past_due"])
def test_who_pays_and_cannot_be_served_is_refused_and_known_to_pay(
    status: str, changes: dict[str, Any], reason: RefusalReason
) -> None:
    paid = Subscription.model_validate(subscription_document(status=status, **changes))
    refusal = refused(decide(Account(paid, memory=announced(5, warned=4)), PLANS, day(6)))
    assert refusal.reason == reason
    assert refusal.standing is not None
    assert refusal.standing.is_served


def test_a_new_customer_data_reaches_an_instance_that_waits() -> None:
    moved = customer_document(email="ada@lovelace.example")
    unpaid = Subscription.model_validate(subscription_document(status="unpaid", customer=moved))
    assert wished(decide(Account(unpaid, memory=SERVED), PLANS, day(6))).spec.customer.email == "ada@lovelace.example"


def test_only_what_billing_decides_is_set_so_that_the_rest_stays_with_its_owner() -> None:
    account = Account(Subscription.model_validate(subscription_document()))
    assert wished(decide(account, PLANS, day(1))).spec.model_fields_set == {"customer", "plan_ref", "state"}
    over = Account(Subscription.model_validate(subscription_document(**ended(10))), memory=SERVED)
    kept = wished(decide(over, PLANS, day(11))).spec
    assert kept.model_fields_set == {"customer", "plan_ref", "state", "delete_after"}
    assert kept.wire()["deleteAfter"] == "2026-11-20T12:00:00Z"
