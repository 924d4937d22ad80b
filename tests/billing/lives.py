"""What customers do in two years, drawn by lot: each life a list of deeds, each deed on a day. Pure.

A seed gives the same lives each time. A deed that makes no sense any more when its day comes (a change of plan after
Stripe has given up on the card, say) is left out by whoever plays the life: Stripe would refuse it, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

PLANS = ("starter", "pro", "team")
_TRIAL_DAYS = 14
_AT_LEAST = 4
"""Days as a customer: somebody looks at a subscription in between. One that nobody ever saw alive gets no instance."""
_DAYS_AS_CUSTOMER = 35
"""On average; whoever pays by the year stays four times as long."""
_DAYS_BETWEEN_DEEDS = 40


class Deed(StrEnum):
    """Something that a customer does, or that happens to their card."""

    SUBSCRIBE = "subscribe"
    CHANGE_PLAN = "change plan"
    CARD_FAILS = "card fails"
    CARD_WORKS = "card works"
    PAUSE = "pause"
    RESUME = "resume"
    RENAME = "rename"
    LEAVE = "leave"
    LEAVE_WITH_PERIOD = "leave with the period"
    STAY = "stay after all"
    DELETE_ACCOUNT = "delete account"
    RETURN = "return"


@dataclass(frozen=True)
class Act:
    """A deed on a day, counted from the beginning."""

    day: int
    deed: Deed
    plan: str | None = None
    """Of SUBSCRIBE, CHANGE_PLAN and RETURN."""
    yearly: bool = False
    trial_days: int = 0
    without_card: bool = False
    """Of SUBSCRIBE: on trial, to be paused at its end."""


@dataclass(frozen=True)
class Life:
    """One customer's."""

    number: int
    acts: tuple[Act, ...]
    """By day."""


def lives(random: Random, *, subscriptions: int, days: int) -> list[Life]:
    """So many customers that they have as many subscriptions as asked for: who returns has two."""
    drawn: list[Life] = []
    left = subscriptions
    while left:
        life = _life(len(drawn), random, days, may_return=left > 1)
        drawn.append(life)
        left -= sum(act.deed in {Deed.SUBSCRIBE, Deed.RETURN} for act in life.acts)
    return drawn


def _life(number: int, random: Random, days: int, *, may_return: bool) -> Life:
    first, plan, yearly = random.randrange(days - 3), random.choice(PLANS), random.random() < 0.3
    trial = _TRIAL_DAYS if random.random() < 0.25 else 0
    without_card = bool(trial) and random.random() < 0.2
    leaving = first + _AT_LEAST + round(random.expovariate(1 / _DAYS_AS_CUSTOMER)) * (4 if yearly else 1)
    acts = [
        Act(first, Deed.SUBSCRIBE, plan, yearly, trial, without_card),
        *_between(random, first + 1, leaving, plan, yearly=yearly),
    ]
    returning = leaving + random.randrange(1, 60)
    if may_return and returning < days and random.random() < 0.15:
        acts += [Act(leaving, Deed.LEAVE), Act(returning, Deed.RETURN, random.choice(PLANS))]
    else:
        acts += _leaving(random, leaving)
    return Life(number, tuple(sorted((act for act in acts if act.day < days), key=lambda act: act.day)))


def _between(random: Random, begin: int, end: int, plan: str, *, yearly: bool) -> Iterator[Act]:
    """What happens while they are customers."""
    day = begin + round(random.expovariate(1 / _DAYS_BETWEEN_DEEDS))
    while day < end:
        match random.choices(("plan", "card", "pause", "rename", "hesitation"), (4, 4, 2, 2, 2))[0]:
            case "plan":
                plan = random.choice([other for other in PLANS if other != plan])
                yield Act(day, Deed.CHANGE_PLAN, plan, yearly)
            case "card":
                yield Act(day, Deed.CARD_FAILS)
                day += random.randrange(1, 60)  # within the grace, after it, and after Stripe has given up
                yield Act(day, Deed.CARD_WORKS)
            case "pause":
                yield Act(day, Deed.PAUSE)
                day += random.randrange(1, 40)
                yield Act(day, Deed.RESUME)
            case "rename":
                yield Act(day, Deed.RENAME)
            case "hesitation":
                yield Act(day, Deed.LEAVE_WITH_PERIOD)
                day += random.randrange(1, 6)
                yield Act(day, Deed.STAY)
        day += 1 + round(random.expovariate(1 / _DAYS_BETWEEN_DEEDS))


def _leaving(random: Random, day: int) -> list[Act]:
    """How it ends: most say so, some just let their card expire, some vanish altogether, and some stay."""
    deed = random.choices(
        (Deed.LEAVE, Deed.LEAVE_WITH_PERIOD, Deed.CARD_FAILS, Deed.DELETE_ACCOUNT, None), (8, 8, 4, 1, 2)
    )[0]
    return [Act(day, deed)] if deed is not None else []
