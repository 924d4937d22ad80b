"""The whole life of a subscription, on a clock that the tests move: from the first payment to the last byte kept."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from claw_crds import naming
from claw_crds.v1alpha1 import API_VERSION
from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.stripe.records import SubscriptionStatus
from claw_webhook.customers import Customers
from claw_webhook.database import open_pool
from claw_webhook.services import utc_now
from tests.eventually import eventually
from tests.integration.webhook.conftest import SECRET, Row, World

DAY = timedelta(days=1)


class Clock:
    """The real one, so that Stripe's simulator agrees, but for what the test has let pass."""

    def __init__(self) -> None:
        self._passed = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self._passed

    def forward(self, time: timedelta) -> None:
        self._passed += time

    def forward_to(self, moment: datetime) -> None:
        self._passed += max(moment - self(), timedelta())


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def books(world: World, subscription: str, holds: Callable[[Row], object]) -> Row:
    """The subscription's row, as soon as it is as wanted."""
    found: Row = {}

    async def as_wanted() -> bool:
        nonlocal found
        rows = await world.rows("SELECT * FROM subscriptions WHERE id = %s", subscription)
        found = rows[0] if rows else {}
        return bool(rows) and bool(holds(found))

    await eventually(as_wanted, 15, describe=world.story)
    return found


async def stands(world: World, subscription: str, standing: str) -> Row:
    return await books(world, subscription, lambda row: row["standing"] == standing)


async def specified(world: World, subscription: str, **wanted: Any) -> Row:
    """The spec of the instance, as soon as it is as wanted. None: the field is not there."""
    spec: Row = {}

    async def as_wanted() -> bool:
        nonlocal spec
        spec = (await world.instance_of(subscription))["spec"]
        return all(spec.get(field) == value for field, value in wanted.items())

    await eventually(as_wanted, 15, describe=world.story)
    return spec


async def mailed(world: World, cause: str) -> list[Row]:
    return await world.rows("SELECT * FROM outbox WHERE cause = %s ORDER BY id", cause)


async def gone(world: World, subscription: str) -> None:
    async def nothing_left() -> bool:
        name = naming.instance_name(subscription)
        return name not in {one["metadata"]["name"] for one in await world.cluster.instances()}

    await eventually(nothing_left, 15, describe=world.story)
    await world.eventually_row(
        "SELECT * FROM instances WHERE name = %s AND deleted_at IS NOT NULL", naming.instance_name(subscription)
    )


async def look_now(world: World, subscription: str) -> None:
    """A look, and its end: whatever it leads to has happened."""
    await world.rows(
        """
        INSERT INTO looks (subject, due_at, why) VALUES (%s, '2000-01-01', 'person:ada')
        ON CONFLICT (subject) DO UPDATE SET due_at = '2000-01-01', asked = looks.asked + 1 RETURNING subject
        """,
        subscription,
    )

    async def looked() -> bool:
        query = "SELECT * FROM looks WHERE subject = %s AND due_at = '2000-01-01'"
        return not await world.rows(query, subscription)

    await eventually(looked, 15, describe=world.story)


async def leave(world: World, subscription: str) -> Row:
    """The customer cancels. Returns the row with the deletion that was announced."""
    await world.controls.cancel(subscription)
    row = await stands(world, subscription, "Ended")
    await specified(world, subscription, state="Suspended")
    return row


async def warned(world: World, subscription: str) -> Row:
    """The row, as soon as the last warning has left: before that, nothing is deleted."""
    row = await books(world, subscription, lambda row: row["warned_at"])
    query = "SELECT * FROM outbox WHERE cause = 'deletion_day' AND state = 'sent' AND created_at >= %s"
    await world.eventually_row(query, row["warned_at"])
    return row


async def to_the_last_day(world: World, clock: Clock, subscription: str) -> Row:
    """Until the last warning has been given. Returns the row, with the moment that this has made final."""
    row = await books(world, subscription, lambda row: row["deletion_at"])
    clock.forward_to(row["deletion_at"] - 7 * DAY)
    await world.eventually_row("SELECT * FROM outbox WHERE cause = 'deletion_week'")
    clock.forward_to(row["deletion_at"] - DAY)
    # Whoever was still at the look of the week before reckons from this moment when to come again.
    await look_now(world, subscription)
    return await warned(world, subscription)


