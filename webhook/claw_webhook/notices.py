"""Which mails a look at a subscription causes. Pure.

A mail is asked for at every look at which there is a reason for it, and leaves once: its occasion, the thing that
happened and not the moment somebody noticed, is the same each time, and the outbox takes each only once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.billing import Account, Decision


class Cause(StrEnum):
    """Why a mail leaves; also the name of its template."""

    WELCOME = "welcome"
    """Not from here: the instance is seen to be ready."""
    TRIAL_ENDING = "trial_ending"
    PAYMENT_FAILED = "payment_failed"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    GOODBYE = "goodbye"
    DELETION_WEEK = "deletion_week"
    DELETION_DAY = "deletion_day"
    SIGN_IN = "sign_in"
    """Not from here: somebody asked for it."""


@dataclass(frozen=True)
class Notice:
    """A mail that is to leave, if it has not already."""

    cause: Cause
    occasion: str
    """Unique with the cause, for ever."""
    details: dict[str, str] = field(default_factory=dict)
    """For the template: days as ISO 8601 dates, amounts with their currency, the plan's display name."""


def notices(account: Account, decision: Decision, plans: Iterable[ClawPlan], now: datetime) -> tuple[Notice, ...]:
    """The mails that are due now that this was decided. `account.memory` is from before."""
    return ()
