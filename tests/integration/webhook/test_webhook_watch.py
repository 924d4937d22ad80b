"""One welcome for each instance, however often the cluster tells of it, the service starts, or things break."""

import pytest

from claw_crds import naming
from claw_crds.v1alpha1 import API_VERSION
from tests.eventually import eventually
from tests.integration.webhook.conftest import World, bodies


async def quiet(world: World) -> None:
    """Give a second mail every chance: another customer's mail, asked for later, has come."""
    before = len(world.mails.mails)
    await world.buy_and_provision(email="eve@example.com", key="claw_eve")
    await eventually(lambda: any(mail["To"] == "eve@example.com" for mail in world.mails.mails), describe=world.story)
    assert len(world.mails.mails) == before + 1


async def test_the_mail_is_sent_once_however_often_the_instance_changes(world: World) -> None:
    async with world.running():
        subscription = await world.buy_and_provision()
        name = naming.instance_name(subscription)
        await world.key_link()
        (before,) = await world.rows("SELECT available_at, available_seconds FROM instances")
        for number in range(5):
            await world.cluster.annotate(name, touched=str(number))
        await world.cluster.set_ready(name, False)
        await world.cluster.set_ready(name, True)
        await quiet(world)
        query = "SELECT available_at, available_seconds FROM instances WHERE name = %s"
        assert await world.rows(query, name) == [before]


async def test_the_mail_is_sent_once_however_often_the_service_starts(world: World) -> None:
    async with world.running():
        await world.buy_and_provision()
        await world.key_link()
    for _ in range(2):
        async with world.running():
            await world.settled()
    async with world.running(), world.running():  # two replicas, the same world
        await quiet(world)


async def test_what_became_available_while_nobody_watched_is_welcomed_afterwards(world: World) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.instance_of(subscription)
        await world.settled()
    await world.cluster.make_available(naming.instance_name(subscription), key="claw_key")
    async with world.running():
        await world.key_link()


async def test_what_went_while_nobody_watched_is_known_afterwards(world: World) -> None:
    async with world.running():
        subscription = await world.buy_and_provision()
        await world.key_link()
    await world.cluster.delete_instance(naming.instance_name(subscription))
    async with world.running():
        await world.eventually_row("SELECT * FROM instances WHERE deleted_at IS NOT NULL")


async def test_an_instance_made_anew_has_another_key_and_gets_another_mail(world: World) -> None:
    async with world.running():
        subscription = await world.buy_and_provision(key="claw_first")
        name = naming.instance_name(subscription)
        first_link = await world.key_link()
        await world.cluster.delete_instance(name)
        await world.cluster.delete_secret(f"{name}-credentials")
        await world.eventually_row("SELECT * FROM instances WHERE deleted_at IS NOT NULL")

        await world.controls.change_price(subscription, "claw_team_monthly")
        await world.instance_of(subscription)
        await world.cluster.make_available(name, key="claw_second")
        second_link = await world.key_link(1)
        assert (await world.get(first_link)).status == 410
        assert "claw_second" in (await world.post(second_link)).text


async def test_an_instance_that_no_subscription_asked_for_gets_no_mail(world: World) -> None:
    async with world.running():
        await world.cluster.put_instance(
            {
                "apiVersion": API_VERSION,
                "kind": "ClawInstance",
                "metadata": {"name": "by-hand"},
                "spec": {"customer": {"id": "cus_1", "email": "hand@example.com"}, "planRef": {"name": "pro"}},
            }
        )
        await world.cluster.make_available("by-hand", key="claw_by_hand")
        await quiet(world)


async def test_a_mail_that_the_server_does_not_take_now_is_sent_later(world: World) -> None:
    world.mails.answers = ["451 come again"]
    async with world.running():
        await world.buy_and_provision()
        row = await world.eventually_row("SELECT * FROM outbox WHERE attempts > 0")
        assert (row["state"], row["reason"]) == ("pending", "the mail server answered 451")
        await world.rows("UPDATE outbox SET due_at = now() RETURNING id")
        await world.key_link()
        await world.eventually_row("SELECT * FROM outbox WHERE state = 'sent'")


async def test_an_address_that_nobody_has_is_given_up_without_holding_up_others(world: World) -> None:
    world.mails.refused = {"nobody@example.com"}
    async with world.running():
        await world.buy_and_provision(email="nobody@example.com")
        row = await world.eventually_row("SELECT * FROM outbox WHERE state = 'dead'")
        assert "550" in row["reason"]
        assert await world.metric("claw_webhook_outbox", state="dead") == 1
        await quiet(world)


async def test_a_welcome_to_an_instance_that_is_gone_meanwhile_is_dropped(world: World) -> None:
    world.mails.answers = ["451 come again"]
    async with world.running():
        subscription = await world.buy_and_provision()
        await world.eventually_row("SELECT * FROM outbox WHERE attempts > 0")
        await world.cluster.delete_instance(naming.instance_name(subscription))
        await world.eventually_row("SELECT * FROM instances WHERE deleted_at IS NOT NULL")
        await world.rows("UPDATE outbox SET due_at = now() RETURNING id")
        await world.eventually_row("SELECT * FROM outbox WHERE state = 'dropped'")
        assert world.mails.mails == []


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "{{ 7 * 7 }}", "You won! http://evil.example"])
async def test_a_name_that_is_none_is_not_repeated_in_a_mail(world: World, name: str) -> None:
    async with world.running():
        await world.buy_and_provision(name=name)
        await world.key_link()
        for body in bodies(world.mails.mails[0]):
            assert "evil" not in body
            assert "<script" not in body
            assert "Hello," in body
