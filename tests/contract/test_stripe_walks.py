"""Whatever customers do at the simulated Stripe, and whenever: what it tells is what it holds, and in order."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import pytest

from claw_dev.simulators.stripe import catalogue, customers, lifecycle, portal, repricing, standing, subscriptions
from claw_dev.simulators.stripe.account import Account, Rules
from claw_dev.simulators.stripe.advancing import steps
from claw_dev.simulators.stripe.errors import StripeProblem
from claw_dev.simulators.stripe.params import CreateConfiguration, CreatePortalSession, ResumeSubscription
from claw_dev.simulators.stripe.records import (
    Card,
    Customer,
    Event,
    Invoice,
    PortalSession,
    Price,
    Subscription,
    SubscriptionStatus,
)
from claw_dev.simulators.stripe.rendering import render

DAY = 24 * 3600
PLANS = [f"price_{plan}_monthly" for plan in catalogue.SEEDED]
YEARS = 2

_TOLD = ("customer", "invoice", "subscription")
_SILENT = {"auto_advance", "automatically_finalizes_at", "balance", "next_invoice_sequence", "next_payment_attempt"}
"""What changes without being told, as far as the simulator goes."""


class Walk:
    """One customer's two years, drawn by lot."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.account = Account(
            clock=lambda: datetime(2026, 1, 31, 12, tzinfo=UTC), random=Random(seed), events_kept_days=1000
        )
        catalogue.seed(self.account)
        self.account.rules = Rules(after_retries=self.random.choice(["canceled", "unpaid", "past_due"]))
        self.told: list[Event] = []
        self.account.on_event = self.told.append
        self.customer = customers.register(self.account, email="ada@example.com", card=Card.GOOD)
        yearly = self.account.put(replace(self.account.all(Price)[-1], id="price_yearly", interval="year"))
        self.prices = [*PLANS, yearly.id]
        self.visit = self._visit()
        self.subscription = self._subscribe()

    def go(self) -> None:
        """Live for two years."""
        deeds: list[Callable[[Subscription], object]] = [
            lambda s: customers.change_card(self.account, s.customer, self.random.choice(list(Card))),
            lambda s: customers.change_card(self.account, s.customer, Card.GOOD),
            lambda s: portal.pay(self.account, s),
            lambda s: portal.change_plan(self.account, self.visit, s, self.random.choice(PLANS)),
            lambda s: portal.leave(self.account, self.visit, s),
            lambda s: lifecycle.end_with_period(self.account, s, wanted=False),
            self._reprice,
            lambda s: standing.update(self.account, s, pause_collection=self._behavior(), collection_resumes_at=None),
            lambda s: standing.update(self.account, s, pause_collection=None),
            lambda s: standing.pause(self.account, s),
            lambda s: subscriptions.resume_subscription(self.account, s.id, ResumeSubscription()),
        ]
        until = self.account.now() + YEARS * 365 * DAY
        while self.account.now() < until:
            for _ in steps(self.account, self.account.now() + self.random.randrange(1, 40 * DAY)):
                pass
            now = self.account.get(Subscription, self.subscription)
            if now.status.is_final:
                self.subscription = self._subscribe()
                continue
            try:
                self.random.choice(deeds)(now)
            except StripeProblem:
                continue

    def _subscribe(self) -> str:
        trial = self.account.now() + 10 * DAY if self.random.random() < 0.3 else None
        wants = self.random.choice(["pause", "cancel", "create_invoice"])
        items = [(self.random.choice(self.prices), self.random.randrange(1, 3))]
        terms = lifecycle.Terms(items=items, metadata={}, trial_end=trial, without_payment_method=wants)
        return lifecycle.start(self.account, self.account.get(Customer, self.customer.id), terms).id

    def _reprice(self, subscription: Subscription) -> None:
        items = [replace(item, price=self.random.choice(self.prices)) for item in subscription.items]
        behavior = self.random.choice(["none", "create_prorations", "always_invoice"])
        repricing.reprice(self.account, subscription, items, behavior=behavior)

    def _behavior(self) -> str:
        return self.random.choice(["void", "keep_as_draft", "mark_uncollectible"])

    def _visit(self) -> PortalSession:
        products = [{"product": f"prod_claw_{plan}", "prices": [f"price_{plan}_monthly"]} for plan in catalogue.SEEDED]
        update = {
            "enabled": True,
            "default_allowed_updates": ["price"],
            "products": products,
            "schedule_at_period_end": {"conditions": [{"type": "decreasing_item_amount"}]},
        }
        features = {"subscription_update": update, "subscription_cancel": {"enabled": True}}
        portal.create_configuration(self.account, CreateConfiguration.model_validate({"features": features}))
        return portal.create_session(self.account, CreatePortalSession(customer=self.customer.id))


@pytest.fixture(scope="module", params=range(25))
def walked(request: pytest.FixtureRequest) -> Walk:
    walk = Walk(request.param)
    walk.go()
    return walk


def test_the_last_that_was_told_of_anything_is_how_it_is(walked: Walk) -> None:
    account = walked.account
    told = {event.snapshot["id"]: event for event in walked.told if event.snapshot["object"] in _TOLD}
    wrong = [
        (identifier, event.type, name, event.snapshot[name], now[name])
        for identifier, event in told.items()
        for now in [render(account.find(identifier), account, account.api_version)]
        for name in now
        if name not in _SILENT and event.snapshot[name] != now[name]
    ]
    assert wrong == []


def test_events_come_in_the_order_of_time(walked: Walk) -> None:
    assert all(one.created <= other.created for one, other in pairwise(walked.told))


def test_a_standing_agrees_with_what_is_owed(walked: Walk) -> None:
    for subscription in walked.account.all(Subscription):
        latest = walked.account.get(Invoice, subscription.latest_invoice or "")
        if subscription.status in (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID):
            assert not latest.is_settled, subscription
        if subscription.status.is_final:
            assert subscription.ended_at is not None
            assert subscription.unsettled == ()


def test_no_period_is_billed_twice(walked: Walk) -> None:
    billed = [line for one in reversed(walked.account.all(Invoice)) for line in one.lines if not line.proration]
    by_item: dict[str, list[int]] = {}
    for line in billed:
        by_item.setdefault(line.subscription_item, []).append(line.period_start)
    for item, starts in by_item.items():
        assert all(one < other for one, other in pairwise(starts)), (item, starts)
