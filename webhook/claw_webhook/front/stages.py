"""How far a paid checkout has come, for the person who watches. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from claw_crds.conditions import ConditionStatus, ConditionType
from claw_crds.resource import Model
from claw_webhook.stripe_objects import CheckoutSession


class Outcome(StrEnum):
    """What the page is about."""

    OPEN = "open"
    """Nothing was paid yet."""
    EXPIRED = "expired"
    """Nothing was paid, and it is too late."""
    BANK = "bank"
    """The bank takes its time to say whether the money comes."""
    WORKING = "working"
    READY = "ready"
    STUCK = "stuck"
    """A person has to look at it."""
    GONE = "gone"
    """It was ready once and is no longer there."""


@dataclass(frozen=True)
class Picture:
    """What is recorded of a subscription, and what the cluster shows of its instance."""

    recorded: bool = False
    available: bool = False
    refused: bool = False
    gone: bool = False
    ready: Collection[str] = ()
    """Conditions of the ClawInstance that are True."""
    mail: int | None = None
    """The welcome mail: its one-time link is shown here, too."""
    key_shown: bool = False


@dataclass(frozen=True)
class Stage:
    """One line of the list. The first that is not done is the one that goes on."""

    name: str
    title: str
    done: bool


@dataclass(frozen=True)
class Progress:
    """All of it."""

    outcome: Outcome
    stages: tuple[Stage, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whether waiting is worth while."""
        return self.outcome is Outcome.WORKING

    def document(self) -> dict[str, Any]:
        """As the page's script reads it."""
        return {"outcome": self.outcome, "stages": [{"name": one.name, "done": one.done} for one in self.stages]}


_CONDITIONS = (
    (ConditionType.DATABASE_READY, "database", "A database of its own"),
    (ConditionType.COMPUTE_READY, "compute", "A server of its own"),
    (ConditionType.RUNTIME_READY, "runtime", "Your assistant has moved in"),
)


def progress(session: CheckoutSession, picture: Picture) -> Progress:
    """What to tell whoever comes back from the payment page."""
    match session.status, session.payment_status:
        case "expired", _:
            return Progress(Outcome.EXPIRED)
        case "complete", "unpaid":
            return Progress(Outcome.BANK)
        case "complete", _ if session.subscription:
            return Progress(_outcome(picture), tuple(_stages(picture)))
    return Progress(Outcome.OPEN)


def _outcome(picture: Picture) -> Outcome:
    if picture.gone:
        return Outcome.GONE
    if picture.available:
        return Outcome.READY
    return Outcome.STUCK if picture.refused else Outcome.WORKING


def _stages(picture: Picture) -> list[Stage]:
    return [
        Stage("payment", "Payment confirmed", done=True),
        Stage("order", "Order recorded", done=picture.recorded),
        *(
            Stage(name, title, picture.available or condition in picture.ready)
            for condition, name, title in _CONDITIONS
        ),
        Stage("ready", "It answers", done=picture.available),
    ]


class _Condition(Model):
    type: str
    status: str


class _Status(Model):
    conditions: tuple[_Condition, ...] = ()


class _Instance(Model):
    """The few fields that matter here. The whole model would refuse a reason that a newer operator invents."""

    status: _Status = _Status()


def ready_conditions(body: dict[str, Any] | None) -> frozenset[str]:
    """The conditions of a ClawInstance, as the API server wrote it, that are True; none of what is not there."""
    try:
        conditions = _Instance.model_validate(body or {}).status.conditions
    except ValidationError:
        return frozenset()
    return frozenset(one.type for one in conditions if one.status == ConditionStatus.TRUE)
