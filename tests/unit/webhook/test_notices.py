"""Which mails a subscription causes in the course of its life, and that each leaves once."""

from datetime import timedelta
from typing import Any

import pytest

from claw_webhook.billing import Gone
from claw_webhook.notices import Cause, Notice, notices
from claw_webhook.stripe_objects import Subscription
from tests.unit.webhook.life import Life, wished
from tests.unit.webhook.stripe_documents import (
    customer_document,
    day,
    invoice_document,
    line_document,
    open_document,
    open_invoice,
    plan,
    price_document,
    stamp,
    subscription,
)

PLANS = (plan("pro", price_ids=("price_pro",), terms={"graceDays": 7, "retentionDays": 30}),)
ACTIVE = subscription()
PAST_DUE = subscription(status="past_due", latest_invoice=open_document(created=0))
UNPAID = subscription(status="unpaid", latest_invoice=open_document(created=0))
ENDED = subscription(status="canceled", ended_at=stamp(10), latest_invoice=open_document(created=0))
"""To be deleted on day 40."""


def served(plans: Any = PLANS) -> Life:
    """Somebody who has had an instance since before the first day."""
    life = Life(plans)
    life.look(ACTIVE, day(-1))
    assert not life.mails
    return life


def ended() -> Life:
    life = served()
    life.look(ENDED, day(10))
    return life


def caused(life: Life, seen: Subscription, on: float, **more: Any) -> list[Notice]:
    """What leaves at this look and had not left before."""
    account = life.account(seen, more.get("arrears", ()))
    now = day(on)
    before = set(life.mails)
    found = notices(account, life.asked(seen, now, account.arrears), life.plans, now)
    life.look(seen, now, account.arrears)
    return [notice for notice in found if (notice.cause, notice.occasion) not in before]


def causes(life: Life, seen: Subscription, on: float, **more: Any) -> list[Cause]:
    return [notice.cause for notice in caused(life, seen, on, **more)]


# The trial.


def trial(**changes: Any) -> Subscription:
    return subscription(status="trialing", trial_end=stamp(14), **changes)


def test_a_trial_s_end_is_told_three_days_before() -> None:
    life = Life(PLANS)
    assert causes(life, trial(), 0) == []
    assert causes(life, trial(), 10.99) == []
    (notice,) = caused(life, trial(), 11)
    assert notice == Notice(Cause.TRIAL_ENDING, f"sub_Pro1:{day(14).isoformat()}", {"plan": "Pro", "amount": "$79"})
    assert causes(life, trial(), 12) == []


def test_a_trial_that_was_made_longer_is_told_of_again() -> None:
    life = Life(PLANS)
    assert causes(life, trial(), 12) == [Cause.TRIAL_ENDING]
    longer = subscription(status="trialing", trial_end=stamp(28))
    assert causes(life, longer, 13) == []
    assert causes(life, longer, 25) == [Cause.TRIAL_ENDING]


@pytest.mark.parametrize("changes", [{"cancel_at_period_end": True}, {"cancel_at": stamp(14)}])
def test_nothing_is_said_of_a_trial_that_was_cancelled(changes: dict[str, Any]) -> None:
    assert causes(Life(PLANS), trial(**changes), 12) == []


def test_nothing_is_said_of_a_trial_whose_end_is_past() -> None:
    assert causes(Life(PLANS), trial(), 14) == []


def test_an_amount_that_may_turn_out_otherwise_is_not_told() -> None:
    (notice,) = caused(Life(PLANS), trial(discounts=["di_1"]), 12)
    assert notice.details == {"plan": "Pro"}


# Arrears.


def test_a_failed_payment_is_told_once_for_each_time_of_arrears() -> None:
    life = served()
    (notice,) = caused(life, PAST_DUE, 0)
    assert notice == Notice(Cause.PAYMENT_FAILED, f"sub_Pro1:{day(0).isoformat()}", {"plan": "Pro", "amount": "$79"})
    assert causes(life, PAST_DUE, 3) == []
    assert causes(life, ACTIVE, 4) == []
    later = subscription(status="past_due", latest_invoice=open_document(created=30))
    assert causes(life, later, 30) == [Cause.PAYMENT_FAILED]


def test_all_that_is_owed_is_told_in_its_currency() -> None:
    bills = (open_invoice(created=0, currency="eur"), open_invoice(created=1, currency="eur", amount=150))
    (notice,) = caused(served(), PAST_DUE, 2, arrears=bills)
    assert notice.details["amount"] == "€80.50"


def test_who_does_not_pay_is_suspended_and_resumed_with_a_mail_each() -> None:
    life = served()
    assert causes(life, PAST_DUE, 0) == [Cause.PAYMENT_FAILED]
    assert causes(life, PAST_DUE, 7) == [Cause.SUSPENDED]
    assert causes(life, UNPAID, 20) == []
    assert causes(life, ACTIVE, 21) == [Cause.RESUMED]
    assert causes(life, ACTIVE, 22) == []
    assert causes(life, UNPAID, 40) == [Cause.SUSPENDED]
    assert causes(life, subscription(status="paused"), 41) == []
    assert causes(life, ACTIVE, 42) == [Cause.RESUMED]


def test_who_never_had_an_instance_is_not_told_that_it_stopped() -> None:
    assert causes(Life(PLANS), UNPAID, 5) == []


def test_the_welcome_of_a_new_one_is_not_from_here() -> None:
    assert causes(Life(PLANS), ACTIVE, 0) == []


# The end.


