"""`claw billing` and `claw customers`: what the person who runs the service looks at and decides.

They work on the customers database beside the running service, which finds by itself what they have changed. They take
the service's variables (`environment.py`), each command only those that it needs.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from claw_webhook.billing_log import BillingLog
from claw_webhook.console import showing
from claw_webhook.console.desk import Desk, NotDone, actor, at_desk
from claw_webhook.console.erasing import Erasing
from claw_webhook.console.registers import Registers
from claw_webhook.console.replaying import WHY, Replaying
from claw_webhook.sweeps.comparison import REPAIRED, Kind

billing = typer.Typer(no_args_is_help=True, help="Stripe's events, what became of subscriptions, and what is held.")
customers = typer.Typer(no_args_is_help=True, help="Who the customers are, and how one is forgotten.")

EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", envvar="CLAW_ENV_FILE", help="Take the webhook service's variables from this file alone."
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for the billing log.")]
SubscriptionId = Annotated[str, typer.Argument(metavar="SUB_ID", help="sub_…")]


class State(StrEnum):
    """What became of events."""

    DEAD = "dead"
    REFUSED = "refused"
    PENDING = "pending"
    IGNORED = "ignored"
    DONE = "done"
    ALL = "all"


@billing.command()
def events(
    state: Annotated[State, typer.Option("--state", help="Only those in this state.")] = State.ALL,
    subject: Annotated[str | None, typer.Option("--subject", help="Only those about this sub_… or cus_….")] = None,
    limit: Limit = 50,
    env_file: EnvFile = None,
) -> None:
    """List what Stripe has told, the newest first, and what became of it."""

    async def work(desk: Desk) -> None:
        wanted = None if state is State.ALL else state.value
        found = await Replaying(await desk.pool(), clock=desk.clock).events(state=wanted, subject=subject, most=limit)
        desk.console.print(showing.events_table(found) if found else "no such events")
        if len(found) == limit:
            desk.console.print(f"these are the newest {limit}: see more with --limit")

    at_desk(env_file, work)


@billing.command()
def replay(
    event: Annotated[str | None, typer.Argument(metavar="[EVENT_ID]", help="evt_…")] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Everything that was given up.")] = False,
    subject: Annotated[str | None, typer.Option("--subject", help="Everything about this sub_… or cus_….")] = None,
    env_file: EnvFile = None,
) -> None:
    """Have something worked on once more. The live subscription decides, so this is always harmless."""
    if sum((event is not None, all_dead, subject is not None)) != 1:
        raise typer.BadParameter("give one of: an event's id, --all-dead, --subject")

    async def work(desk: Desk) -> None:
        replaying = Replaying(await desk.pool(), clock=desk.clock)
        if all_dead:
            number = await replaying.replay_dead(actor=actor())
            desk.console.print(f"{number} subscriptions or customers are worked on again")
        elif subject is not None:
            number = await replaying.replay_subject(subject, actor=actor())
            desk.console.print(f"{subject} is looked at again, with {number} events that had failed")
        elif event is not None:
            await _replay_one(desk, replaying, event)

    at_desk(env_file, work)


async def _replay_one(desk: Desk, replaying: Replaying, event_id: str) -> None:
    found = await replaying.event(event_id)
    if found is None:
        raise NotDone(f"no event {event_id} has arrived; `claw billing sweep` fetches what was missed")
    if found.subject is None:
        raise NotDone(f"nothing is ever done about {found.id}, a {found.type}")
    await replaying.replay_event(found, actor=actor())
    desk.console.print(f"{found.subject} is looked at again, because of {found.id}")


@billing.command()
def log(subject: Annotated[str, typer.Argument(metavar="ID", help="sub_… or cus_…")], env_file: EnvFile = None) -> None:
    """Tell everything that happened to a subscription, or to all those of a customer, and why."""

    async def work(desk: Desk) -> None:
        table = BillingLog(await desk.pool())
        is_customer = subject.startswith("cus_")
        entries = await (table.entries(customer=subject) if is_customer else table.entries(subscription=subject))
        desk.console.print(showing.log_table(entries) if entries else f"nothing has happened to {subject}")

    at_desk(env_file, work)


@billing.command()
def holds(env_file: EnvFile = None) -> None:
    """List what is not deleted until a person decides."""

    async def work(desk: Desk) -> None:
        held = await Registers(await desk.pool()).holds()
        desk.console.print(showing.holds_table(held) if held else "nothing is held")

    at_desk(env_file, work)


@billing.command()
def hold(subscription: SubscriptionId, why: Why, env_file: EnvFile = None) -> None:
    """Let nothing of an ended subscription be deleted until it is released, or paid for again."""

    async def work(desk: Desk) -> None:
        if await _is_held(desk, subscription):
            raise NotDone(f"{subscription} is held already: see `claw billing holds`")
        await (await desk.customers()).hold(subscription, why, actor=actor(), why=why)
        desk.console.print(f"{subscription} is held: its instance is not deleted")

    at_desk(env_file, work)


@billing.command()
def release(subscription: SubscriptionId, why: Why, env_file: EnvFile = None) -> None:
    """Let a deletion that was held take its course. The customer is still warned a day ahead."""

    async def work(desk: Desk) -> None:
        if not await _is_held(desk, subscription):
            raise NotDone(f"{subscription} is not held")
        await (await desk.customers()).release(subscription, actor=actor(), why=why)
        await (await desk.looks()).ask(subscription, why=WHY)
        desk.console.print(f"{subscription} is released, and looked at again")

    at_desk(env_file, work)


async def _is_held(desk: Desk, subscription: str) -> bool:
    held = await Registers(await desk.pool()).is_held(subscription)
    if held is None:
        raise NotDone(f"no subscription {subscription} is recorded: see `claw customers list`")
    return held


@billing.command()
def sweep(env_file: EnvFile = None) -> None:
    """Fetch missed events and compare all subscriptions with all instances, now."""
    from claw_webhook.stripe_books import StripeBooks
    from claw_webhook.sweeps.sweep import Sweep

    async def work(desk: Desk) -> None:
        stripe = await desk.stripe()
        swept = await Sweep(
            await desk.pool(),
            books=StripeBooks(stripe.client),
            stripe=stripe,
            instances=await desk.instances(),
            customers=await desk.customers(),
            inbox=await desk.inbox(),
            looks=await desk.looks(),
            clock=desk.clock,
        ).run()
        if swept is None:
            raise NotDone("another sweep is going on: its findings are in that service's log")
        compared, console = swept.comparison, desk.console
        console.print(f"{swept.events.listed} events listed by Stripe, of which {swept.events.stored} had been missed")
        console.print(f"{compared.subscriptions} subscriptions and {compared.instances} instances compared")
        if not compared.counts:
            console.print("everything is as it should be")
            return
        console.print(showing.findings_table(compared.findings))
        looked_at, left_alone = sum(compared.counts[kind] for kind in REPAIRED), compared.counts[Kind.UNPAID]
        console.print(f"{looked_at} are looked at by the running service; {left_alone} without payment are left alone")

    at_desk(env_file, work)


@billing.command("sync-catalog")
def sync_catalog(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be changed.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Make Stripe sell what the ClawPlans say: products, prices, and the portal's choices."""
    from claw_webhook.front import stripe_shop

    async def work(desk: Desk) -> None:
        plans = await (await desk.instances()).plans()
        changes = await stripe_shop.sync_catalog((await desk.stripe()).client, plans, dry_run=dry_run)
        for change in changes:
            desk.console.print(str(change), markup=False)
        summary = f"{len(changes)} changes {'would be made' if dry_run else 'were made'}"
        desk.console.print(
            summary if changes else f"Stripe sells the {len(plans)} plans as they are: nothing to change"
        )

    at_desk(env_file, work)


