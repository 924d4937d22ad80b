"""A client of `/_sim/`, for demos and tests: plays the customer, and the network between Stripe and us."""

from types import TracebackType
from typing import Any, Self

import httpx

from claw_dev.simulators.faults import Fault
from claw_dev.simulators.stripe import orders
from claw_dev.simulators.stripe.records import Card, SubscriptionStatus

Json = dict[str, Any]


class OrderRefused(Exception):
    """The simulator does not do it; the message is its reason."""


class StripeControls:
    """Gives orders to the simulator at `url`. An async context manager; every method may raise OrderRefused."""

    def __init__(self, url: str) -> None:
        # The simulator is on this machine: a proxy from the environment could only get in the way.
        self._client = httpx.AsyncClient(base_url=f"{url}/_sim/", timeout=120, trust_env=False)

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close them."""
        await self._client.__aexit__(kind, error, traceback)

    async def complete_checkout(self, order: orders.CompleteCheckout) -> Json:
        """A customer pays. Returns the `session`, `customer` and `subscription` as the API would show them."""
        return await self._give("POST", "checkouts", order)

    async def change_price(self, subscription: str, price: str, **order: Any) -> Json:
        """The customer changes to another price, named by id or lookup key. Returns the subscription."""
        return await self._give("POST", f"subscriptions/{subscription}/price", orders.ChangePrice(price=price, **order))

    async def set_status(self, subscription: str, status: SubscriptionStatus) -> Json:
        """The customer does not pay, pays after all, pauses. Returns the subscription."""
        return await self._give("POST", f"subscriptions/{subscription}/status", orders.SetStatus(status=status))

    async def cancel(self, subscription: str, *, at_period_end: bool = False) -> Json:
        """The customer leaves. Returns the subscription."""
        order = orders.Cancel(at_period_end=at_period_end)
        return await self._give("POST", f"subscriptions/{subscription}/cancellation", order)

    async def finish_period(self, subscription: str) -> Json:
        """Time passes until the period is over. Returns the subscription, renewed or ended."""
        return await self._give("POST", f"subscriptions/{subscription}/period-end", orders.Order())

    async def set_card(self, subscription: str, card: Card) -> Json:
        """From now on its customer's payments go as this card lets them. Returns the subscription."""
        return await self._give("POST", f"subscriptions/{subscription}/card", orders.SetCard(card=card))

    async def pay(self, subscription: str) -> Json:
        """The customer pays what is open, and their card works again. Returns the subscription."""
        return await self._give("POST", f"subscriptions/{subscription}/payment", orders.Order())

    async def advance(self, *, to: int | None = None, seconds: int = 0) -> int:
        """Time passes, and everything happens that it brings. Returns the account's time, in seconds since 1970."""
        return int((await self._give("POST", "advance", orders.Advance(to=to, seconds=seconds)))["now"])

    async def set_rules(self, **rules: Any) -> None:
        """What follows failed payments; the rules are those of SetRules."""
        await self._give("PUT", "rules", orders.SetRules(**rules))

    async def meter_events(self) -> list[Json]:
        """All events of usage so far, the oldest first."""
        return list((await self._give("GET", "meter-events", None))["events"])

    async def deliver(self, order: orders.Deliver) -> Json:
        """One delivery now. Returns the attempt: its `status` is what the webhook answered."""
        return await self._give("POST", "deliveries", order)

    async def deliveries(self) -> list[Json]:
        """All attempts so far, the oldest first."""
        found = await self._give("GET", "deliveries", None)
        return list(found["deliveries"])

    async def set_endpoint(self, url: str | None, *secrets: str, **trouble: Any) -> None:
        """Events go there from now on, signed with each of the secrets, with the trouble that SetEndpoint knows."""
        await self._give("PUT", "endpoint", orders.SetEndpoint(url=url, secrets=secrets, **trouble))

    async def inject(self, fault: Fault) -> None:
        """Let requests to the API go wrong."""
        await self._give("POST", "faults", fault)

    async def _give(self, method: str, path: str, order: orders.Order | Fault | None) -> Json:
        content = order.model_dump_json(exclude_unset=True) if order is not None else None
        response = await self._client.request(method, path, content=content)
        if response.is_error:
            raise OrderRefused(response.json()["error"])
        return dict(response.json())
