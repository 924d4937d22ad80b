"""The whole webhook service between real servers: PostgreSQL, an API server, Stripe's simulator, a mail server."""

import re
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import psycopg
import pytest
from psycopg.rows import dict_row

from claw_crds import naming
from claw_dev.cluster import ControlPlane
from claw_dev.kubeconfig import Kubeconfig
from claw_dev.ports import free_port
from claw_dev.probes import answers
from claw_dev.processes import Process, Processes, Program
from claw_dev.simulators.serving import serving
from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.delivery import Endpoint
from claw_dev.simulators.stripe.orders import CompleteCheckout, Deliver
from claw_dev.simulators.stripe.records import Customer, Event, Subscription
from claw_dev.simulators.stripe.simulator import StripeSimulator, simulated_stripe
from claw_webhook.app import create_app
from claw_webhook.database import Pool, migrate, open_pool
from claw_webhook.services import utc_now
from claw_webhook.settings import Settings
from tests.eventually import eventually
from tests.integration.webhook.outside import Cluster, MailServer, Wire, mail_server, wire_to

SECRET = "whsec_current"
PUBLIC_URL = "https://claw.example"
ADA = CompleteCheckout(
    email="ada@example.com",
    name="Ada Lovelace",
    price="claw_pro_monthly",
    locale="en-GB",
    metadata={"timezone": "Europe/London"},
)


def bodies(mail: EmailMessage) -> tuple[str, str]:
    """A mail's text and HTML."""
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return str(text.get_content()), str(html.get_content())


_LINK = re.compile(re.escape(PUBLIC_URL) + r"(/keys/[A-Za-z0-9_-]{43})\s")

Row = dict[str, Any]


class Answer:
    """An HTTP answer, read."""

    def __init__(self, response: aiohttp.ClientResponse, text: str) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = text


