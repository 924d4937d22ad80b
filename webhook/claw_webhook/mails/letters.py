"""What the mails say: whether one is still true when it is about to leave, and the words it is filled with. Pure.

What stands in a mail are the facts of the moment in which it leaves. So a warning whose date was put off tells the new
date, and one whose reason is gone is not sent at all.

Days and times are in the customer's time zone: "until Sunday" must not end on their Saturday.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from enum import Enum, auto
from zoneinfo import ZoneInfo

from claw_templates import line
from claw_webhook.billing import Standing
from claw_webhook.cleaning import greeting_name
from claw_webhook.notices import Cause

_LATEST_SIGN_IN = timedelta(hours=1)
"""Whoever waited longer for the link has asked again, or gone."""
_LATEST_MESSAGE = timedelta(days=1)
"""What an assistant wanted to tell in time is no help after it."""


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
    """Of the subscription that the instance belongs to now, one of Standing; None where there is none."""
    since: datetime | None
    """When it got there."""
    trial_end: datetime | None
    grace_until: datetime | None
    paid_until: datetime | None
    deletion_at: datetime | None
    """When the data may go, as announced or as put off by a person, `datetime.max` where that is for good; None while
    nothing is to be deleted."""

    def data_kept_until(self, now: datetime) -> datetime | None:
        """Until when an ended subscription's data can be had, `datetime.max` for good; None when there is none."""
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


_TRUE_WHILE: Mapping[str, frozenset[Standing]] = {
    Cause.TRIAL_ENDING: frozenset({Standing.TRIALING}),
    Cause.PAYMENT_FAILED: frozenset({Standing.GRACE}),
    Cause.SUSPENDED: frozenset({Standing.UNPAID, Standing.PAUSED}),
    Cause.RESUMED: frozenset({Standing.TRIALING, Standing.ACTIVE, Standing.GRACE}),
    Cause.MESSAGE: frozenset({Standing.TRIALING, Standing.ACTIVE, Standing.GRACE}),
    Cause.GOODBYE: frozenset({Standing.ENDED}),
    Cause.DELETION_WEEK: frozenset({Standing.ENDED}),
    Cause.DELETION_DAY: frozenset({Standing.ENDED}),
}


def why_not(facts: Facts, now: datetime) -> str | None:
    """Why the mail must not leave any more; None when it may."""
    if facts.erased:
        return "the customer was erased"
    if facts.cause == Cause.SIGN_IN:
        return "the link comes too late" if now - facts.asked_at > _LATEST_SIGN_IN else None
    if facts.cause == Cause.MESSAGE and now - facts.asked_at > _LATEST_MESSAGE:
        return "the message comes too late"
    if facts.gone and facts.cause != Cause.GOODBYE:
        return "the instance was gone before the mail left"
    if facts.cause == Cause.WELCOME:
        return "the subscription has ended" if facts.standing == Standing.ENDED else None
    if facts.standing is not None and facts.standing not in _TRUE_WHILE[facts.cause]:
        return f"the subscription is {facts.standing} by now"
    if facts.cause in {Cause.DELETION_WEEK, Cause.DELETION_DAY} and day(facts.data_kept_until(now), "UTC") is None:
        return "nothing is to be deleted any more"
    return None


def button(facts: Facts, now: datetime) -> Button:
    """Where this mail's button leads."""
    match facts.cause:
        case Cause.WELCOME:
            return Button.KEY
        case Cause.SIGN_IN:
            return Button.SIGN_IN
        case Cause.GOODBYE | Cause.DELETION_WEEK | Cause.DELETION_DAY:
            return Button.EXPORT if facts.data_kept_until(now) else Button.PLANS
        case _:
            return Button.ACCOUNT


def letter(facts: Facts, *, link: str, link_until: datetime | None, account: str, now: datetime) -> Letter:
    """The mail. `link` is where its button leads, good until `link_until`; `account` is the account's page."""
    date = day(_date(facts, now), facts.timezone)
    plan = facts.details.get("plan")
    return Letter(
        template=facts.cause,
        subject=_subject(facts, date),
        words={
            "customer": greeting_name(facts.name),
            "plan": f"Claw {line(plan)}" if plan else "Claw",
            "amount": facts.details.get("amount"),
            "date": date,
            "kept": facts.data_kept_until(now) is not None,
            "unpaid": facts.standing != Standing.PAUSED,
            "url": facts.url,
            "link": link,
            "until": _until(facts.cause, link_until, facts.timezone),
            "account": account,
            "text": facts.details.get("text", ""),
        },
    )


def _date(facts: Facts, now: datetime) -> datetime | None:
    """The date that matters in a mail of this cause."""
    match facts.cause:
        case Cause.TRIAL_ENDING:
            return facts.trial_end
        case Cause.PAYMENT_FAILED:
            return facts.grace_until
        case Cause.SUSPENDED:
            return facts.since or now
        case Cause.RESUMED:
            return facts.paid_until
        case Cause.GOODBYE | Cause.DELETION_WEEK | Cause.DELETION_DAY:
            return facts.data_kept_until(now)
        case _:
            return None


def _subject(facts: Facts, date: str | None) -> str:
    subjects: Mapping[str, str] = {
        Cause.WELCOME: "Your Claw assistant is ready",
        Cause.TRIAL_ENDING: f"Your trial ends on {date}",
        Cause.PAYMENT_FAILED: "Your payment did not go through",
        Cause.SUSPENDED: "Your assistant is paused",
        Cause.RESUMED: "Your assistant is back",
        Cause.GOODBYE: "Your subscription has ended",
        Cause.DELETION_WEEK: f"Your data will be deleted on {date}",
        Cause.DELETION_DAY: f"Last call: your data will be deleted on {date}",
        Cause.SIGN_IN: "Your link to sign in",
        Cause.MESSAGE: line(facts.details.get("subject")) if facts.details.get("subject") else "From your assistant",
    }
    return subjects[facts.cause]


def day(moment: datetime | None, timezone: str) -> str | None:
    """The day of that moment in a time zone, as a person writes it; None for no moment and for one that never comes."""
    if moment is None or moment.year == MAXYEAR:
        return None
    there = moment.astimezone(_zone(timezone))
    return f"{there:%A}, {there.day} {there:%B %Y}"


def _until(cause: str, moment: datetime | None, timezone: str) -> str | None:
    if moment is None or cause != Cause.SIGN_IN:
        return day(moment, timezone)
    zone = _zone(timezone)
    return f"{moment.astimezone(zone):%H:%M} ({zone.key})"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # as somebody typed it, or unknown on this machine
        return ZoneInfo("UTC")