def test_the_end_is_told_once_and_its_deletion_twice() -> None:
    life = served()
    (goodbye,) = caused(life, ENDED, 10)
    assert goodbye == Notice(Cause.GOODBYE, "sub_Pro1", {"plan": "Pro"})
    assert causes(life, ENDED, 32.9) == []
    (week,) = caused(life, ENDED, 33)
    assert week == Notice(Cause.DELETION_WEEK, f"sub_Pro1:{day(40).isoformat()}", {"plan": "Pro"})
    assert causes(life, ENDED, 38.9) == []
    (last,) = caused(life, ENDED, 39)
    assert last == Notice(Cause.DELETION_DAY, f"sub_Pro1:{day(40).isoformat()}", {"plan": "Pro"})
    assert causes(life, ENDED, 39.5) == []
    assert isinstance(life.look(ENDED, day(40)), Gone)
    assert life.causes == [Cause.GOODBYE, Cause.DELETION_WEEK, Cause.DELETION_DAY]


def test_a_warning_that_comes_late_puts_the_deletion_off() -> None:
    life = ended()
    assert causes(life, ENDED, 39.75) == [Cause.DELETION_DAY]
    assert life.books.deletion_at == day(40.75)
    assert wished(life.look(ENDED, day(40.7))).look_again_at == day(40.75)
    assert isinstance(life.look(ENDED, day(40.75)), Gone)


def test_a_service_that_was_away_for_long_warns_once_before_it_deletes() -> None:
    life = ended()
    assert causes(life, ENDED, 90) == [Cause.DELETION_DAY]
    assert isinstance(life.look(ENDED, day(91)), Gone)


def test_an_end_that_is_heard_of_late_leaves_time_for_both_warnings() -> None:
    life = served()
    assert causes(life, ENDED, 100) == [Cause.GOODBYE]
    assert causes(life, ENDED, 101) == [Cause.DELETION_WEEK]
    assert causes(life, ENDED, 107) == [Cause.DELETION_DAY]
    assert isinstance(life.look(ENDED, day(108)), Gone)


def test_data_that_somebody_wants_kept_is_warned_of_anew() -> None:
    life = ended()
    assert causes(life, ENDED, 39) == [Cause.DELETION_DAY]
    life.keep_until = day(70)
    assert causes(life, ENDED, 40) == []
    assert causes(life, ENDED, 63) == [Cause.DELETION_WEEK]
    assert causes(life, ENDED, 69) == [Cause.DELETION_DAY]
    assert isinstance(life.look(ENDED, day(70)), Gone)


def test_a_moment_that_was_announced_is_not_brought_forward_by_removing_the_annotation() -> None:
    life = ended()
    life.keep_until = day(70)
    assert causes(life, ENDED, 63) == [Cause.DELETION_WEEK]
    life.keep_until = None
    assert wished(life.look(ENDED, day(64))).deletion_at == day(70)


def test_nobody_is_warned_while_a_hold_stops_the_deletion() -> None:
    life = ended()
    life.hold("given up")
    for on in (33, 39, 40, 50):
        assert causes(life, ENDED, on) == []
    life.hold(None)
    assert causes(life, ENDED, 50) == [Cause.DELETION_DAY]
    assert isinstance(life.look(ENDED, day(51)), Gone)


def test_a_plan_that_keeps_nothing_says_goodbye_while_it_deletes() -> None:
    life = served((plan("pro", price_ids=("price_pro",), terms={"retentionDays": 0}),))
    assert causes(life, ENDED, 10) == [Cause.GOODBYE]
    assert life.instance is None
    assert causes(life, ENDED, 11) == []


def test_a_plan_that_keeps_for_less_than_a_week_does_not_repeat_its_goodbye() -> None:
    life = served((plan("pro", price_ids=("price_pro",), terms={"retentionDays": 5}),))
    assert causes(life, ENDED, 10) == [Cause.GOODBYE]
    assert causes(life, ENDED, 11) == []
    assert causes(life, ENDED, 14) == [Cause.DELETION_DAY]


def test_a_plan_that_keeps_for_a_day_warns_at_once_and_not_of_a_week() -> None:
    life = served((plan("pro", price_ids=("price_pro",), terms={"retentionDays": 1}),))
    assert causes(life, ENDED, 10) == [Cause.GOODBYE, Cause.DELETION_DAY]
    assert isinstance(life.look(ENDED, day(11)), Gone)


@pytest.mark.parametrize("on", [10.5, 33, 39.5, 80])
def test_who_comes_back_is_told_so_and_hears_no_more_of_a_deletion(on: float) -> None:
    life = ended()
    for look in (33, 39):
        if look < on:
            life.look(ENDED, day(look))
    back = subscription(id="sub_Pro2")
    assert causes(life, back, on) == [Cause.RESUMED]
    assert causes(life, back, on + 1) == []


def test_who_is_refused_gets_no_mail() -> None:
    life = served()
    unknown = {"items": {"data": [{"price": price_document("price_else")}]}}
    assert causes(life, subscription(status="past_due", **unknown), 1) == []


def test_no_mail_repeats_what_a_customer_typed() -> None:
    typed = "Click http://evil.example"
    life = Life(PLANS)
    payer = customer_document(name=typed, metadata={"company": typed})
    sub = {"customer": payer, "latest_invoice": invoice_document(line_document("price_pro"))}
    found = caused(life, subscription(status="trialing", trial_end=stamp(2), **sub), 1)
    found += caused(life, subscription(status="past_due", **sub), 3)
    found += caused(life, subscription(status="canceled", **sub), 5)
    assert [notice.cause for notice in found] == [Cause.TRIAL_ENDING, Cause.PAYMENT_FAILED, Cause.GOODBYE]
    assert not any(typed in str(notice) for notice in found)


def test_the_same_second_makes_no_second_occasion() -> None:
    life = ended()
    for _ in range(3):
        life.look(ENDED, day(39))
        life.look(ENDED, day(39) + timedelta(seconds=1))
    assert life.causes == [Cause.GOODBYE, Cause.DELETION_DAY]
