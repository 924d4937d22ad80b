"""How a subscription stands, in words for its customer. Pure.

What it costs is told by Stripe's portal alone: a customer of old may pay an old price.
"""

from dataclasses import dataclass
from datetime import MAXYEAR, datetime

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.billing import Standing
from claw_webhook.front.accounts import Held
from claw_webhook.mails.letters import day


@dataclass(frozen=True)
class Card:
    """What the account's page shows of one subscription."""

    id: str
    plan: str
    headline: str
    text: str
    tone: str
    """good, trouble or over: a colour beside the words, never instead of them."""
    url: str | None
    portal: str | None
    """What the button to Stripe's portal says; None where it would not help."""
    resume: str | None
    """The plan to come back with; None where there is nothing to come back to."""
    export: bool


def card(held: Held, plan: ClawPlan | None, *, timezone: str, now: datetime) -> Card:
    """The words for a subscription. `plan` is None when nobody sells it any more."""
    headline, text, tone = _words(held, _Days(held, timezone), now)
    ended = held.standing == Standing.ENDED
    late = held.standing in {Standing.GRACE, Standing.UNPAID}
    return Card(
        id=held.id,
        plan=plan.spec.display_name if plan else (held.plan or "Claw"),
        headline=headline,
        text=text,
        tone=tone,
        url=held.url if held.instance and not ended else None,
        portal=None if ended else "Pay, or change card" if late else "Change plan or card, cancel",
        resume=held.plan if ended and held.instance and plan else None,
        export=held.instance is not None and held.url is not None,
    )


class _Days:
    """The subscription's moments as days in the customer's time zone."""

    def __init__(self, held: Held, timezone: str) -> None:
        self.trial_end = day(held.trial_end, timezone)
        self.grace_until = day(held.grace_until, timezone)
        self.paid_until = day(held.paid_until, timezone)
        self.deletion_at = None if _is_never(held.deletion_at) else day(held.deletion_at, timezone)


def _words(held: Held, days: _Days, now: datetime) -> tuple[str, str, str]:
    """Headline, text and tone."""
    match held.standing:
        case Standing.TRIALING | Standing.ACTIVE if held.cancels:
            until = days.trial_end if held.standing == Standing.TRIALING else days.paid_until
            return "Cancelled", f"Your assistant runs until {until}. After that your data is kept for a while.", "over"
        case Standing.TRIALING:
            return "On trial", f"Free until {days.trial_end}, the day of the first payment.", "good"
        case Standing.ACTIVE:
            return "Active", f"Paid until {days.paid_until}, the day of the next payment.", "good"
        case Standing.GRACE:
            text = f"Your assistant goes on until {days.grace_until}. Pay before that, and nothing changes."
            return "A payment did not go through", text, "trouble"
        case Standing.UNPAID:
            text = "Your assistant rests until the open invoice is paid. Your data is kept."
            return "Paused: there is an open invoice", text, "trouble"
        case Standing.PAUSED:
            text = "Your assistant rests, and nothing is charged. Your data is kept."
            return "Paused", text, "over"
        case Standing.ENDED:
            return "Ended", _kept(held, days, now), "over"
    return "Not paid yet", "It begins when the first payment has come.", "over"


def _kept(held: Held, days: _Days, now: datetime) -> str:
    if held.instance is None:
        return "Its data has been deleted."
    if held.deletion_at is None or days.deletion_at is None:
        return "Its data is kept."
    if held.deletion_at <= now:
        return "Its data is being deleted."
    return f"Its data is kept until {days.deletion_at}, and then deleted."


def _is_never(moment: datetime | None) -> bool:
    return moment is not None and moment.year == MAXYEAR
