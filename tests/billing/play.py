"""Plays the lives at Stripe: what customers do there, by its API or with their cards, and the time that goes by."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import httpx

from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.simulators.stripe.orders import CompleteCheckout
from claw_dev.simulators.stripe.records import Card, Customer, Subscription, SubscriptionStatus
from claw_dev.simulators.stripe.simulator import StripeSimulator
from tests.billing.lives import PLANS, Act, Deed, Life

_YEARLY = 10
"""Months that somebody pays for who pays by the year."""
_SERVED = {SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING}
_OWING = {SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID}


class Play:
    """All customers. `api` speaks to Stripe as its dashboard would."""

    def __init__(
        self, stripe: StripeSimulator, controls: StripeControls, api: httpx.AsyncClient, lives: Iterable[Life]
    ) -> None:
        self._stripe = stripe
        self._controls = controls
        self._api = api
        self._acts: dict[int, list[tuple[int, Act]]] = defaultdict(list)
        for life in lives:
            for act in life.acts:
                self._acts[act.day].append((life.number, act))
        self._subscriptions: dict[int, str] = {}
        """The newest of each customer."""
        self.done = 0
        """Deeds that made sense."""

    async def open_shop(self) -> None:
        """Sell by the year, too: prices without a lookup key, known only by their product."""
        for plan in PLANS:
            monthly = next(
                one
                for one in (await self._call("GET", "prices"))["data"]
                if one["lookup_key"] == f"claw_{plan}_monthly"
            )
            await self._call("POST", "products", id=f"claw_{plan}", name=f"Claw {plan.title()}")
            await self._call(
                "POST",
                "prices",
                product=f"claw_{plan}",
                currency="usd",
                unit_amount=str(_YEARLY * monthly["unit_amount"]),
                lookup_key=_yearly(plan),
                **{"recurring[interval]": "year"},
            )

    async def after_retries(self, status: SubscriptionStatus) -> None:
        """What becomes of a subscription when Stripe has given up on its card."""
        await self._controls.set_rules(after_retries=status.value)

    async def day(self, day: int) -> None:
        """Everything that has happened by the end of a day, which Stripe's clock shows already."""
        await self._controls.advance()
        for number, act in self._acts[day]:
            self.done += await self._do(number, act)

    def _subscription(self, number: int) -> Subscription:
        return self._stripe.account.get(Subscription, self._subscriptions[number])

    async def _do(self, number: int, act: Act) -> bool:
        """Whether it made sense."""
        if act.deed is Deed.SUBSCRIBE:
            await self._subscribe(number, act, name=f"Customer {number}")
            return True
        now = self._subscription(number)
        if self._stripe.account.get(Customer, now.customer).deleted:
            return False
        subscription = f"subscriptions/{now.id}"
        match act.deed:
            case Deed.CARD_FAILS:
                await self._controls.set_card(now.id, Card.DECLINES)
            case Deed.CARD_WORKS if now.status in _OWING:
                await self._controls.pay(now.id)
            case Deed.CARD_WORKS:
                await self._controls.set_card(now.id, Card.GOOD)
            case Deed.RENAME:
                await self._call("POST", f"customers/{now.customer}", name=f"Customer {number}, Ltd")
            case Deed.DELETE_ACCOUNT:
                await self._call("DELETE", f"customers/{now.customer}")
            case Deed.CHANGE_PLAN if now.status in _SERVED:
                await self._controls.change_price(now.id, _yearly(act.plan) if act.yearly else _monthly(act.plan))
            case Deed.PAUSE if now.status is SubscriptionStatus.ACTIVE:
                await self._call("POST", subscription, **{"pause_collection[behavior]": "void"})
            case Deed.RESUME if now.pause_collection and not now.status.is_final:
                await self._call("POST", subscription, pause_collection="")
            case Deed.LEAVE if not now.status.is_final:
                await self._controls.cancel(now.id)
            case Deed.LEAVE_WITH_PERIOD if now.status in _SERVED:
                await self._controls.cancel(now.id, at_period_end=True)
            case Deed.STAY if now.cancel_at_period_end and not now.status.is_final:
                await self._call("POST", subscription, cancel_at_period_end="false")
            case Deed.RETURN if now.status.is_final:
                await self._subscribe(number, act, customer=now.customer, metadata={"claw_resumes": now.id})
            case _:
                return False
        return True

    async def _subscribe(self, number: int, act: Act, **order: Any) -> None:
        bought = await self._controls.complete_checkout(
            CompleteCheckout(
                email=f"customer{number}@example.com",
                price=_yearly(act.plan) if act.yearly else _monthly(act.plan),
                trial_days=act.trial_days,
                card=Card.NONE if act.without_card else Card.GOOD,
                without_payment_method="pause",
                **order,
            )
        )
        self._subscriptions[number] = bought["subscription"]["id"]

    async def _call(self, method: str, path: str, **form: str) -> Any:
        response = await self._api.request(method, f"/v1/{path}", data=form)
        assert response.is_success, response.text
        return response.json()


def _monthly(plan: str | None) -> str:
    return f"claw_{plan}_monthly"


def _yearly(plan: str | None) -> str:
    return f"yearly_{plan}"
