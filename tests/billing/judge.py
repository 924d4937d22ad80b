"""Whether the cluster is as it should be: by the service's own pure function, and by rules that know nothing of it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from claw_crds import naming
from claw_crds.v1alpha1 import ClawInstanceSpec
from claw_dev.simulators.stripe.account import Account as StripeAccount
from claw_dev.simulators.stripe.records import Invoice, InvoiceStatus, Subscription, SubscriptionStatus
from claw_webhook.billing import Account, Refusal, Wished, decide, needs_arrears
from claw_webhook.services import Services

_DAY = 24 * 3600
_GRACE, _RETENTION = 7 * _DAY, 30 * _DAY  # of the plans in charts/claw/plans
_ANNOUNCED = 10 * _DAY
"""A deletion that was announced late may be that much later: a week's warning, a day's, and the days themselves."""

Instance = dict[str, Any]
RUNNING, SUSPENDED, NONE = "Running", "Suspended", "no instance"


@dataclass
class Judgement:
    """What was expected, what there is, and what is wrong with it; one line each."""

    expected: int = 0
    found: int = 0
    lost: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All of them."""
        return [*self.lost, *self.extra, *self.different]


async def by_the_function(services: Services, subscriptions: Iterable[str], instances: list[Instance]) -> Judgement:
    """Each instance against what `decide` says of the live subscription, now."""
    wished = {}
    plans = await services.instances.plans()
    for id_ in subscriptions:
        subscription = await services.stripe.subscription(id_)
        arrears = await services.stripe.open_invoices(id_) if needs_arrears(subscription) else ()
        memory = await services.customers.memory(subscription)
        checkout = await services.customers.checkout(id_, None)
        decision = decide(Account(subscription, checkout, arrears, memory), plans, services.clock())
        assert not isinstance(decision, Refusal), decision.message
        if isinstance(decision, Wished):
            wished[memory.instance or naming.instance_name(id_)] = (id_, decision.spec)
    found = {instance["metadata"]["name"]: instance for instance in instances}
    judgement = Judgement(len(wished), len(found))
    for name, (id_, spec) in wished.items():
        if name not in found:
            judgement.lost.append(f"{id_}: there is no {name}, wished for is {spec}")
        elif ClawInstanceSpec.model_validate(found[name]["spec"]) != spec:
            judgement.different.append(f"{id_}: {name} is {found[name]['spec']}, wished for is {spec}")
    judgement.extra = [f"{name}: {found[name]['spec']}" for name in sorted(found.keys() - wished.keys())]
    return judgement


class Book:
    """The rules in short, over Stripe's records and the cluster alone, and what must not happen in between."""

    def __init__(self, account: StripeAccount) -> None:
        self._account = account
        self._uids: dict[str, str] = {}
        self._gone: set[str] = set()
        self._invoices: dict[str, list[Invoice]] = {}

    def faults(self, instances: list[Instance], now: datetime) -> list[str]:
        """Every subscription that is served and should not be, or the other way round; every instance made twice."""
        by_subscription = {one["metadata"]["annotations"][naming.SUBSCRIPTION]: one for one in instances}
        faults = self._replaced(instances)
        self._invoices = defaultdict(list)
        for invoice in self._account.all(Invoice):
            self._invoices[invoice.subscription].append(invoice)
        if len(by_subscription) < len(instances):
            faults.append("a subscription has two instances")
        heirs = {s.metadata["claw_resumes"] for s in self._account.all(Subscription) if "claw_resumes" in s.metadata}
        for subscription in self._account.all(Subscription):
            instance = by_subscription.pop(subscription.id, None)
            there = instance["spec"]["state"] if instance else NONE
            allowed = self._allowed(subscription, now.timestamp(), inherited=subscription.id in heirs)
            if there not in allowed:
                faults.append(f"{subscription.id} is {subscription.status}: {there}, and not {' or '.join(allowed)}")
        faults.extend(f"instance of nobody: {id_}" for id_ in by_subscription)
        return faults

    def _replaced(self, instances: list[Instance]) -> list[str]:
        """An instance that was deleted and made anew has lost its customer's data."""
        present = {one["metadata"]["name"]: one["metadata"]["uid"] for one in instances}
        faults = [f"{name} was made anew" for name, uid in present.items() if self._uids.get(name, uid) != uid]
        faults += [f"{name} came back from the dead" for name in present.keys() & self._gone]
        self._gone |= self._uids.keys() - present.keys()
        self._uids |= present
        return faults

    def _allowed(self, subscription: Subscription, now: float, *, inherited: bool) -> set[str]:
        match subscription.status:
            case SubscriptionStatus.ACTIVE if subscription.pause_collection == "void":
                return {SUSPENDED}
            case SubscriptionStatus.ACTIVE | SubscriptionStatus.TRIALING:
                return {RUNNING}
            case SubscriptionStatus.PAST_DUE:
                return {RUNNING} if now < self._in_arrears_since(subscription) + _GRACE else {SUSPENDED}
            case SubscriptionStatus.UNPAID | SubscriptionStatus.PAUSED:
                return {SUSPENDED}
            case SubscriptionStatus.INCOMPLETE | SubscriptionStatus.INCOMPLETE_EXPIRED:
                return {NONE}
        assert subscription.ended_at is not None
        if inherited:
            return {SUSPENDED, NONE}
        if now < subscription.ended_at + _RETENTION:
            return {SUSPENDED}
        kept_until = max(subscription.ended_at, self._paid_until(subscription)) + _RETENTION
        return {SUSPENDED, NONE} if now < kept_until + _ANNOUNCED else {NONE}

    def _in_arrears_since(self, subscription: Subscription) -> int:
        return min(one.created for one in self._invoices[subscription.id] if one.status is InvoiceStatus.OPEN)

    def _paid_until(self, subscription: Subscription) -> int:
        paid = (one for one in self._invoices[subscription.id] if one.status is InvoiceStatus.PAID)
        return max((line.period_end for one in paid for line in one.lines), default=0)
