"""A paid order on its way: the checkout at Stripe, what is recorded of it, and what the cluster shows."""

from collections import OrderedDict
from dataclasses import replace

from claw_webhook.billing import RefusalReason
from claw_webhook.customers import Customers
from claw_webhook.database import Pool, fetch_one
from claw_webhook.front.stages import Picture, ready_conditions
from claw_webhook.front.stripe_shop import NoSuchSession, StripeShop
from claw_webhook.front.visitors import Throttle
from claw_webhook.instances import ClusterUnavailable, Instances
from claw_webhook.looks import Looks
from claw_webhook.stripe_objects import Checkout, CheckoutSession

_REMEMBERED = 1000


class TooOften(Exception):
    """A client makes us ask Stripe about orders too often."""


class Orders:
    """Finds orders by the id of their checkout session."""

    def __init__(
        self,
        shop: StripeShop,
        *,
        pool: Pool,
        instances: Instances,
        customers: Customers,
        looks: Looks,
        asking: Throttle,
    ) -> None:
        self._shop = shop
        self._pool = pool
        self._instances = instances
        self._customers = customers
        self._looks = looks
        self._asking = asking
        self._paid: OrderedDict[str, CheckoutSession] = OrderedDict()
        """Checkouts that were paid: they never change again, and who reloads the page costs no request to Stripe."""

    async def session(self, session_id: str, *, client: str) -> CheckoutSession:
        """The checkout as Stripe has it, or as it was when it was paid.

        Raises NoSuchSession, StripeUnavailable, and TooOften for a client that makes us ask Stripe again and again.
        """
        if not _is_session(session_id):
            raise NoSuchSession
        if session_id in self._paid:
            return self._paid[session_id]
        if not self._asking.allows(client):
            raise TooOften
        session = await self._shop.session(session_id)
        if session.status == "complete" and session.payment_status != "unpaid":
            self._paid[session_id] = session
            if len(self._paid) > _REMEMBERED:
                self._paid.popitem(last=False)
        return session

    async def ask_for_a_look(self, session: CheckoutSession) -> None:
        """Do what Stripe's event about the checkout would do, or did. Raises psycopg.Error."""
        if session.subscription is None:
            return
        await self._customers.checkout(session.subscription, Checkout.model_validate(session.model_dump()))
        await self._looks.ask(session.subscription, why="checkout")

    async def picture(self, session: CheckoutSession) -> Picture:
        """What is recorded, and, while it is being made, what the cluster shows of it. Raises psycopg.Error."""
        if session.subscription is None:
            return Picture()
        async with self._pool.connection() as connection:
            row = await fetch_one(
                connection,
                """
                SELECT instances.name AS instance,
                    -- One that a customer comes back to was available before, and is not yet again.
                    available_at IS NOT NULL AND ready_reason IS DISTINCT FROM 'Suspended' AS available,
                    deleted_at IS NOT NULL AS gone, outbox.id AS mail,
                    EXISTS (SELECT FROM key_links WHERE mail = outbox.id AND used_at IS NOT NULL) AS key_shown,
                    EXISTS (SELECT FROM inbox WHERE subject = asked.id AND state IN ('refused', 'dead'))
                        OR EXISTS (SELECT FROM looks WHERE subject = asked.id AND reason = ANY(%s)) AS refused
                FROM (VALUES (%s)) AS asked (id)
                    LEFT JOIN instances ON instances.subscription = asked.id
                    LEFT JOIN outbox ON outbox.cause = 'welcome' AND outbox.instance = instances.name
                        AND outbox.instance_uid = instances.uid
                """,
                [list(RefusalReason), session.subscription],
            )
        instance = row["instance"] if row else None
        if row is None or instance is None:
            return Picture(refused=bool(row and row["refused"]))
        picture = Picture(
            recorded=True,
            available=row["available"],
            refused=row["refused"],
            gone=row["gone"],
            mail=row["mail"],
            key_shown=row["key_shown"],
        )
        if picture.available or picture.gone:
            return picture
        try:
            return replace(picture, ready=ready_conditions(await self._instances.get(instance)))
        except ClusterUnavailable:
            return picture


def _is_session(text: str) -> bool:
    return text.startswith("cs_") and len(text) <= 255 and text.isascii() and text.replace("_", "").isalnum()
