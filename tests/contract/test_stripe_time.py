"""What time does to the simulator's subscriptions, by test clocks and by the account's own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe

from claw_dev.simulators.stripe.records import Card
from tests.contract.stripe_months import DAY, HOUR, World, beginning, noon

BEGIN = noon(2026, 1, 31)
FEBRUARY = noon(2026, 2, 28)
MARCH = noon(2026, 3, 31)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with beginning(lambda: BEGIN) as made:
        yield made


async def test_a_subscription_of_the_31st_renews_on_the_last_day_of_february_and_the_31st_of_march(
    world: World,
) -> None:
    subscription = await world.buy()
    assert await world.controls.advance(to=MARCH + 2 * HOUR) == MARCH + 2 * HOUR
    invoices = await world.invoices(subscription)
    assert [invoice.created for invoice in invoices] == [BEGIN, FEBRUARY, MARCH]
    assert {(invoice.status, invoice.amount_paid, invoice.amount_remaining) for invoice in invoices} == {
        ("paid", 7900, 0)
    }
    assert [invoice.status_transitions.paid_at for invoice in invoices] == [BEGIN, FEBRUARY + HOUR, MARCH + HOUR]
    line = invoices[1].lines.data[0]
    assert (line.period.start, line.period.end) == (FEBRUARY, MARCH)
    item = (await world.subscription(subscription))["items"].data[0]
    assert (item.current_period_start, item.current_period_end) == (
        MARCH,
        noon(2026, 4, 30),
    )
    assert await world.story(since=MARCH - 1) == [
        "invoice.created",
        "customer.subscription.updated",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]


async def test_a_card_that_is_declined_makes_a_subscription_past_due_until_it_is_paid(world: World) -> None:
    subscription = await world.buy()
    await world.controls.set_card(subscription, Card.DECLINES)
    await world.controls.advance(to=FEBRUARY + 30 * 60)
    assert (await world.subscription(subscription)).latest_invoice.status == "draft"
    await world.controls.advance(to=FEBRUARY + 2 * DAY)
    late = await world.subscription(subscription)
    assert (late.status, late.latest_invoice.status, late.latest_invoice.amount_remaining) == ("past_due", "open", 7900)
    assert late.latest_invoice.next_payment_attempt == FEBRUARY + HOUR + 3 * DAY
    found = await world.v1.invoices.list_async({"subscription": subscription, "status": "open"})
    assert [(invoice.created, invoice.attempt_count) for invoice in found.data] == [(FEBRUARY, 1)]
    await world.controls.advance(seconds=2 * DAY)
    assert (await world.subscription(subscription)).latest_invoice.attempt_count == 2
    with pytest.raises(stripe.CardError, match="declined"):
        await world.v1.invoices.pay_async(late.latest_invoice.id)
    assert (
        await world.v1.invoices.pay_async(late.latest_invoice.id, {"payment_method": "pm_card_visa"})
    ).status == "paid"
    assert (await world.subscription(subscription)).status == "active"
    assert (await world.v1.customers.retrieve_async(late.customer)).delinquent is False


@pytest.mark.parametrize("status", ["canceled", "unpaid", "past_due"])
async def test_after_the_last_try_the_account_decides_what_becomes_of_it(world: World, status: Any) -> None:
    await world.controls.set_rules(after_retries=status, retry_days=(1, 2))
    subscription = await world.buy()
    await world.controls.set_card(subscription, Card.DECLINES)
    await world.controls.advance(to=FEBRUARY + 10 * DAY)
    after = await world.subscription(subscription)
    assert (after.status, after.latest_invoice.attempt_count, after.latest_invoice.status) == (status, 3, "open")
    assert after.latest_invoice.next_payment_attempt is None
    assert after.cancellation_details.reason == ("payment_failed" if status == "canceled" else None)
    if status == "unpaid":
        await world.controls.advance(to=MARCH + DAY)
        assert [invoice.status for invoice in await world.invoices(subscription)] == ["paid", "open", "draft"]
        await world.controls.pay(subscription)
        assert [invoice.status for invoice in await world.invoices(subscription)] == 3 * ["paid"]
        assert (await world.subscription(subscription)).status == "active"


async def test_a_trial_is_announced_and_then_billed(world: World) -> None:
    subscription = await world.buy(trial_days=14)
    await world.controls.advance(seconds=14 * DAY + 2 * HOUR)
    billed = await world.subscription(subscription)
    assert (billed.status, billed.latest_invoice.amount_paid) == ("active", 7900)
    assert [invoice.total for invoice in await world.invoices(subscription)] == [0, 7900]
    assert (await world.story(since=BEGIN))[:3] == [
        "customer.subscription.trial_will_end",
        "invoice.created",
        "customer.subscription.updated",
    ]
    announced = (await world.v1.events.list_async({"type": "customer.subscription.trial_will_end"})).data
    assert [event.created for event in announced] == [BEGIN + 11 * DAY]


@pytest.mark.parametrize(
    ("wanted", "status"), [("pause", "paused"), ("cancel", "canceled"), ("create_invoice", "past_due")]
)
async def test_a_trial_without_a_card_ends_as_it_was_agreed(world: World, wanted: str, status: str) -> None:
    subscription = await world.buy(trial_days=14, card=Card.NONE, without_payment_method=wanted)
    await world.controls.advance(seconds=14 * DAY + 2 * HOUR)
    assert (await world.subscription(subscription)).status == status
    if status == "paused":
        await world.controls.set_card(subscription, Card.GOOD)
        resumed = await world.v1.subscriptions.resume_async(subscription)
        assert resumed.status == "active"
        assert resumed["items"].data[0].current_period_start == BEGIN + 14 * DAY + 2 * HOUR
        assert "customer.subscription.resumed" in await world.story(since=BEGIN)


async def test_a_subscription_that_nobody_pays_for_at_first_expires_after_23_hours(world: World) -> None:
    customer = await world.v1.customers.create_async(
        {"email": "ada@example.com", "payment_method": "pm_card_chargeCustomerFail"}
    )
    wanted = {"customer": customer.id, "items": [{"price": "price_pro_monthly"}]}
    with pytest.raises(stripe.CardError):
        await world.v1.subscriptions.create_async({**wanted, "payment_behavior": "error_if_incomplete"})
    lost = await world.v1.subscriptions.create_async(wanted)
    kept = await world.v1.subscriptions.create_async({**wanted, "payment_behavior": "default_incomplete"})
    assert (lost.status, kept.status) == ("incomplete", "incomplete")
    await world.v1.invoices.pay_async(kept.latest_invoice, {"payment_method": "pm_card_visa"})
    await world.controls.advance(seconds=24 * HOUR)
    assert (await world.subscription(kept.id)).status == "active"
    expired = await world.subscription(lost.id)
    assert (expired.status, expired.ended_at, expired.latest_invoice.status) == (
        "incomplete_expired",
        BEGIN + 23 * HOUR,
        "void",
    )


async def test_a_subscription_that_runs_out_ends_with_its_period_and_is_not_billed_again(world: World) -> None:
    subscription = await world.buy()
    await world.v1.subscriptions.update_async(subscription, {"cancel_at_period_end": True})
    await world.controls.advance(to=FEBRUARY + DAY)
    ended = await world.subscription(subscription)
    assert (ended.status, ended.ended_at, ended.canceled_at) == ("canceled", FEBRUARY, BEGIN)
    assert len(await world.invoices(subscription)) == 1
    assert await world.story(since=BEGIN) == ["customer.subscription.deleted"]


@pytest.mark.parametrize(
    ("behavior", "status"), [("void", "void"), ("keep_as_draft", "draft"), ("mark_uncollectible", "uncollectible")]
)
async def test_while_collection_is_paused_a_subscription_stays_active(world: World, behavior: str, status: str) -> None:
    subscription = await world.buy()
    pause = {"behavior": behavior, "resumes_at": MARCH - DAY}
    await world.v1.subscriptions.update_async(subscription, {"pause_collection": pause})
    await world.controls.advance(to=MARCH - 2 * DAY)
    paused = await world.subscription(subscription)
    assert (paused.status, paused.latest_invoice.status) == ("active", status)
    assert paused.pause_collection.behavior == behavior
    await world.controls.advance(to=MARCH + DAY)
    resumed = await world.subscription(subscription)
    assert (resumed.pause_collection, resumed.latest_invoice.status) == (None, "paid")


async def test_a_test_clock_moves_its_own_customers_and_nobody_else(world: World) -> None:
    others = await world.buy()
    clock = await world.v1.test_helpers.test_clocks.create_async({"frozen_time": BEGIN - 100 * DAY})
    customer = await world.v1.customers.create_async({"test_clock": clock.id, "payment_method": "pm_card_visa"})
    assert customer.created == BEGIN - 100 * DAY
    subscription = await world.v1.subscriptions.create_async(
        {"customer": customer.id, "items": [{"price": "price_pro_monthly", "quantity": 2}], "trial_period_days": 3}
    )
    assert (subscription.created, subscription.test_clock) == (BEGIN - 100 * DAY, clock.id)
    with pytest.raises(stripe.InvalidRequestError, match="up to two intervals"):
        await world.v1.test_helpers.test_clocks.advance_async(clock.id, {"frozen_time": BEGIN})
    advancing = await world.v1.test_helpers.test_clocks.advance_async(clock.id, {"frozen_time": BEGIN - 60 * DAY})
    assert advancing.status == "advancing"
    assert (await world.v1.test_helpers.test_clocks.retrieve_async(clock.id)).status == "ready"
    invoices = await world.invoices(subscription.id)
    assert [(invoice.total, invoice.created) for invoice in invoices[:2]] == [
        (0, BEGIN - 100 * DAY),
        (15800, BEGIN - 97 * DAY),
    ]
    assert len(await world.invoices(others)) == 1
    listed = await world.v1.subscriptions.list_async({"test_clock": clock.id})
    assert [found.id for found in listed.data] == [subscription.id]
    await world.v1.test_helpers.test_clocks.delete_async(clock.id)
    assert (await world.subscription(subscription.id)).status == "canceled"


async def test_a_session_that_nobody_completes_expires_after_a_day(world: World) -> None:
    session = await world.v1.checkout.sessions.create_async(
        {"mode": "subscription", "success_url": "https://claw.example", "line_items": [{"price": "price_pro_monthly"}]}
    )
    await world.controls.advance(seconds=25 * HOUR)
    assert (await world.v1.checkout.sessions.retrieve_async(session.id)).status == "expired"
    assert await world.story(since=BEGIN) == ["checkout.session.expired"]


async def test_events_are_told_for_thirty_days(world: World) -> None:
    await world.buy()
    first = (await world.v1.events.list_async()).data[-1]
    await world.controls.advance(seconds=29 * DAY)
    assert (await world.v1.events.retrieve_async(first.id)).id == first.id
    await world.controls.advance(seconds=2 * DAY)
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        await world.v1.events.retrieve_async(first.id)
    assert all(event.created >= BEGIN + DAY for event in (await world.v1.events.list_async()).data)


async def test_the_clock_that_was_given_may_move_by_itself() -> None:
    moments = [BEGIN]
    async with beginning(lambda: moments[-1]) as world:
        subscription = await world.buy()
        moments.append(MARCH)
        assert await world.controls.advance() == MARCH
        assert [invoice.created for invoice in await world.invoices(subscription)] == [BEGIN, FEBRUARY, MARCH]


async def test_an_idempotency_key_is_forgotten_after_a_day(world: World) -> None:
    async def make() -> str:
        made = await world.v1.customers.create_async({"email": "ada@example.com"}, {"idempotency_key": "k1"})
        return str(made.id)

    first = await make()
    await world.controls.advance(seconds=23 * HOUR)
    assert await make() == first
    await world.controls.advance(seconds=HOUR)
    assert await make() != first
