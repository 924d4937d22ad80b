"""`webhook`: how many signed events the webhook service takes in for good, against what the database alone can take.

The database is one that does not forget: a commit is on the disk. Floor: the same row, by the same statement, over as
many connections, from a program that does nothing else. Events that nobody acts on show the way in alone; the
acknowledgement under a steady load is measured with hints about subscriptions, which the workers follow at once.
"""

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil
import psycopg

from claw_dev.parts import Part
from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.orders import CompleteCheckout
from claw_dev.simulators.stripe.signature import sign
from claw_dev.stack import DATABASE_VARIABLE, Stack
from tests.bench.figures import Figure, Row, at_most, compared, percentile
from tests.bench.load import Do, flat_out, offered
from tests.bench.run import Run
from tests.bench.surroundings import cpu_seconds, directory, durable_postgres, environment, programs
from tests.bench.wire import Wire

_ROUNDS = 5
_EVENTS = 2000
_SENDERS = 64
_CONNECTIONS = 16  # as many as the service has
_RATE = 100.0
_STEADY_SECONDS = 20.0
_SUBSCRIPTIONS = 10
_HINT = "customer.subscription.updated"
_NOBODY_ACTS = "invoice.upcoming"

_INSERT = (
    b"INSERT INTO inbox (id, type, subject, payload, received_at, state, due_at, source)"
    b" VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING"
)


async def measure(run: Run) -> list[Row]:
    """Events and bare inserts in turn, then the steady load."""
    size, seconds = run.count(_EVENTS, least=100), run.seconds(_STEADY_SECONDS)
    taken, inserted, cpu = [], [], []
    async with _surroundings() as (stack, wire, connections):
        run.tell("some customers subscribe")
        events = Events(await _subscriptions(stack))
        endpoint = Endpoint(wire, stack.stripe.webhook_secret)
        service = psutil.Process(stack.processes[Part.WEBHOOK].pid)
        run.tell("a round that does not count: connections are opened, and code is run for the first time")
        await endpoint.flat_out(events.make(_NOBODY_ACTS, size))
        await _insert(connections, events.make(_NOBODY_ACTS, size))
        for number in range(1, _ROUNDS + 1):
            run.tell(f"round {number} of {_ROUNDS}: {size} events, then as many bare inserts")
            before = cpu_seconds(service)
            taken.append(await endpoint.flat_out(events.make(_NOBODY_ACTS, size)))
            cpu.append(1000 * (cpu_seconds(service) - before) / size)
            inserted.append(await _insert(connections, events.make(_NOBODY_ACTS, size)))
        run.tell(f"{_RATE:.0f} events a second")
        waited = await endpoint.steady(events.make(_HINT, round(_RATE * seconds)), seconds)
        run.tell(f"{_RATE:.0f} bare inserts a second")
        bare = await _insert_steadily(connections, events.make(_NOBODY_ACTS, round(_RATE * seconds / 4)), seconds / 4)
        missing = len(events.ids) - await _stored(stack, events.ids)
    return _rows(taken, inserted, cpu, waited, bare, missing)


@dataclass(frozen=True)
class Event:
    """One event, ready to be sent or inserted."""

    id: str
    kind: str
    body: bytes


class Events:
    """Makes events as large as Stripe's, each with an id of its own."""

    def __init__(self, subscriptions: Sequence[dict[str, Any]]) -> None:
        self._subscriptions = subscriptions
        self.ids: list[str] = []
        """Of all that were made."""

    def make(self, kind: str, count: int) -> list[Event]:
        """So many of them, about the subscriptions in turn."""
        return [self._one(kind, self._subscriptions[number % len(self._subscriptions)]) for number in range(count)]

    def _one(self, kind: str, subscription: dict[str, Any]) -> Event:
        id_ = f"evt_{secrets.token_hex(12)}"
        document = {"id": id_, "object": "event", "type": kind, "data": {"object": subscription}}
        self.ids.append(id_)
        return Event(id_, kind, json.dumps(document, indent=2).encode())


