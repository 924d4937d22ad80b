"""One sweep: whatever was missed is made good, whatever the reason. Stripe's list of events, then everything compared.

It repairs nothing itself. What should be different gets a look (`looks.py`), as if an event had hinted at it; what is
there without payment is told to a person. Conclusions from what is *missing* are drawn from complete lists only: a
sweep that breaks off has asked for some looks, and that is all.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from claw_crds import naming
from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.billing import Account, decide, needs_arrears
from claw_webhook.customers import Customers
from claw_webhook.database import Pool, fetch_one
from claw_webhook.inbox import Inbox
from claw_webhook.instances import Instances
from claw_webhook.looks import Looks
from claw_webhook.stripe_api import StripeApi
from claw_webhook.stripe_books import StripeBooks, Unreadable
from claw_webhook.stripe_objects import Subscription
from claw_webhook.sweeps.catching_up import CaughtUp, catch_up
from claw_webhook.sweeps.comparison import REPAIRED, Finding, Kind, Present, compare, unpaid

WHY = "sweep"
_LOCK = 0x73776565  # "swee"; any number will do, as long as all replicas agree on it
_LONGEST_SECONDS = 45 * 60
_CLUSTER_SECONDS = 60
_TOLD = 500
"""Findings of a kind that are kept to be shown. Thousands of them have one cause, and the counts tell of all."""

logger = logging.getLogger(__name__)


@dataclass
class Comparison:
    """What came of comparing all subscriptions with all instances."""

    subscriptions: int = 0
    instances: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count it, and keep it as long as there is room for its kind."""
        self.counts[finding.kind] += 1
        if self.counts[finding.kind] <= _TOLD:
            self.findings.append(finding)

    def of(self, kind: Kind) -> list[Finding]:
        """The findings of one kind that were kept."""
        return [finding for finding in self.findings if finding.kind == kind]


@dataclass(frozen=True)
class Swept:
    """A sweep that came to its end."""

    events: CaughtUp
    comparison: Comparison


class Sweep:
    """Compares Stripe with the inbox and with the cluster. Any number of replicas may have one."""

    def __init__(
        self,
        pool: Pool,
        *,
        books: StripeBooks,
        stripe: StripeApi,
        instances: Instances,
        customers: Customers,
        inbox: Inbox,
        looks: Looks,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._books = books
        self._stripe = stripe
        self._instances = instances
        self._customers = customers
        self._inbox = inbox
        self._looks = looks
        self._clock = clock

    async def run(self, *, unless_within: timedelta = timedelta(0)) -> Swept | None:
        """Sweep once. None when another one is at it, or came to its end less than `unless_within` ago.

        Raises StripeUnavailable, ClusterUnavailable, TimeoutError, psycopg.Error: begin again later.
        """
        async with self._alone() as alone:
            if not alone:
                return None
            ended_at, events_from = await self._last()
            began = self._clock()
            if ended_at is not None and began - ended_at < unless_within:
                return None
            async with asyncio.timeout(_LONGEST_SECONDS):
                events = await catch_up(self._books, self._inbox, self._pool, complete_until=events_from, now=began)
                await self._remember(events_from=began)
                comparison = await self._compare()
            await self._remember(began_at=began, ended_at=self._clock())
            return Swept(events, comparison)

    async def _compare(self) -> Comparison:
        # The instances first. What is bought meanwhile may look as if it had none and gets a look for nothing; the
        # other way round, what is bought meanwhile would look as if nobody paid for it.
        plans = await self._instances.plans()
        present = await self._present()
        by_subscription = {one.subscription: one for one in present.values() if one.subscription}
        unclaimed, known = dict(present), set[str]()
        result = Comparison(instances=len(present))
        async with aclosing(self._books.subscriptions()) as pages:
            async for page in pages:
                for subscription in page:
                    known.add(subscription.id)
                    result.subscriptions += 1
                    if isinstance(subscription, Unreadable):
                        logger.warning("subscription %s cannot be read in %s", subscription.id, subscription.fields)
                        if stands := by_subscription.get(subscription.id):
                            unclaimed.pop(stands.name, None)
                        continue
                    account = await self._account(subscription)
                    found = _instance_of(account, present, by_subscription)
                    if found is not None:
                        unclaimed.pop(found.name, None)
                    await self._judge(account, found, plans, result)
        for stranger in unclaimed.values():
            if await self._reread(stranger.name) is not None:
                result.add(unpaid(stranger, known=stranger.subscription in known))
        return result

    async def _account(self, subscription: Subscription) -> Account:
        arrears = await self._stripe.open_invoices(subscription.id) if needs_arrears(subscription) else ()
        checkout = await self._customers.checkout(subscription.id, None)
        memory = await self._customers.memory(subscription)
        return Account(subscription, checkout=checkout, arrears=arrears, memory=memory)

    async def _judge(
        self, account: Account, found: Present | None, plans: Iterable[ClawPlan], result: Comparison
    ) -> None:
        subscription, now = account.subscription.id, self._clock()
        decision = decide(account, plans, now)
        if compare(subscription, decision, found, now) is None:
            return
        # The list is minutes old by now: most differences are what was just bought or changed.
        name = found.name if found else account.memory.instance or naming.instance_name(subscription)
        finding = compare(subscription, decision, await self._reread(name), now)
        if finding is None:
            return
        result.add(finding)
        if finding.kind in REPAIRED:
            await self._looks.ask(subscription, why=WHY)

    async def _present(self) -> dict[str, Present]:
        """Every ClawInstance of the namespace, by name."""
        found: dict[str, Present] = {}
        async with asyncio.timeout(_CLUSTER_SECONDS), aclosing(self._instances.pages()) as pages:
            async for page in pages:
                found |= {one.name: one for one in map(Present.of, page)}
        return found

    async def _reread(self, name: str) -> Present | None:
        body = await self._instances.get(name)
        return None if body is None else Present.of(body)

    async def _last(self) -> tuple[datetime | None, datetime | None]:
        async with self._pool.connection() as connection:
            row = await fetch_one(connection, "SELECT ended_at, events_from FROM sweeps")
        return (row["ended_at"], row["events_from"]) if row else (None, None)

    async def _remember(
        self,
        *,
        began_at: datetime | None = None,
        ended_at: datetime | None = None,
        events_from: datetime | None = None,
    ) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                INSERT INTO sweeps (began_at, ended_at, events_from) VALUES (%s, %s, %s)
                ON CONFLICT (singleton) DO UPDATE
                SET began_at = coalesce(excluded.began_at, sweeps.began_at),
                    ended_at = coalesce(excluded.ended_at, sweeps.ended_at),
                    events_from = coalesce(excluded.events_from, sweeps.events_from)
                """,
                [began_at, ended_at, events_from],
            )

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[bool]:
        """Whether this is the only one that sweeps. The lock goes with its connection, should the process die."""
        async with self._pool.connection() as connection:
            # Outside of a transaction, which would be open for minutes and keep PostgreSQL from tidying up.
            await connection.set_autocommit(True)
            row = await fetch_one(connection, "SELECT pg_try_advisory_lock(%s) AS alone", [_LOCK])
            alone = bool(row and row["alone"])
            try:
                yield alone
            finally:
                if not connection.closed:
                    if alone:
                        await connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
                    await connection.set_autocommit(False)


def _instance_of(account: Account, present: dict[str, Present], by_subscription: dict[str, Present]) -> Present | None:
    """By what the database remembers: a customer who came back has another subscription's instance."""
    if account.memory.instance is not None:
        return present.get(account.memory.instance)
    return by_subscription.get(account.subscription.id)
