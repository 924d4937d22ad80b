"""Ledgers on one database, as two processes would have them, without the rest of a runtime."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from claw_crds.configuration import ModelPrices, PlanConfiguration
from claw_crds.plan import Limits
from claw_runtime.database import Database
from claw_runtime.migrations import migrate
from claw_runtime.turns.messages import Tokens
from claw_runtime.usage.daily import Purpose, Spent
from claw_runtime.usage.leases import Leases
from claw_runtime.usage.ledger import Reservation, UsageLedger

PRICES = ModelPrices(per_million_input_tokens=300, per_million_output_tokens=1500)


def plan(**limits: Any) -> PlanConfiguration:
    """A plan with these limits and no others."""
    return PlanConfiguration(name="pro", display_name="Pro", limits=Limits(**limits), prices=PRICES)


def spent(read: int = 10, written: int = 5, *, model: str = "sonnet", purpose: Purpose = "chat") -> tuple[Spent, ...]:
    """What one call of a model used."""
    return (Spent(model, purpose, Tokens(input=read, output=written)),)


@asynccontextmanager
async def database(url: str) -> AsyncIterator[Database]:
    """A pool of one process, on a schema that is up to date."""
    opened = Database(url, wait_seconds=10)
    await opened.open()
    await migrate(opened)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def ledger(url: str, clock: Callable[[], datetime]) -> AsyncIterator["Books"]:
    """The ledger of one process, with a database pool of its own."""
    async with database(url) as opened:
        books = Books(opened, clock)
        yield books
        await books.usage.close()


class Books:
    """A ledger, and the database that it writes to."""

    def __init__(self, opened: Database, clock: Callable[[], datetime], leases: Leases | None = None) -> None:
        self.database = opened
        self.usage = UsageLedger(opened, clock, leases)

    async def settle(self, reservation: Reservation, entries: tuple[Spent, ...]) -> None:
        """Settle in a transaction of its own, as a turn does in the one that records it."""
        async with self.database.connection() as connection, connection.transaction():
            settled = await self.usage.settle(connection, reservation, entries)
        self.usage.remember(settled)
