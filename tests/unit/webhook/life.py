"""A subscription's life without database, cluster and Stripe: look after look, the books kept as the service does."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from claw_crds.v1alpha1 import ClawInstanceSpec, ClawPlan
from claw_webhook.billing import Account, Decision, Gone, Memory, Refusal, Standing, Wished, decide
from claw_webhook.notices import Cause, Notice, notices
from claw_webhook.recording import Books, after
from claw_webhook.stripe_objects import Invoice, Subscription


@dataclass
class Life:
    """What is remembered, and which mails left."""

    plans: Sequence[ClawPlan]
    books: Books = field(default_factory=Books)
    instance: str | None = None
    spec: ClawInstanceSpec | None = None
    keep_until: datetime | None = None
    mails: dict[tuple[Cause, str], datetime] = field(default_factory=dict)
    """When each left. The outbox takes the same cause and occasion once."""
    promises: list[datetime] = field(default_factory=list)
    """Every moment of deletion that a customer could have been told."""

    @property
    def memory(self) -> Memory:
        """What the database would say now."""
        return Memory(
            instance=self.instance,
            spec=self.spec,
            standing=Standing(self.books.standing) if self.books.standing else None,
            since=self.books.since,
            deletion_at=self.books.deletion_at,
            warned_at=self.books.warned_at,
            keep_until=self.keep_until,
            hold=self.books.hold,
        )

    @property
    def causes(self) -> list[Cause]:
        """Of the mails that left, in their order."""
        return [cause for cause, _ in self.mails]

    def account(self, subscription: Subscription, arrears: tuple[Invoice, ...] = ()) -> Account:
        """What decides."""
        return Account(subscription, arrears=arrears, memory=self.memory)

    def asked(self, subscription: Subscription, now: datetime, arrears: tuple[Invoice, ...] = ()) -> Decision:
        """What would be decided now; nothing is recorded."""
        return decide(self.account(subscription, arrears), self.plans, now)

    def hold(self, reason: str | None) -> None:
        """A person, or a failure that nobody could mend, stops the deletion; only a person lets it go on."""
        self.books = replace(self.books, hold=reason)

    def look(self, subscription: Subscription, now: datetime, arrears: tuple[Invoice, ...] = ()) -> Decision:
        """Decide, record, mail."""
        account = self.account(subscription, arrears)
        decision = decide(account, self.plans, now)
        found: tuple[Notice, ...] = notices(account, decision, self.plans, now)
        self.books = after(self.books, decision, {notice.cause for notice in found}, now)
        for notice in found:
            self.mails.setdefault((notice.cause, notice.occasion), now)
        match decision:
            case Wished():
                self.instance, self.spec = self.instance or "claw-1", decision.spec
                if decision.deletion_at is not None:
                    self.promises.append(decision.deletion_at)
            case Gone():
                self.instance = self.spec = None
        return decision


def wished(decision: Decision) -> Wished:
    """The decision, which has to be that there is an instance."""
    assert isinstance(decision, Wished), decision
    return decision


def refused(decision: Decision) -> Refusal:
    """The decision, which has to be a refusal."""
    assert isinstance(decision, Refusal), decision
    return decision
