"""What the mails say: whether one is still true when it is about to leave, and the words it is filled with. Pure.

What stands in a mail are the facts of the moment in which it leaves. So a warning whose date was put off tells the new
date, and one whose reason is gone is not sent at all.

Days and times are in the customer's time zone: "until Sunday" must not end on their Saturday.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from zoneinfo import ZoneInfo

from claw_templates import line
from claw_webhook.cleaning import greeting_name

_LATEST_SIGN_IN = timedelta(hours=1)
"""Whoever waited longer for the link has asked again, or gone."""


@dataclass(frozen=True)
class Facts:
    """What is known about a mail's cause at this moment."""

    cause: str
    asked_at: datetime
    details: Mapping[str, str]
    """What cannot be looked up later: the plan's name, amounts."""
    name: str | None
    timezone: str
    erased: bool
    """The customer asked to be forgotten."""
    instance: str | None
    url: str | None
    gone: bool
    """The instance was deleted, or is another one by now."""
    standing: str | None
    """Of the subscription that the instance belongs to now, as in billing.Standing; None where there is none."""
    since: datetime | None
    """When it got there."""
    trial_end: datetime | None
    grace_until: datetime | None
    paid_until: datetime | None
    deletion_at: datetime | None
    """When the data may go, as announced or as put off by a person; None while nothing is to be deleted."""

    def data_kept_until(self, now: datetime) -> datetime | None:
        """Until when an ended subscription's data can be had; None when there is none."""
        there = self.instance is not None and not self.gone
        return self.deletion_at if there and self.deletion_at is not None and self.deletion_at > now else None


class Button(Enum):
    """Where the one button of a mail leads."""

    KEY = auto()
    SIGN_IN = auto()
    EXPORT = auto()
    ACCOUNT = auto()
    PLANS = auto()


@dataclass(frozen=True)
class Letter:
    """A mail's subject and the words of its templates, `email/<template>.txt.j2` and `.html.j2`."""

    template: str
    subject: str
    words: Mapping[str, str | bool | None]


_TRUE_WHILE: Mapping[str, frozenset[str]] = {
    "trial_ending": frozenset({"Trialing"}),
    "payment_failed": frozenset({"Grace"}),
    "suspended": frozenset({"Unpaid", "Paused"}),
    "resumed": frozenset({"Trialing", "Active", "Grace"}),
    "goodbye": frozenset({"Ended"}),
    "deletion_week": frozenset({"Ended"}),
    "deletion_day": frozenset({"Ended"}),
}


def why_not(facts: Facts, now: datetime) -> str | None:
    """Why the mail must not leave any more; None when it may."""
    if facts.erased:
        return "the customer was erased"
    if facts.cause == "sign_in":
        return "the link comes too late" if now - facts.asked_at > _LATEST_SIGN_IN else None
    if facts.gone and facts.cause != "goodbye":
        return "the instance was gone before the mail left"
    if facts.cause == "welcome":
        return "the subscription has ended" if facts.standing == "Ended" else None
    if facts.standing is not None and facts.standing not in _TRUE_WHILE[facts.cause]:
        return f"the subscription is {facts.standing} by now"
    if facts.cause.startswith("deletion_") and facts.data_kept_until(now) is None:
        return "nothing is to be deleted any more"
    return None


def button(facts: Facts, now: datetime) -> Button:
    """Where this mail's button leads."""
    match facts.cause:
        case "welcome":
            return Button.KEY
        case "sign_in":
            return Button.SIGN_IN
        case "goodbye" | "deletion_week" | "deletion_day":
            return Button.EXPORT if facts.data_kept_until(now) else Button.PLANS
        case _:
            return Button.ACCOUNT


def letter(facts: Facts, *, link: str, link_until: datetime | None, account: str, now: datetime) -> Letter:
    """The mail. `link` is where its button leads, good until `link_until`; `account` is the account's page."""
    day = _day(_date(facts, now), facts.timezone)
    plan = facts.details.get("plan")
    return Letter(
        template=facts.cause,
        subject=_subject(facts.cause, day),
        words={
            "customer": greeting_name(facts.name),
            "plan": f"Claw {line(plan)}" if plan else "Claw",
            "amount": facts.details.get("amount"),
            "date": day,
            "unpaid": facts.standing != "Paused",
            "url": facts.url,
            "link": link,
            "until": _until(facts.cause, link_until, facts.timezone),
            "account": account,
        },
    )


def _date(facts: Facts, now: datetime) -> datetime | None:
    """The date that matters in a mail of this cause."""
    match facts.cause:
        case "trial_ending":
            return facts.trial_end
        case "payment_failed":
            return facts.grace_until
        case "suspended":
            return facts.since or now
        case "resumed":
            return facts.paid_until
        case "goodbye" | "deletion_week" | "deletion_day":
            return facts.data_kept_until(now)
        case _:
            return None


def _subject(cause: str, day: str | None) -> str:
    return {
        "welcome": "Your Claw assistant is ready",
        "trial_ending": f"Your trial ends on {day}",
        "payment_failed": "Your payment did not go through",
        "suspended": "Your assistant is paused",
        "resumed": "Your assistant is back",
        "goodbye": "Your subscription has ended",
        "deletion_week": f"Your data will be deleted on {day}",
        "deletion_day": f"Last call: your data will be deleted on {day}",
        "sign_in": "Your link to sign in",
    }[cause]


def _day(moment: datetime | None, timezone: str) -> str | None:
    if moment is None:
        return None
    there = moment.astimezone(_zone(timezone))
    return f"{there:%A}, {there.day} {there:%B %Y}"


def _until(cause: str, moment: datetime | None, timezone: str) -> str | None:
    if moment is None or cause != "sign_in":
        return _day(moment, timezone)
    zone = _zone(timezone)
    return f"{moment.astimezone(zone):%H:%M} ({zone.key})"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # as somebody typed it, or unknown on this machine
        return ZoneInfo("UTC")
