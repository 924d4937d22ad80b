"""`claw billing` and `claw customers`, beside the service and on the same database."""

import asyncio
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from claw_crds import naming
from claw_webhook.console.commands import billing, customers
from claw_webhook.database import Pool
from tests.eventually import eventually
from tests.integration.webhook.conftest import World


class Shell:
    """A person at a terminal, with the service's variables in a file."""

    def __init__(self, env_file: Path) -> None:
        self._env_file = env_file

    async def _invoke(self, app: typer.Typer, *arguments: str) -> Result:
        arguments += ("--env-file", str(self._env_file))
        return await asyncio.to_thread(CliRunner().invoke, app, arguments)

    async def billing(self, *arguments: str) -> str:
        """What `claw billing …` prints."""
        result = await self._invoke(billing, *arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    async def customers(self, *arguments: str) -> str:
        """What `claw customers …` prints."""
        result = await self._invoke(customers, *arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    async def refused(self, app: typer.Typer, *arguments: str) -> str:
        """The one sentence with which a command ends that does nothing."""
        result = await self._invoke(app, *arguments)
        assert result.exit_code == 1, result.output
        assert "Traceback" not in result.stderr
        return " ".join(result.stderr.split())


@pytest.fixture
def shell(world: World, pool: Pool, tmp_path: Path) -> Shell:
    """A terminal, and a database with the schema in it."""
    file = tmp_path / "webhook.env"
    file.write_text("".join(f"{name}='{value}'\n" for name, value in world.environment.items()))
    return Shell(file)


async def give_up(world: World, subscription: str) -> str:
    """Let an event about the subscription be one that was given up. Returns its id."""
    rows = await world.rows(
        """
        UPDATE inbox SET state = 'dead', attempts = 4320, reason = 'StripeUnavailable', message = 'Stripe did not tell'
        WHERE id = (SELECT min(id) FROM inbox WHERE subject = %s) RETURNING id
        """,
        subscription,
    )
    return str(rows[0]["id"])


async def end(world: World, subscription: str) -> None:
    """The customer leaves, and somebody deletes the instance by hand."""
    await world.controls.cancel(subscription)
    await world.eventually_row(
        "SELECT 1 AS found FROM subscriptions WHERE id = %s AND standing = 'Ended'", subscription
    )
    await world.settled()
    await world.cluster.delete_instance(naming.instance_name(subscription))
    await world.eventually_row(
        "SELECT 1 AS found FROM instances WHERE subscription = %s AND deleted_at IS NOT NULL", subscription
    )


async def test_an_event_that_was_given_up_is_listed_and_replayed(world: World, shell: Shell) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.instance_of(subscription)
        await world.settled()
        event = await give_up(world, subscription)
        await world.cluster.delete_instance(naming.instance_name(subscription))

        listed = await shell.billing("events", "--state", "dead")
        assert event in listed
        assert subscription in listed
        assert "4320 failures" in listed
        assert "StripeUnavailable: Stripe did not tell" in listed

        assert subscription in await shell.billing("replay", event)
        await world.eventually_row("SELECT 1 AS found FROM inbox WHERE id = %s AND state = 'done'", event)
        await world.instance_of(subscription)
        assert "no such events" in await shell.billing("events", "--state", "dead")
        assert "replayed" in await shell.billing("log", subscription)
        [entry] = await world.rows("SELECT actor FROM billing_log WHERE action = 'replayed'")
        assert re.fullmatch(r"person:\S+", entry["actor"])


async def test_everything_that_was_given_up_is_replayed_at_once(world: World, shell: Shell) -> None:
    async with world.running():
        bought = [await world.buy(email=f"customer{number}@example.com") for number in range(2)]
        for subscription in bought:
            await world.instance_of(subscription)
        await world.settled()
    for subscription in bought:
        await give_up(world, subscription)
    assert "2 subscriptions" in await shell.billing("replay", "--all-dead")
    assert await world.rows("SELECT id FROM inbox WHERE state = 'dead'") == []
    assert {row["subject"] for row in await world.rows("SELECT subject FROM looks")} >= set(bought)


async def test_replaying_a_subject_looks_at_it_even_if_nothing_had_failed(world: World, shell: Shell) -> None:
    assert "with 0 events" in await shell.billing("replay", "--subject", "sub_quiet")
    assert await world.rows("SELECT subject, why FROM looks") == [{"subject": "sub_quiet", "why": "person"}]


async def test_a_hold_is_put_listed_and_released(world: World, shell: Shell) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.instance_of(subscription)
        await world.controls.cancel(subscription)
        await world.eventually_row(
            "SELECT 1 AS found FROM subscriptions WHERE id = %s AND standing = 'Ended'", subscription
        )
        await world.settled()

    assert "nothing is held" in await shell.billing("holds")
    await shell.billing("hold", subscription, "--why", "a lawsuit")
    listed = await shell.billing("holds")
    assert subscription in listed
    assert "a lawsuit" in listed
    assert "is held already" in await shell.refused(billing, "hold", subscription, "--why", "again")

    await shell.billing("release", subscription, "--why", "settled")
    assert "nothing is held" in await shell.billing("holds")
    assert "is not held" in await shell.refused(billing, "release", subscription, "--why", "again")
    told = await shell.billing("log", subscription)
    assert "a lawsuit" in told
    assert "settled" in told


async def test_a_sweep_by_hand_tells_what_it_found(world: World, shell: Shell) -> None:
    async with world.running():
        await world.instance_of(await world.buy())
        await world.settled()
    assert "everything is as it should be" in await shell.billing("sweep")
    missing = await world.buy(email="charles@example.com")
    told = await shell.billing("sweep")
    assert f"subscription {missing} (Active) has no instance" in told
    assert "1 are looked at by the running service; 0 without payment are left alone" in told


async def test_stripe_is_made_to_sell_the_plans_once(world: World, shell: Shell) -> None:
    before = len(world.events())
    would = await shell.billing("sync-catalog", "--dry-run")
    assert "changes would be made" in would
    assert len(world.events()) == before
    assert "changes were made" in await shell.billing("sync-catalog")
    assert "nothing to change" in await shell.billing("sync-catalog")


async def test_customers_are_listed_and_shown(world: World, shell: Shell) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.instance_of(subscription)
        await world.settled()
    customer = world.customer_of(subscription).id
    listed = await shell.customers("list")
    assert customer in listed
    assert "pro Active" in listed
    for asked in (customer, "ADA@example.com"):
        shown = await shell.customers("show", asked)
        assert "Ada Lovelace" in shown
        assert subscription in shown
        assert naming.instance_name(subscription) in shown


async def test_nobody_who_pays_or_whose_data_is_kept_is_erased(world: World, shell: Shell) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.instance_of(subscription)
        await world.settled()
        customer = world.customer_of(subscription).id
        assert "is Active: cancel it in Stripe first" in await shell.refused(customers, "erase", customer, "--yes")
        await world.controls.cancel(subscription)
        await world.eventually_row(
            "SELECT 1 AS found FROM subscriptions WHERE id = %s AND standing = 'Ended'", subscription
        )
        kept = await shell.refused(customers, "erase", customer, "--yes")
        assert "is still there, which is kept until 20" in kept
        assert f"kubectl delete clawinstance {naming.instance_name(subscription)}" in kept
    assert "no customer cus_nobody is recorded" in await shell.refused(customers, "erase", "cus_nobody", "--yes")


async def test_who_is_erased_is_nowhere_in_the_database_and_the_books_stay(world: World, shell: Shell) -> None:
    async with world.running():
        subscription = await world.buy_and_provision(business_name="Analytical Engines")
        await world.key_link()
        await world.settled()
        await end(world, subscription)
        await world.settled()
        customer = world.customer_of(subscription).id
        log = await world.rows("SELECT * FROM billing_log ORDER BY id")
        assert await mentions(world) != set()

        assert "is erased;" in await shell.customers("erase", customer, "--yes")
        assert await mentions(world) == set()
        assert (await world.rows("SELECT * FROM billing_log ORDER BY id"))[:-1] == log
        [books] = await world.rows("SELECT customer, plan, standing, ended_at FROM subscriptions")
        assert (books["customer"], books["plan"], books["standing"]) == (customer, "pro", "Ended")
        assert books["ended_at"] is not None
        assert "erased" in await shell.customers("list")
        assert "is erased already" in await shell.customers("erase", customer, "--yes")
        assert len(await world.rows("SELECT 1 AS found FROM billing_log WHERE action = 'erased'")) == 1

        # Whatever is looked at or swept afterwards does not bring it back.
        await shell.billing("replay", "--subject", subscription)
        await shell.billing("sweep")
        await eventually(lambda: nothing_due(world), describe=world.story)
        assert await mentions(world) == set()


async def test_erasing_asks_first(world: World, shell: Shell) -> None:
    async with world.running():
        subscription = await world.buy()
        await world.instance_of(subscription)
        await world.settled()
        await end(world, subscription)
    # Nobody types anything.
    assert "Aborted" in await shell.refused(customers, "erase", world.customer_of(subscription).id)
    assert await mentions(world) != set()


async def test_what_is_wrong_is_told_in_a_sentence(world: World, shell: Shell, tmp_path: Path) -> None:
    assert "no event evt_nothing has arrived" in await shell.refused(billing, "replay", "evt_nothing")
    assert "no subscription sub_nobody is recorded" in await shell.refused(billing, "hold", "sub_nobody", "--why", "x")
    empty = tmp_path / "empty.env"
    empty.write_text("")
    assert f"DATABASE_URL is not set in {empty}" in await Shell(empty).refused(billing, "events")
    away = tmp_path / "away.env"
    away.write_text("DATABASE_URL='postgresql://claw:a-password@127.0.0.1:1/customers'\n")
    told = await Shell(away).refused(billing, "events")
    assert "the customers database does not answer" in told
    assert "a-password" not in told


async def mentions(world: World) -> set[str]:
    """Tables in which the customer's name, company or address can be read."""
    tables = await world.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    found = set()
    for table in (row["table_name"] for row in tables):
        for row in await world.rows(f'SELECT t::text AS line FROM "{table}" t'):
            if re.search(r"Lovelace|Ada |ada@|Analytical|Europe/London", row["line"]):
                found.add(table)
    return found


async def nothing_due(world: World) -> bool:
    return not await world.rows("SELECT 1 AS found FROM looks WHERE due_at <= now()")