class Endpoint:
    """The service's endpoint, as Stripe sees it."""

    def __init__(self, wire: Wire, secret: str) -> None:
        self._wire = wire
        self._secret = secret

    async def flat_out(self, events: Sequence[Event]) -> float:
        """Events per second, as fast as they are taken."""
        requests = self._signed(events)
        return await flat_out(lambda number: self._wire.send(requests[number]), count=len(events), workers=_SENDERS)

    async def steady(self, events: Sequence[Event], seconds: float) -> list[float]:
        """Seconds to each acknowledgement."""
        requests = self._signed(events)
        return await offered(lambda number: self._wire.send(requests[number]), rate=_RATE, seconds=seconds)

    def _signed(self, events: Sequence[Event]) -> list[bytes]:
        """Signed before the clock runs: Stripe has computers of its own for that."""
        now = int(datetime.now(UTC).timestamp())
        signatures = ({"Stripe-Signature": sign(event.body, [self._secret], now)} for event in events)
        return [self._wire.prepared(event.body, headers) for event, headers in zip(events, signatures, strict=True)]


async def _insert(connections: list[psycopg.AsyncConnection], events: Sequence[Event]) -> float:
    """Inserts per second."""
    return await flat_out(_inserting(connections, events), count=len(events), workers=len(connections))


async def _insert_steadily(
    connections: list[psycopg.AsyncConnection], events: Sequence[Event], seconds: float
) -> list[float]:
    """Seconds to each commit."""
    return await offered(_inserting(connections, events), rate=_RATE, seconds=seconds)


def _inserting(connections: list[psycopg.AsyncConnection], events: Sequence[Event]) -> Do:
    now = datetime.now(UTC)

    async def insert(number: int) -> None:
        event = events[number]
        row = [event.id, event.kind, None, event.body.decode(), now, "ignored", now, "delivery"]
        connection = connections.pop()
        await connection.execute(_INSERT, row)
        connections.append(connection)

    return insert


async def _subscriptions(stack: Stack) -> list[dict[str, Any]]:
    """Of customers who have just paid: the events about that are delivered by the simulator itself."""
    bought = []
    async with StripeControls(stack.stripe_url) as stripe:
        for number in range(_SUBSCRIPTIONS):
            order = CompleteCheckout(email=f"ada{number}@example.com", price="claw_pro_monthly")
            bought.append((await stripe.complete_checkout(order))["subscription"])
    return bought


async def _stored(stack: Stack, ids: Sequence[str]) -> int:
    async with await psycopg.AsyncConnection.connect(stack.customers_url) as connection:
        cursor = await connection.execute("SELECT count(*) FROM inbox WHERE id = ANY(%s)", [list(ids)])
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


@asynccontextmanager
async def _surroundings() -> AsyncIterator[tuple[Stack, Wire, list[psycopg.AsyncConnection]]]:
    async with AsyncExitStack() as exits:
        enter = exits.enter_async_context
        processes = await enter(programs())
        given = {**environment(), DATABASE_VARIABLE: await durable_postgres(processes)}
        path = await enter(directory())
        stack = await enter(Stack(path / "stack", parts=[Part.WEBHOOK], environment=given))
        wire = await enter(Wire(f"{stack.webhook_url}/webhooks/stripe"))
        connect = psycopg.AsyncConnection.connect
        connections = [await enter(await connect(stack.customers_url, autocommit=True)) for _ in range(_CONNECTIONS)]
        yield stack, wire, connections


def _rows(
    taken: list[float],
    inserted: list[float],
    cpu: list[float],
    waited: list[float],
    bare: list[float],
    missing: int,
) -> list[Row]:
    half, most = _percentiles(waited)
    bare_half, bare_most = _percentiles(bare)
    lost = Figure.of([missing])
    load = f"{_RATE:.0f} hints/s, {len(waited)} of them; bare INSERT"
    return [
        compared(
            "W1",
            "events taken in for good",
            Figure.of(taken, "/s"),
            "bare INSERT",
            Figure.of(inserted, "/s"),
            least=0.6,
        ),
        Row("W2", "the service's CPU for one event", Figure.of(cpu, "ms")),
        Row("W3", "acknowledged, p50", half, f"{load}: {bare_half}"),
        Row("W4", "acknowledged, p99", most, f"{load}: {bare_most}", None, at_most(50, most)),
        Row("W5", "acknowledged and not stored", lost, "", None, at_most(0, lost)),
    ]


def _percentiles(seconds: list[float]) -> tuple[Figure, Figure]:
    """The 50th and the 99th."""
    half, most = (Figure.of([1000 * percentile(seconds, percent)], "ms") for percent in (50, 99))
    return half, most
