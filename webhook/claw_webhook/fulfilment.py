"""From a claim on a subscription to the world as the subscription wishes it. The file to read first.

Every step may be repeated: the look at Stripe reads, the record is an upsert, the apply is the same document under the
same name. So a crash anywhere in here, or a failure of Stripe, of the database or of the API server, costs another look
and nothing else. A deletion is the one thing that cannot be made undone: before it there is a last look around.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg

from claw_crds import naming
from claw_crds.resource import ObjectMeta
from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.billing import (
    Account,
    Decision,
    Gone,
    Nothing,
    Refusal,
    RefusalReason,
    Standing,
    Wished,
    decide,
    needs_arrears,
    resumes,
)
from claw_webhook.claims import Claim
from claw_webhook.customers import Customers
from claw_webhook.inbox import Inbox
from claw_webhook.instances import ClusterRejected, ClusterUnavailable, Instances
from claw_webhook.looks import CUSTOMER, Looks
from claw_webhook.mails.outbox import Outbox
from claw_webhook.metrics import Metrics
from claw_webhook.notices import Cause, notices
from claw_webhook.sightings import Sightings, keep_until
from claw_webhook.stripe_api import NoSuchSubscription, StripeApi, StripeUnavailable

_PATIENCE_SECONDS = 60
_CUSTOMER = "cus_"
_LATER = timedelta(hours=1)

logger = logging.getLogger(__name__)


class _Busy(Exception):
    """Somebody works on the other subscription of the same instance. It takes a moment."""


class Fulfilment:
    """Works off events and looks."""

    def __init__(
        self,
        inbox: Inbox,
        *,
        looks: Looks,
        stripe: StripeApi,
        customers: Customers,
        sightings: Sightings,
        outbox: Outbox,
        instances: Instances,
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._inbox = inbox
        self._looks = looks
        self._stripe = stripe
        self._customers = customers
        self._sightings = sightings
        self._outbox = outbox
        self._instances = instances
        self._clock = clock
        self._metrics = metrics

    async def work_off_one(self) -> bool:
        """One subject of inbox and looks; False when none was due. Raises psycopg.Error while the database is away."""
        async with self._inbox.claim() as claim:
            if claim is None:
                return False
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    decision = await self.fulfil(claim)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                raise  # the claim is gone with its connection, and with it everything is pending again
            except _Busy as error:
                await claim.postpone("Busy", str(error))
                self._metrics.fulfilments.labels("postponed").inc()
            except (StripeUnavailable, ClusterUnavailable, TimeoutError) as error:
                await self._postpone(claim, type(error).__name__, str(error) or f"not within {_PATIENCE_SECONDS} s")
            except Exception as error:
                # A fault of ours. It must not stop the other customers' events, nor be forgotten.
                logger.exception("%s could not be worked on", claim.subject)
                await self._postpone(claim, type(error).__name__, str(error)[:500])
            else:
                await self._settle(claim, decision)
        return True

    async def fulfil(self, claim: Claim) -> Decision | None:
        """Make the world what the live subscription wishes. What was decided; None for a customer."""
        if claim.subject.startswith(_CUSTOMER):
            for subscription in await self._customers.subscriptions_of(claim.subject):
                await self._looks.ask(subscription, why=CUSTOMER)
            return None
        try:
            account = await self._account(claim)
        except NoSuchSubscription as error:
            await self._hold(claim, RefusalReason.NO_SUCH_SUBSCRIPTION)
            return Refusal(RefusalReason.NO_SUCH_SUBSCRIPTION, str(error))
        plans, now = await self._instances.plans(), self._clock()
        decision = decide(account, plans, now)
        if isinstance(decision, Gone):
            return await self._delete(claim, account, plans, now)
        return await self._carry_out(claim, account, decision, plans, now)

    async def _account(self, claim: Claim) -> Account:
        """Everything that decides, as it is now."""
        fresh = next((event.checkout for event in reversed(claim.events) if event.checkout), None)
        checkout = await self._customers.checkout(claim.subject, fresh)
        subscription = await self._stripe.subscription(claim.subject)
        ended = resumes(subscription)
        if ended is not None and not await claim.also(ended):
            raise _Busy(f"{ended}, whose instance {claim.subject} takes over, is being worked on")
        return Account(
            subscription=subscription,
            checkout=checkout,
            arrears=await self._stripe.open_invoices(subscription.id) if needs_arrears(subscription) else (),
            memory=await self._customers.memory(subscription),
        )

    async def _carry_out(
        self, claim: Claim, account: Account, decision: Decision, plans: Sequence[ClawPlan], now: datetime
    ) -> Decision:
        # Recorded before it is applied: whoever sees the ClawInstance in the cluster finds its row in the database, and
        # a payment has stopped the clock of the deletion even if the cluster does not answer now.
        mails = notices(account, decision, plans, now)
        await self._customers.record(account, decision, mails, actor=claim.actor, why=claim.why, now=now)
        if mails:
            self._outbox.arrived.set()
        match decision:
            case Wished(spec=spec):
                name = account.memory.instance or naming.instance_name(claim.subject)
                try:
                    await self._instances.apply(name, subscription=claim.subject, spec=spec)
                except ClusterRejected as error:
                    return Refusal(
                        RefusalReason.REJECTED_BY_CLUSTER,
                        f"the API server refuses the ClawInstance of subscription {claim.subject}: {error}",
                    )
                logger.info("subscription %s wishes for %s, %s", claim.subject, spec.plan_ref.name, spec.state)
            case Refusal():
                if ended := resumes(account.subscription):
                    # Whoever pays to get their data back does not lose it while somebody corrects a price.
                    reason = f"{claim.subject} pays for it and is refused: {decision.reason}"
                    await self._customers.hold(ended, reason, actor=claim.actor, why=claim.why)
        return decision

    async def _delete(self, claim: Claim, account: Account, plans: Sequence[ClawPlan], now: datetime) -> Decision:
        """After a last look around: who came back, or what a person said in the cluster, may not be known here yet."""
        others = await self._stripe.subscriptions_of(account.subscription.customer.id)
        if back := next((other.id for other in others if resumes(other) == claim.subject), None):
            await self._looks.ask(back, why=CUSTOMER)
            logger.info("subscription %s is paid for instead of %s: nothing is deleted", back, claim.subject)
            return Nothing(Standing.ENDED, look_again_at=now + _LATER)
        name = account.memory.instance
        body = await self._instances.get(name) if name is not None else None
        if name is None or body is None:  # somebody was quicker, and whoever follows the cluster notes it
            return await self._carry_out(claim, account, Nothing(Standing.ENDED), plans, now)
        live = ObjectMeta.model_validate(body["metadata"])
        owner = live.annotations.get(naming.SUBSCRIPTION)
        if owner != claim.subject:
            await self._hold(claim, f"ClawInstance {name} says that it belongs to {owner}")
            return Nothing(Standing.ENDED)
        memory = replace(account.memory, keep_until=keep_until(live.annotations))
        warned_at = memory.warned_at
        if warned_at and not await self._outbox.has_left(Cause.DELETION_DAY, instance=name, since=warned_at):
            # The mail server was away. A warning that nobody got is none: another one is given, with another day.
            memory = replace(memory, warned_at=None)
        account = replace(account, memory=memory)
        decision = decide(account, plans, now)
        if not isinstance(decision, Gone):
            logger.info("instance %s is kept for now: somebody wants it kept, or the last warning did not leave", name)
            return await self._carry_out(claim, account, decision, plans, now)
        mails = notices(account, decision, plans, now)
        if not await self._customers.record(account, decision, mails, actor=claim.actor, why=claim.why, now=now):
            return Nothing(Standing.ENDED)
        await self._instances.delete(name, uid=live.uid, version=live.resource_version)
        await self._sightings.gone(name)
        logger.info("instance %s of subscription %s is deleted: its time is over", name, claim.subject)
        return decision

    async def _settle(self, claim: Claim, decision: Decision | None) -> None:
        if not isinstance(decision, Refusal):
            await claim.done(decision.look_again_at if isinstance(decision, Wished | Nothing) else None)
            self._metrics.fulfilments.labels("done").inc()
            if claim.attempts:
                logger.info("%s is settled after %d failures", claim.subject, claim.attempts)
            return
        await claim.refuse(decision.reason, decision.message)
        self._metrics.fulfilments.labels("refused").inc()
        self._metrics.refusals.labels(decision.reason).inc()
        if decision.reason not in claim.known_reasons:
            logger.error(decision.message, extra={"subscription": claim.subject, "reason": decision.reason})

    async def _postpone(self, claim: Claim, reason: str, message: str) -> None:
        again = await claim.postpone(reason, message)
        self._metrics.fulfilments.labels("postponed" if again else "dead").inc()
        context = {"subject": claim.subject, "reason": reason}
        if not again:
            await self._hold(claim, reason)
            logger.error("given up; once repaired, resend the event in Stripe: %s", message, extra=context)
        elif reason not in claim.known_reasons:
            logger.warning("tried again later: %s", message, extra=context)

    async def _hold(self, claim: Claim, reason: str) -> None:
        """Nobody knows how it stands: nothing is deleted before a person has looked at it."""
        await self._customers.hold(claim.subject, reason, actor=claim.actor, why=claim.why)
