"""Months, days, what is left and who may begin: the arithmetic of limits. Pure.

A period is a calendar month in UTC, for every customer, wherever they are: one rule that an invoice, a status and a
refusal all agree on. Calls of the API are limited by the day, in UTC too.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from claw_crds.configuration import PlanConfiguration
from claw_runtime.problems import Problem, limit_reached

Source = Literal["chat", "heartbeat"]
"""Why a turn takes place. Only what the customer asked for counts as a message and as a concurrent stream."""

SHARE = 8
"""A turn may use this part of the tokens that are left, so that those beside it have room as well."""
STREAM_RETRY_SECONDS = 5


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
    def tokens(self) -> int:
        """Read and written."""
        return self.input_tokens + self.output_tokens

    @property
    def resets_at(self) -> datetime:
        """When the month ends."""
        return month_after(self.period_start)


@dataclass(frozen=True)
class Underway:
    """What the answers in flight hold."""

    streams: int = 0
    """Questions of the customer that are being answered."""
    tokens: int = 0
    """Reserved in this month."""


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


def room(plan: PlanConfiguration, usage: Usage, underway: Underway, needed: int) -> int | None:
    """How many tokens a turn may use that needs so many at least; None when there is no limit."""
    left = remaining(plan.limits.tokens_per_month, usage.tokens + underway.tokens)
    return None if left is None else min(left, max(needed, left // SHARE))


def refusal(
    plan: PlanConfiguration, usage: Usage, underway: Underway, source: Source, needed: int, now: datetime
) -> Problem | None:
    """Why a turn that needs so many tokens may not begin, as the customer is told; None when it may."""
    limits, name, month = plan.limits, plan.display_name, month_after(usage.period_start)
    if source == "chat":
        messages, streams = limits.messages_per_month, limits.concurrent_streams
        if messages is not None and usage.messages_used >= messages:
            return limit_reached(
                "messagesPerMonth",
                "messages a month",
                plan=name,
                limit=messages,
                used=usage.messages_used,
                now=now,
                resets_at=month,
            )
        if streams is not None and underway.streams >= streams:
            return limit_reached(
                "concurrentStreams",
                "answers at the same time",
                plan=name,
                limit=streams,
                used=underway.streams,
                now=now,
                retry_after=STREAM_RETRY_SECONDS,
            )
    tokens, used = limits.tokens_per_month, usage.tokens + underway.tokens
    if tokens is None or used + max(1, needed) <= tokens:
        return None
    return limit_reached(
        "tokensPerMonth",
        "tokens a month",
        plan=name,
        limit=tokens,
        used=used,
        now=now,
        resets_at=month,
        note="" if used >= tokens else " What is left is too little for this question.",
    )