@customers.command("list")
def list_customers(limit: Limit = 50, env_file: EnvFile = None) -> None:
    """List the customers, the newest first."""

    async def work(desk: Desk) -> None:
        found = await Registers(await desk.pool()).customers(most=limit)
        desk.console.print(showing.customers_table(found) if found else "there are no customers yet")

    at_desk(env_file, work)


@customers.command()
def show(
    customer: Annotated[str, typer.Argument(metavar="ID_OR_ADDRESS", help="cus_… or an address")],
    env_file: EnvFile = None,
) -> None:
    """Tell all that is known of a customer."""

    async def work(desk: Desk) -> None:
        found = await Registers(await desk.pool()).customer(customer)
        if found is None:
            raise NotDone("no such customer is recorded: see `claw customers list`")
        desk.console.print(showing.customer_table(found))

    at_desk(env_file, work)


@customers.command()
def erase(
    customer: Annotated[str, typer.Argument(metavar="CUS_ID", help="cus_…")],
    why: Annotated[str, typer.Option("--why", help="The reason, for the billing log.")] = "asked for by the customer",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Forget who a customer is. Ids, dates and the billing log stay: the books need them."""

    async def work(desk: Desk) -> None:
        erasing = Erasing(await desk.pool(), clock=desk.clock)
        await erasing.check(customer)
        if not yes:
            typer.confirm(f"Forget for good who {customer} is? This cannot be undone.", abort=True)
        erased = await erasing.erase(customer, actor=actor(), why=why)
        mentions = await erasing.empty_mentions(customer)
        desk.console.print(
            f"{customer} is {'erased' if erased.first_time else 'erased already'}; emptied now: {erased.checkouts}"
            f" checkouts, {erased.events + mentions} events, {erased.mails} mails; {erased.passes} passes are void"
        )
        desk.console.print("Stripe keeps its own record: delete the customer there, too, and then erase once more.")

    at_desk(env_file, work)