async def test_in_arrears_it_runs_through_the_grace_then_rests_and_runs_again_once_paid(
    world: World, clock: Clock
) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        await stands(world, subscription, "Active")
        await world.controls.set_status(subscription, SubscriptionStatus.PAST_DUE)
        row = await stands(world, subscription, "Grace")
        await specified(world, subscription, state="Running")
        await world.eventually_row("SELECT * FROM outbox WHERE cause = 'payment_failed'")

        clock.forward_to(row["grace_until"])
        row = await stands(world, subscription, "Unpaid")
        spec = await specified(world, subscription, state="Suspended")
        assert "deleteAfter" not in spec
        assert row["deletion_at"] is None
        clock.forward(400 * DAY)
        await look_now(world, subscription)
        await specified(world, subscription, state="Suspended")

        await world.controls.set_status(subscription, SubscriptionStatus.ACTIVE)
        await stands(world, subscription, "Active")
        await specified(world, subscription, state="Running")
        for cause in ("payment_failed", "suspended", "resumed"):
            assert len(await mailed(world, cause)) == 1, cause


async def test_an_ended_one_is_kept_warned_about_twice_and_deleted(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        await stands(world, subscription, "Active")
        row = await leave(world, subscription)
        assert row["deletion_at"] >= row["paid_until"] + 30 * DAY
        written = row["deletion_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
        await specified(world, subscription, state="Suspended", deleteAfter=written)
        await world.eventually_row("SELECT * FROM outbox WHERE cause = 'goodbye'")

        clock.forward_to(row["deletion_at"] - 7 * DAY - timedelta(minutes=1))
        await look_now(world, subscription)
        assert await mailed(world, "deletion_week") == []
        row = await to_the_last_day(world, clock, subscription)
        clock.forward_to(row["deletion_at"] - timedelta(minutes=1))
        await look_now(world, subscription)
        await specified(world, subscription, state="Suspended")

        clock.forward_to(row["deletion_at"])
        await gone(world, subscription)
        for cause in ("goodbye", "deletion_week", "deletion_day"):
            assert len(await mailed(world, cause)) == 1, cause
        actions = [
            (row["action"], row["actor"])
            for row in await world.rows("SELECT * FROM billing_log WHERE subscription = %s ORDER BY id", subscription)
        ]
        assert actions[-1] == ("deleted", "clock")
        assert {"standing", "plan", "instance", "deletion"} <= {action for action, _ in actions}
        await look_now(world, subscription)
        assert await world.cluster.instances() == []


async def test_a_last_warning_that_did_not_leave_is_none(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        await stands(world, subscription, "Active")
        row = await leave(world, subscription)
        clock.forward_to(row["deletion_at"] - 7 * DAY)
        await world.eventually_row("SELECT * FROM outbox WHERE cause = 'deletion_week' AND state = 'sent'")
        world.mails.refused.add("ada@example.com")
        world.mails.refusal = "451 4.3.0 the mail server is away"
        clock.forward_to(row["deletion_at"] - DAY)
        row = await books(world, subscription, lambda row: row["warned_at"])

        clock.forward_to(row["deletion_at"])
        later = await books(world, subscription, lambda now: now["deletion_at"] > row["deletion_at"])
        assert later["deletion_at"] - clock() <= DAY
        await specified(world, subscription, state="Suspended")
        world.mails.refused.clear()
        clock.forward(timedelta(hours=1))
        await world.eventually_row("SELECT * FROM outbox WHERE cause = 'deletion_day' AND state = 'sent'")
        await specified(world, subscription, state="Suspended")

        clock.forward_to(later["deletion_at"])
        await gone(world, subscription)
        assert [mail["state"] for mail in await mailed(world, "deletion_day")] == ["dropped", "sent"]


async def test_a_plan_that_keeps_nothing_ends_with_the_paid_time_and_a_goodbye(world: World, clock: Clock) -> None:
    plan = f"brief-{world.cluster.namespace}"
    await world.cluster.sell(plan, "price_unknown_monthly")
    try:
        await world.cluster.edit_plan(plan, retentionDays=0)
        async with world.running(clock=clock):
            subscription = await world.buy(price="price_unknown_monthly")
            row = await stands(world, subscription, "Active")
            await world.settled()
        clock.forward_to(row["paid_until"])
        await world.controls.cancel(subscription)
        async with world.running(clock=clock):
            await gone(world, subscription)
            row = await stands(world, subscription, "Ended")
            assert row["status"] == "canceled"
            assert [mail["cause"] for mail in await world.rows("SELECT cause FROM outbox ORDER BY id")] == ["goodbye"]
    finally:
        await world.cluster.withdraw(plan)


async def test_after_an_outage_of_months_nothing_is_deleted_unwarned(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        await stands(world, subscription, "Active")
        await world.settled()
    await world.controls.cancel(subscription)
    clock.forward(300 * DAY)
    async with world.running(clock=clock):
        row = await leave_noticed(world, subscription)
        assert row["deletion_at"] >= clock() + 7 * DAY
    clock.forward(300 * DAY)  # and nobody was there to warn
    async with world.running(clock=clock):
        row = await warned(world, subscription)
        assert row["deletion_at"] >= row["warned_at"] + DAY
        await specified(world, subscription, state="Suspended")
        clock.forward_to(row["deletion_at"])
        await gone(world, subscription)


async def leave_noticed(world: World, subscription: str) -> Row:
    await look_now(world, subscription)
    return await stands(world, subscription, "Ended")


async def come_back(world: World, ended: str, **changes: Any) -> str:
    return await world.buy(customer=world.customer_of(ended).id, metadata={"claw_resumes": ended}, **changes)


async def test_who_comes_back_on_the_last_day_gets_the_same_instance_again(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        ended = await world.buy()
        before = await world.instance_of(ended)
        await stands(world, ended, "Active")
        await leave(world, ended)
        row = await to_the_last_day(world, clock, ended)
        again = await come_back(world, ended, price="claw_team_monthly")
        await stands(world, again, "Active")
        await specified(world, ended, state="Running", deleteAfter=None, planRef={"name": "team"})

        clock.forward_to(row["deletion_at"] + 10 * DAY)
        for subscription in (ended, again):
            await look_now(world, subscription)
        (after,) = await world.cluster.instances()
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["metadata"]["annotations"][naming.SUBSCRIPTION] == again
        rows = await world.rows("SELECT id, deletion_at FROM subscriptions")
        assert {row["id"]: row["deletion_at"] for row in rows} == {ended: None, again: None}
        assert len(await mailed(world, "resumed")) == 1
        assert await world.rows("SELECT * FROM billing_log WHERE action = 'resumed' AND subscription = %s", again)


async def test_a_payment_of_which_nobody_has_told_yet_stops_the_deletion(world: World, clock: Clock) -> None:
    async with world.running(clock=clock) as url:
        ended = await world.buy()
        await stands(world, ended, "Active")
        await leave(world, ended)
        row = await to_the_last_day(world, clock, ended)
        await world.controls.set_endpoint(None)  # what Stripe tells comes late
        again = await come_back(world, ended)
        clock.forward_to(row["deletion_at"])
        await stands(world, again, "Active")
        await specified(world, ended, state="Running", deleteAfter=None)
        await world.controls.set_endpoint(f"{url}/webhooks/stripe", SECRET)


async def test_a_payment_is_on_record_even_if_the_cluster_refuses_what_follows_from_it(
    world: World, clock: Clock
) -> None:
    async with world.running(clock=clock):
        ended = await world.buy()
        instance = await world.instance_of(ended)
        name = instance["metadata"]["name"]
        await stands(world, ended, "Active")
        await leave(world, ended)
        await made_anew_for_another_customer(world, instance)
        row = await to_the_last_day(world, clock, ended)

        again = await come_back(world, ended)
        refusal = await world.eventually_row("SELECT * FROM inbox WHERE subject = %s AND state = 'refused'", again)
        assert refusal["reason"] == "RejectedByCluster"
        assert (await stands(world, again, "Active"))["deletion_at"] is None
        clock.forward_to(row["deletion_at"] + DAY)
        for subscription in (ended, again):
            await look_now(world, subscription)
        assert [one["metadata"]["name"] for one in await world.cluster.instances()] == [name]


async def made_anew_for_another_customer(world: World, instance: Row) -> None:
    """By hand, under the same name: an instance whose customer can never be ours."""
    name = instance["metadata"]["name"]
    await world.settled()
    await world.cluster.delete_instance(name)
    await world.eventually_row("SELECT * FROM instances WHERE deleted_at IS NOT NULL")
    metadata = {"name": name, "annotations": instance["metadata"]["annotations"]}
    spec = {"customer": {"id": "cus_other", "email": "eve@example.com"}, "planRef": {"name": "pro"}}
    made = {"apiVersion": API_VERSION, "kind": "ClawInstance", "metadata": metadata, "spec": spec}
    await world.cluster.put_instance(made)
    await world.eventually_row("SELECT * FROM instances WHERE deleted_at IS NULL")


async def test_nobody_takes_over_an_instance_of_somebody_else(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        ended = await world.buy()
        await stands(world, ended, "Active")
        await leave(world, ended)
        other = await world.buy(email="eve@example.com", metadata={"claw_resumes": ended})
        await specified(world, other, state="Running")
        await specified(world, ended, state="Suspended")
        assert len(await world.cluster.instances()) == 2


async def test_who_pays_to_come_back_and_cannot_be_served_keeps_the_data(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        ended = await world.buy()
        await stands(world, ended, "Active")
        await leave(world, ended)
        again = await come_back(world, ended, price="price_unknown_monthly")
        row = await books(world, ended, lambda row: row["hold"])
        assert again in row["hold"]
        clock.forward(400 * DAY)
        await look_now(world, ended)
        await specified(world, ended, state="Suspended")


async def test_a_hold_blocks_the_deletion_until_a_person_decides(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        await stands(world, subscription, "Active")
        await leave(world, subscription)
        world.stripe.faults.add(Fault(kind=FaultKind.ERROR, status=404))
        await look_now(world, subscription)
        row = await books(world, subscription, lambda row: row["hold"])
        assert row["hold"] == "NoSuchSubscription"
        assert await world.metric("claw_webhook_holds") == 1

        clock.forward(400 * DAY)
        await look_now(world, subscription)
        await specified(world, subscription, state="Suspended")
        assert await mailed(world, "deletion_day") == []

        async with open_pool(world.database_url, size=2) as pool:
            customers = Customers(pool, namespace=world.cluster.namespace, clock=clock)
            await customers.release(subscription, actor="person:ada", why="the account was mixed up")
        await look_now(world, subscription)
        row = await warned(world, subscription)
        await specified(world, subscription, state="Suspended")
        clock.forward_to(row["deletion_at"])
        await gone(world, subscription)
        log = await world.rows("SELECT actor, before, after FROM billing_log WHERE action = 'hold' ORDER BY id")
        assert [(row["before"], row["after"]) for row in log] == [
            (None, '"NoSuchSubscription"'),
            ('"NoSuchSubscription"', None),
        ]
        assert log[1]["actor"] == "person:ada"


async def test_what_nobody_could_look_at_for_days_is_not_deleted(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        await stands(world, subscription, "Active")
        await leave(world, subscription)
        await world.settled()
        world.stripe.faults.add(Fault(kind=FaultKind.ERROR, status=401, path="/v1/subscriptions", times=None))

        async def tried_for_days() -> bool:
            # Again and again: a worker that was at it just now writes its own count over this one.
            query = "UPDATE looks SET attempts = 4319, due_at = '2000-01-01' WHERE subject = %s RETURNING subject"
            await world.rows(query, subscription)
            return bool(await world.rows("SELECT FROM subscriptions WHERE id = %s AND hold IS NOT NULL", subscription))

        await eventually(tried_for_days, 15, describe=world.story)
        row = await books(world, subscription, lambda row: row["hold"])
        assert row["hold"] == "StripeUnavailable"
        world.stripe.faults.clear()
        clock.forward(400 * DAY)
        await look_now(world, subscription)
        await specified(world, subscription, state="Suspended")
        assert await world.metric("claw_webhook_subscriptions", standing="Ended") == 1


async def test_a_payment_ends_a_hold(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        await stands(world, subscription, "Active")
        await world.settled()
        world.stripe.faults.add(Fault(kind=FaultKind.ERROR, status=404))
        await look_now(world, subscription)
        await world.eventually_row("SELECT * FROM billing_log WHERE action = 'hold' AND after IS NOT NULL")
        await look_now(world, subscription)
        await books(world, subscription, lambda row: row["hold"] is None)


async def test_an_annotation_keeps_the_data_longer_and_an_unreadable_one_for_good(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        name = (await world.instance_of(subscription))["metadata"]["name"]
        await stands(world, subscription, "Active")
        row = await leave(world, subscription)
        kept = (row["deletion_at"] + 100 * DAY).replace(microsecond=0)
        await world.cluster.annotate(name, **{naming.KEEP_UNTIL: kept.isoformat()})
        await world.eventually_row("SELECT * FROM instances WHERE keep_until = %s", kept)
        clock.forward_to(row["deletion_at"] + 10 * DAY)
        await look_now(world, subscription)
        await specified(world, subscription, state="Suspended")
        assert await mailed(world, "deletion_week") == []

        await world.cluster.annotate(name, **{naming.KEEP_UNTIL: "until Ada is back"})
        await world.eventually_row("SELECT * FROM instances WHERE keep_until > '9999-01-01'")
        clock.forward_to(kept + 100 * DAY)
        await look_now(world, subscription)
        await specified(world, subscription, state="Suspended")

        await world.cluster.annotate(name, **{naming.KEEP_UNTIL: kept.isoformat()})
        row = await warned(world, subscription)
        clock.forward_to(row["deletion_at"])
        await gone(world, subscription)


async def test_what_was_annotated_while_nobody_listened_is_seen_at_the_last_look(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        name = (await world.instance_of(subscription))["metadata"]["name"]
        await stands(world, subscription, "Active")
        await leave(world, subscription)
        row = await to_the_last_day(world, clock, subscription)
        kept = (row["deletion_at"] + 30 * DAY).replace(microsecond=0)
        await world.cluster.annotate(name, **{naming.KEEP_UNTIL: kept.isoformat()})
        await world.eventually_row("SELECT * FROM instances WHERE keep_until = %s", kept)
        await world.settled()
        await world.rows("UPDATE instances SET keep_until = NULL RETURNING name")  # as if it had not been heard of
        clock.forward_to(row["deletion_at"] + timedelta(minutes=1))
        await look_now(world, subscription)
        await specified(world, subscription, state="Suspended")


async def test_an_instance_that_says_it_is_somebody_elses_is_not_deleted(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        subscription = await world.buy()
        name = (await world.instance_of(subscription))["metadata"]["name"]
        await stands(world, subscription, "Active")
        await leave(world, subscription)
        row = await to_the_last_day(world, clock, subscription)
        await world.settled()
        await world.cluster.annotate(name, **{naming.SUBSCRIPTION: "sub_of_somebody_else"})
        clock.forward_to(row["deletion_at"] + timedelta(minutes=1))
        row = await books(world, subscription, lambda row: row["hold"])
        assert "sub_of_somebody_else" in row["hold"]
        instance = await world.instance_of(subscription)
        assert instance["metadata"]["annotations"][naming.SUBSCRIPTION] == "sub_of_somebody_else"


async def test_a_change_of_the_customer_reaches_every_instance_of_theirs(world: World, clock: Clock) -> None:
    async with world.running(clock=clock):
        first = await world.buy()
        customer = world.customer_of(first)
        second = await world.buy(customer=customer.id)
        for subscription in (first, second):
            await stands(world, subscription, "Active")
        await world.settled()
        world.stripe.account.change(customer, email="ada@lovelace.example")
        answer = await world.deliver(body=customer_updated(customer.id))
        assert answer["status"] == 200
        for subscription in (first, second):

            async def known(subscription: str = subscription) -> bool:
                spec = (await world.instance_of(subscription))["spec"]
                return bool(spec["customer"]["email"] == "ada@lovelace.example")

            await eventually(known, 15, describe=world.story)


def customer_updated(customer: str) -> str:
    return f'{{"id": "evt_{customer}", "type": "customer.updated", "data": {{"object": {{"id": "{customer}"}}}}}}'


async def test_two_replicas_and_every_event_thrice_in_any_order_are_one_life(world: World, clock: Clock) -> None:
    subscription = await world.buy()  # nobody listens yet
    await world.controls.set_status(subscription, SubscriptionStatus.PAST_DUE)
    await world.controls.set_status(subscription, SubscriptionStatus.ACTIVE)
    await world.controls.cancel(subscription)
    other = await world.buy(email="eve@example.com")
    events = [event.id for event in world.events()]
    async with world.running(clock=clock), world.running(clock=clock):
        for event in [*reversed(events), *events, *reversed(events)]:
            assert (await world.deliver(event=event))["status"] == 200
        await stands(world, subscription, "Ended")
        await stands(world, other, "Active")
        await world.settled()
        assert [one["metadata"]["name"] for one in await world.cluster.instances()] == [naming.instance_name(other)]
        log = await world.rows("SELECT action FROM billing_log WHERE subscription = %s ORDER BY id", other)
        assert sorted(row["action"] for row in log) == ["instance", "plan", "standing"]
