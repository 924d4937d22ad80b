"""Everything around the service, for two years: Stripe with its customers, a cluster, a database, a mail server."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import httpx
import psycopg
from psycopg.rows import DictRow, dict_row

from claw_dev.cluster import ControlPlane
from claw_dev.kubeconfig import Kubeconfig
from claw_dev.processes import Processes
from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.delivery import TAKEN, Endpoint
from claw_dev.simulators.stripe.records import Event
from claw_dev.simulators.stripe.rendering import render
from claw_dev.simulators.stripe.simulator import StripeSimulator, simulated_stripe
from claw_webhook.settings import Settings
from tests.billing.clock import SharedClock
from tests.billing.lives import Life
from tests.billing.mails import Mailbox, mailbox
from tests.billing.network import Delivery
from tests.billing.play import Play
from tests.billing.receiver import SECRET, Receiver
from tests.eventually import eventually
from tests.integration.webhook.outside import Cluster

_AT_ONCE = 8
_PATIENCE = 60.0
_UNSETTLED = b"""
    SELECT 'event ' || id || ' ' || coalesce(reason, '') || ' ' || coalesce(message, '') AS what
        FROM inbox WHERE state = 'pending'
    UNION ALL
    SELECT 'look at ' || subject || ' ' || why || ' ' || coalesce(reason, '')
        FROM looks WHERE due_at <= %(now)s OR attempts > 0
    UNION ALL
    SELECT 'mail ' || cause || ' ' || occasion || ' ' || coalesce(reason, '')
        FROM outbox WHERE state = 'pending' AND (due_at <= %(now)s OR attempts > 0)
"""


@dataclass
class Town:
    """What there is. Days are counted from the beginning of the clock."""

    clock: SharedClock
    stripe: StripeSimulator
    play: Play
    receiver: Receiver
    cluster: Cluster
    mails: Mailbox
    database: psycopg.AsyncConnection[DictRow]
    settings: Settings
    told: list[Event]
    _provisioned: set[str] = field(default_factory=set)

    def events(self) -> list[dict[str, Any]]:
        """What Stripe has told since this was last asked, of the types that an endpoint takes."""
        account, fresh = self.stripe.account, [event for event in self.told if event.type in TAKEN]
        self.told.clear()
        return [render(event, account, event.api_version) for event in fresh]

    async def bring(self, deliveries: Iterable[Delivery], *, kill_after: set[int]) -> None:
        """Bring them, some at the same time. After which acknowledgements the process is killed is said by number."""
        waiting = iter(deliveries)

        async def carry() -> None:
            for delivery in waiting:
                status = await self.receiver.deliver(delivery)
                if status == 200 and self.receiver.answers.total() in kill_after:
                    await self.receiver.kill()

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(carry())

    async def settled(self) -> None:
        """Wait until nothing is due any more: no event, no look, no mail."""

        async def nothing_is_due() -> bool:
            return not await self._unsettled()

        async def story() -> str:
            return (
                "\n".join(row["what"] for row in await self._unsettled()) + "\n" + self.receiver.log.read_text()[-3000:]
            )

        await eventually(nothing_is_due, _PATIENCE, story)

    async def _unsettled(self) -> list[DictRow]:
        return await self.rows(_UNSETTLED, now=self.clock.now())

    async def provision(self) -> None:
        """Do what the operator would: whatever instance is new becomes available."""
        new = await self.rows(b"SELECT name FROM instances WHERE available_at IS NULL AND deleted_at IS NULL")
        for name in {row["name"] for row in new} - self._provisioned:
            self._provisioned.add(name)
            await self.cluster.make_available(name, key="claw_key")

    async def rows(self, query: bytes, **values: object) -> list[DictRow]:
        """What the database holds."""
        return await (await self.database.execute(query, values)).fetchall()


@asynccontextmanager
async def town(
    control_plane: ControlPlane,
    processes: Processes,
    *,
    namespace: str,
    database_url: str,
    directory: Path,
    lives: Iterable[Life],
    random: Random,
    sweep_seconds: float,
) -> AsyncIterator[Town]:
    """A town in which nothing has happened yet; the service does not run."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        clock_file = directory / "clock"
        clock = SharedClock.create(clock_file)
        # Its own endpoint is nowhere: the deliveries are ours, so that they can be as bad as they are wanted.
        stripe = await enter(simulated_stripe(endpoint=Endpoint(), clock=clock.now, random=Random(random.random())))
        told: list[Event] = []
        stripe.account.on_event = told.append
        client = await enter(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)))
        api = await enter(
            httpx.AsyncClient(base_url=stripe.url, headers={"Authorization": "Bearer sk_test_town"}, trust_env=False)
        )
        mails = await enter(mailbox())
        kubeconfig = directory / "kubeconfig"
        Kubeconfig(control_plane.url, control_plane.ca_file.read_bytes(), control_plane.admin_token, namespace).write(
            kubeconfig
        )
        environment = {
            "PUBLIC_URL": "https://claw.example",
            "DATABASE_URL": database_url,
            "STRIPE_SECRET_KEY": "sk_test_town",
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_API_URL": stripe.url,
            "SMTP_URL": mails.url,
            "MAIL_FROM": "Claw <hello@claw.example>",
            "CLAW_NAMESPACE": namespace,
            "KUBECONFIG": str(kubeconfig),
            "CLAW_BILLING_SWEEP_SECONDS": str(sweep_seconds),
        }
        receiver = Receiver(processes, client, environment, clock=clock, clock_file=clock_file, random=random)
        stack.push_async_callback(receiver.stop)
        await receiver.start()
        play = Play(stripe, await enter(StripeControls(stripe.url)), api, lives)
        await play.open_shop()
        yield Town(
            clock=clock,
            stripe=stripe,
            told=told,
            play=play,
            receiver=receiver,
            cluster=Cluster(control_plane, namespace, client),
            mails=mails,
            database=await enter(
                await psycopg.AsyncConnection.connect(database_url, autocommit=True, row_factory=dict_row)
            ),
            settings=Settings.model_validate({name.lower(): value for name, value in environment.items()}),
        )


def days_after(beginning: datetime, days: int) -> datetime:
    """The end of that day."""
    return beginning + timedelta(days=days)
