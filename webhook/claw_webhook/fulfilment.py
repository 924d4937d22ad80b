"""From a claim on a subscription to the world as the subscription wishes it. The file to read first.

Every step may be repeated: the look at Stripe reads, the record is an upsert, the apply is the same document under the
same name. So a crash anywhere in here, or a failure of Stripe, of the database or of the API server, costs another look
and nothing else.
"""

import asyncio
import logging

import psycopg

from claw_webhook.customers import Customers
from claw_webhook.events import Ended, NotYet, Refusal, RefusalReason, Wished, decide
from claw_webhook.inbox import Claim, Inbox
from claw_webhook.instances import ClusterRejected, ClusterUnavailable, Instances
from claw_webhook.metrics import Metrics
from claw_webhook.stripe_api import NoSuchSubscription, StripeApi, StripeUnavailable

_PATIENCE_SECONDS = 60

logger = logging.getLogger(__name__)


class Fulfilment:
    """Works off the inbox."""

    def __init__(
        self, inbox: Inbox, *, stripe: StripeApi, customers: Customers, instances: Instances, metrics: Metrics
    ) -> None:
        self._inbox = inbox
        self._stripe = stripe
        self._customers = customers
        self._instances = instances
        self._metrics = metrics

    async def work_off_one(self) -> bool:
        """One subscription of the inbox; False when none was due. Raises psycopg.Error while the database is away."""
        async with self._inbox.claim() as claim:
            if claim is None:
                return False
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    refusal = await self.fulfil(claim)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                raise  # the claim is gone with its connection, and with it everything is pending again
            except (StripeUnavailable, ClusterUnavailable, TimeoutError) as error:
                await self._postpone(claim, type(error).__name__, str(error) or f"not within {_PATIENCE_SECONDS} s")
            except Exception as error:
                # A fault of ours. It must not stop the other customers' events, nor be forgotten.
                logger.exception("subscription %s could not be worked on", claim.subscription)
                await self._postpone(claim, type(error).__name__, str(error)[:500])
            else:
                await self._settle(claim, refusal)
        return True

    async def fulfil(self, claim: Claim) -> Refusal | None:
        """Make the world what the live subscription wishes. The refusal, if it cannot be."""
        fresh = next((event.checkout for event in reversed(claim.events) if event.checkout), None)
        checkout = await self._customers.checkout(claim.subscription, fresh)
        try:
            subscription = await self._stripe.subscription(claim.subscription)
        except NoSuchSubscription as error:
            return Refusal(RefusalReason.NO_SUCH_SUBSCRIPTION, str(error))

        decision = decide(subscription, checkout, await self._instances.plans())
        # Recorded before it is applied: whoever sees the ClawInstance in the cluster finds its row in the database.
        await self._customers.record(subscription, decision.spec if isinstance(decision, Wished) else None)
        match decision:
            case Refusal():
                return decision
            case NotYet():
                return None
            case Ended():
                await self._instances.delete(claim.subscription)
                logger.info("subscription %s has ended: no instance", claim.subscription)
                return None
            case Wished(spec):
                try:
                    await self._instances.apply(claim.subscription, spec)
                except ClusterRejected as error:
                    return Refusal(
                        RefusalReason.REJECTED_BY_CLUSTER,
                        f"the API server refuses the ClawInstance of subscription {claim.subscription}: {error}",
                    )
                logger.info("subscription %s wishes for %s, %s", claim.subscription, spec.plan_ref.name, spec.state)
                return None

    async def _settle(self, claim: Claim, refusal: Refusal | None) -> None:
        if refusal is None:
            await claim.done()
            self._metrics.fulfilments.labels("done").inc()
            if claim.attempts:
                logger.info("subscription %s is served after %d failures", claim.subscription, claim.attempts)
            return
        await claim.refuse(refusal.reason, refusal.message)
        self._metrics.fulfilments.labels("refused").inc()
        self._metrics.refusals.labels(refusal.reason).inc()
        if refusal.reason not in claim.known_reasons:
            logger.error(refusal.message, extra={"subscription": claim.subscription, "reason": refusal.reason})

    async def _postpone(self, claim: Claim, reason: str, message: str) -> None:
        again = await claim.postpone(reason, message)
        self._metrics.fulfilments.labels("postponed" if again else "dead").inc()
        context = {"subscription": claim.subscription, "reason": reason}
        if not again:
            logger.error("given up; once repaired, resend the event in Stripe: %s", message, extra=context)
        elif reason not in claim.known_reasons:
            logger.warning("tried again later: %s", message, extra=context)
