"""What a customer has with us, and who of the visitors is one."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from aiohttp import web

from claw_webhook.billing import Standing
from claw_webhook.database import Pool, fetch_all, fetch_one
from claw_webhook.front.passes import TOKEN, Passes, PassKind
from claw_webhook.front.visitors import SESSION
from claw_webhook.mails import outbox
from claw_webhook.notices import Cause

_SIGN_INS_AN_HOUR = 5
"""Mails that one customer gets. Who has asked that often has a mail on the way."""
_NAMESAKES = 3
"""Customers of one address that get a mail of their own: Stripe makes a new customer for each checkout without one."""
_TOKEN = re.compile(TOKEN)


@dataclass(frozen=True)
class Held:
    """A subscription of the customer, as last recorded, with its instance."""

    id: str
    plan: str | None
    standing: str | None
    trial_end: datetime | None
    grace_until: datetime | None
    paid_until: datetime | None
    cancels: bool
    """It was cancelled, and runs until what was paid for is over."""
    deletion_at: datetime | None
    """When the data goes; None while nothing is to be deleted."""
    instance: str | None
    """None when there is none, or none any more."""
    url: str | None


class Accounts:
    """Reads the tables of `customers.py`. Every method raises psycopg.OperationalError while the database is away."""

    def __init__(self, pool: Pool, passes: Passes, *, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._passes = passes
        self._clock = clock

    async def signed_in(self, request: web.Request) -> str | None:
        """The customer whose browser this is, by its cookie."""
        token = request.cookies.get(SESSION, "")
        found = await self._passes.look(token, PassKind.SESSION) if _TOKEN.fullmatch(token) else None
        return found.customer if found else None

    async def email(self, customer: str) -> tuple[str, str]:
        """The customer's address and time zone."""
        async with self._pool.connection() as connection:
            row = await fetch_one(connection, "SELECT email, timezone FROM customers WHERE id = %s", [customer])
        return (row["email"], row["timezone"]) if row else ("", "UTC")

    async def subscriptions(self, customer: str) -> list[Held]:
        """All of the customer's, those that go on first, the newest first."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                """
                SELECT subscriptions.id, plan, standing, trial_end, grace_until, paid_until,
                    cancel_at_period_end AS cancels,
                    CASE WHEN deletion_at IS NOT NULL THEN greatest(deletion_at, keep_until) END AS deletion_at,
                    instances.name AS instance, url
                FROM subscriptions
                    LEFT JOIN instances ON instances.subscription = subscriptions.id AND deleted_at IS NULL
                WHERE payer = %s AND standing IS NOT NULL
                ORDER BY standing = %s, subscriptions.created_at DESC
                """,
                [customer, Standing.ENDED],
            )
        return [Held(**row) for row in rows]

    async def has_subscribed(self, customer: str) -> bool:
        """Whether the customer ever did: then there is no second trial."""
        async with self._pool.connection() as connection:
            row = await fetch_one(connection, "SELECT id FROM subscriptions WHERE payer = %s LIMIT 1", [customer])
        return row is not None

    async def may_resume(self, customer: str, subscription: str) -> bool:
        """Whether it is the customer's own, has ended, and its instance is still kept."""
        held = await self.subscriptions(customer)
        return any(one.id == subscription and one.standing == Standing.ENDED and one.instance for one in held)

    async def ask_for_sign_in(self, email: str) -> bool:
        """Mail a link to every customer of that address; False when there is none, or each has enough of them."""
        now = self._clock()
        async with self._pool.connection() as connection:
            found = await fetch_all(
                connection,
                """
                SELECT id FROM customers
                WHERE lower(email) = lower(%s) AND erased_at IS NULL AND (
                    SELECT count(*) FROM outbox
                    WHERE outbox.customer = customers.id AND cause = %s AND created_at > %s
                ) < %s
                ORDER BY updated_at DESC LIMIT %s
                """,
                [email, Cause.SIGN_IN, now - timedelta(hours=1), _SIGN_INS_AN_HOUR, _NAMESAKES],
            )
            for row in found:
                occasion = f"{row['id']}:{uuid4()}"
                await outbox.put(
                    connection, Cause.SIGN_IN, occasion=occasion, customer=row["id"], instance=None, now=now
                )
        return bool(found)
