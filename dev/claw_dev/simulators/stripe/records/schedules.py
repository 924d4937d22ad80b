"""What subscriptions will be, and when."""

from dataclasses import dataclass, field
from typing import ClassVar

from claw_dev.simulators.stripe.records.record import Metadata, Record


@dataclass(frozen=True, kw_only=True)
class PhaseItem:
    """A price of a phase."""

    price: str
    quantity: int = 1


@dataclass(frozen=True, kw_only=True)
class Phase:
    """From when to when a subscription has which prices."""

    start: int
    end: int
    items: tuple[PhaseItem, ...]
    proration_behavior: str = "create_prorations"
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Schedule(Record):
    """The phases of one subscription."""

    OBJECT: ClassVar[str] = "subscription_schedule"
    PREFIX: ClassVar[str] = "sub_sched"

    customer: str
    subscription: str | None
    phases: tuple[Phase, ...]
    end_behavior: str = "release"
    status: str = "active"
    metadata: Metadata = field(default_factory=dict)
    released_at: int | None = None
    released_subscription: str | None = None
    canceled_at: int | None = None
    completed_at: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether it decides nothing any more."""
        return self.status in ("canceled", "completed", "released")

    def phase_at(self, moment: int) -> Phase | None:
        """The phase that the moment is in."""
        return next((phase for phase in self.phases if phase.start <= moment < phase.end), None)
