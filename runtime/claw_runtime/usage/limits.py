"""Months, days and what is left: the arithmetic of limits. Pure.

A period is a calendar month in UTC, for every customer, wherever they are: one rule that an invoice, a status and a
refusal all agree on. Calls of the API are limited by the day, in UTC too.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from claw_crds.configuration import PlanConfiguration
from claw_runtime.problems import Problem, limit_reached


@dataclass(frozen=True)
class Tokens:
    """What one answer cost."""

    input: int = 0
    output: int = 0


@dataclass(frozen=True)
class Usage:
    """What was used in the month that began at `period_start`."""

    period_start: datetime
    messages_used: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    api_calls: int = 0
    version: int = 0

    @property
    def resets_at(self) -> datetime:
        """When the month ends."""
        return month_after(self.period_start)


def month_of(now: datetime) -> datetime:
    """The first moment of the month, UTC."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(start: datetime) -> datetime:
    """The first moment of the next month."""
    return (start + timedelta(days=32)).replace(day=1)


def day_after(now: datetime) -> datetime:
    """The next midnight, UTC."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def remaining(limit: int | None, used: int) -> int | None:
    """How many are left; None when there is no limit. A limit that was lowered under what is used leaves zero."""
    return None if limit is None else max(0, limit - used)


def refusal(plan: PlanConfiguration, usage: Usage, now: datetime) -> Problem:
    """Which of the month's limits is reached, as the customer is told."""
    tokens = usage.input_tokens + usage.output_tokens
    limits = plan.limits
    if limits.tokens_per_month is not None and tokens >= limits.tokens_per_month:
        name, what, limit, used = "tokensPerMonth", "tokens a month", limits.tokens_per_month, tokens
    else:
        name, what, limit = "messagesPerMonth", "messages a month", limits.messages_per_month or 0
        used = max(limit, usage.messages_used)  # somebody may have given one back since
    return limit_reached(
        name, what, plan=plan.display_name, limit=limit, used=used, now=now, resets_at=month_after(month_of(now))
    )