@dataclass
class World:
    """Everything around the service, and what tests ask of it."""

    stripe: StripeSimulator
    controls: StripeControls
    mails: MailServer
    cluster: Cluster
    database_url: str
    database_wire: Wire
    cluster_wire: Wire
    environment: dict[str, str]
    client: aiohttp.ClientSession
    url: str = ""

    @asynccontextmanager
    async def running(self, *, clock: Callable[[], datetime] = utc_now) -> AsyncIterator[str]:
        """The service in this process, with Stripe's endpoint set to it, until the block ends."""
        settings = Settings.model_validate({name.lower(): value for name, value in self.environment.items()})
        async with serving(create_app(settings, clock=clock)) as url:
            self.url = url
            await self.controls.set_endpoint(f"{url}/webhooks/stripe", SECRET)
            yield url
            await self.controls.set_endpoint(None)

    async def buy(self, order: CompleteCheckout = ADA, **changes: Any) -> str:
        """Somebody pays. Returns the subscription's id."""
        bought = await self.controls.complete_checkout(order.model_copy(update=changes))
        return str(bought["subscription"]["id"])

    async def instance_of(self, subscription: str) -> Row:
        """The ClawInstance of a subscription, as soon as it is there."""
        name = naming.instance_name(subscription)

        async def there() -> Row | None:
            return next((one for one in await self.cluster.instances() if one["metadata"]["name"] == name), None)

        found = await eventually(there, 15, describe=self.story)
        assert found is not None
        return found

    async def buy_and_provision(self, order: CompleteCheckout = ADA, *, key: str = "claw_key", **changes: Any) -> str:
        """Somebody pays, and the instance becomes available. Returns the subscription's id."""
        subscription = await self.buy(order, **changes)
        instance = await self.instance_of(subscription)
        await self.cluster.make_available(instance["metadata"]["name"], key=key)
        return subscription

    async def key_link(self, number: int = 0) -> str:
        """The path of the one-time link in a mail, as soon as it has come."""
        await eventually(lambda: len(self.mails.mails) > number, describe=self.story)
        text, _ = bodies(self.mails.mails[number])
        found = _LINK.search(text)
        assert found is not None, text
        return found[1]

    async def rows(self, query: str, *values: object) -> list[Row]:
        """What the database holds."""
        async with await psycopg.AsyncConnection.connect(self.database_url, row_factory=dict_row) as connection:
            return await (await connection.execute(query.encode(), values)).fetchall()

    async def eventually_row(self, query: str, *values: object) -> Row:
        """The first row of a query, as soon as there is one."""

        async def found() -> Row | None:
            return next(iter(await self.rows(query, *values)), None)

        row = await eventually(found, 15, describe=self.story)
        assert row is not None
        return row

    async def settled(self) -> None:
        """Wait until everything that Stripe has told is stored, and nothing of it is pending."""

        async def nothing_pending() -> bool:
            delivered = not any(event.pending_webhooks for event in self.events())
            return delivered and not await self.rows("SELECT id FROM inbox WHERE state = 'pending'")

        await eventually(nothing_pending, 15, describe=self.story)

    def events(self) -> list[Event]:
        """All events that Stripe has told, oldest first."""
        return self.stripe.account.all(Event)

    def customer_of(self, subscription: str) -> Customer:
        """Stripe's record of who pays."""
        account = self.stripe.account
        return account.get(Customer, account.get(Subscription, subscription).customer)

    async def deliver(self, **order: Any) -> Row:
        """One delivery as the order says; its `status` is what the service answered."""
        return await self.controls.deliver(Deliver.model_validate(order))

    async def get(self, path: str) -> Answer:
        """GET, as a browser would."""
        async with self.client.get(self.url + path) as response:
            return Answer(response, await response.text())

    async def post(self, path: str, **options: Any) -> Answer:
        """POST, as a browser would."""
        async with self.client.post(self.url + path, **options) as response:
            return Answer(response, await response.text())

    async def metric(self, name: str, **labels: str) -> float:
        """A sample of /metrics; 0 when there is none."""
        text = (await self.get("/metrics")).text
        wanted = name + ("{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else "")
        return next((float(line.split(" ")[-1]) for line in text.splitlines() if line.startswith(wanted + " ")), 0.0)

    async def story(self) -> str:
        """The state of the world, for the person who reads a failure."""
        rows = await self.rows("SELECT id, type, state, attempts, reason, message FROM inbox ORDER BY received_at")
        mails = await self.rows("SELECT cause, instance, state, attempts, reason FROM outbox")
        return "\n".join(map(str, [*rows, *mails, *await self.rows("SELECT * FROM instances")]))


@pytest.fixture
async def world(claw_api: ControlPlane, namespace: str, database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """An outside in which nothing has happened yet. Tests start the service in it."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        stripe = await enter(simulated_stripe(endpoint=Endpoint()))
        client = await enter(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)))
        mails = await enter(mail_server())
        database_wire, wired_database = await enter(wire_to(database_url))
        cluster_wire, wired_cluster = await enter(wire_to(claw_api.url))
        kubeconfig = tmp_path / "kubeconfig"
        Kubeconfig(wired_cluster, claw_api.ca_file.read_bytes(), claw_api.admin_token, namespace).write(kubeconfig)
        yield World(
            stripe=stripe,
            controls=await enter(StripeControls(stripe.url)),
            mails=mails,
            cluster=Cluster(claw_api, namespace, client),
            database_url=database_url,
            database_wire=database_wire,
            cluster_wire=cluster_wire,
            client=client,
            environment={
                "PUBLIC_URL": PUBLIC_URL,
                "DATABASE_URL": wired_database,
                "STRIPE_SECRET_KEY": "sk_test_simulator",
                "STRIPE_WEBHOOK_SECRET": SECRET,
                "STRIPE_API_URL": stripe.url,
                "SMTP_URL": mails.url,
                "MAIL_FROM": "Claw <hello@claw.example>",
                "CLAW_NAMESPACE": namespace,
                "KUBECONFIG": str(kubeconfig),
            },
        )


class Service:
    """The service as a process of its own, that can be killed."""

    def __init__(self, world: World, processes: Processes) -> None:
        self._world = world
        self._processes = processes
        self._name = f"webhook-{secrets.token_hex(4)}"

    async def start(self) -> Process:
        """Start it, with Stripe's endpoint set to it; returns when it is ready."""
        port = free_port(Random())
        url = f"http://127.0.0.1:{port}"
        environment = self._world.environment | {"HOST": "127.0.0.1", "PORT": str(port)}
        program = Program(self._name, (sys.executable, "-m", "claw_webhook"), environment)
        process = await self._processes.start(program, answers(f"{url}/readyz"))
        self._world.url = url
        await self._world.controls.set_endpoint(f"{url}/webhooks/stripe", SECRET)
        return process

    async def kill(self) -> None:
        """SIGKILL: no time for anything."""
        process = self._processes[self._name]
        process.signal(signal.SIGKILL)
        await process.wait()

    async def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        await self._processes.stop(self._name)


@pytest.fixture
async def service(world: World, processes: Processes) -> AsyncIterator[Service]:
    """The service as a process. Tests start it."""
    made = Service(world, processes)
    yield made
    await made.stop()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on a fresh database with the schema in it."""
    async with open_pool(database_url, size=12) as opened:
        await migrate(opened)
        yield opened
