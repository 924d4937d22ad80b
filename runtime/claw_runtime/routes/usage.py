"""`/api/usage`: the month against the plan's limits, from memory; and what each day cost, from the ledger."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from pydantic import Field, model_validator

from claw_crds.resource import Model, Timestamp
from claw_runtime.routes import Access, Call, Nothing, Route
from claw_runtime.usage.daily import DailyUsage, Purpose, read
from claw_runtime.usage.limits import day_after, remaining

LONGEST_RANGE = timedelta(days=366)


class Measure(Model):
    """How much of a limit is used."""

    used: int | None = Field(description="Null while it is not known: finding out would wake the database.")
    limit: int | None = Field(description="Null where the plan sets none.")
    remaining: int | None
    resets_at: Timestamp | None = Field(default=None, description="Null for what does not begin anew.")


class UsageSummary(Model):
    """The running month, and what is kept, against the plan's limits."""

    period_start: Timestamp
    resets_at: Timestamp
    messages: Measure
    tokens: Measure
    input_tokens: int
    output_tokens: int
    api_calls: int = Field(description="In the month.")
    api_calls_today: Measure
    agents: Measure
    memories: Measure
    storage_bytes: Measure
    concurrent_streams_limit: int | None


class DayEntry(Model):
    """What one model was used for on one day (UTC)."""

    day: date
    model: str = Field(description="`unknown` for what was lost with a crash: only its first prompt is counted.")
    purpose: Purpose
    messages: int
    calls: int = Field(description="Of the model.")
    input_tokens: int = Field(description="All that was read.")
    cache_write_tokens: int = Field(description="Of these: read, and kept by the provider.")
    cache_read_tokens: int = Field(description="Of these: kept from an earlier call.")
    output_tokens: int
    searches: int
    cost_micros: int | None = Field(description="Millionths of the currency's smallest unit; null without prices.")


class DailyAnswer(Model):
    """The days from `since` to `until`, both included."""

    since: date
    until: date
    currency: str | None
    entries: tuple[DayEntry, ...]
    messages: int = Field(description="Of all entries, as are the sums below.")
    input_tokens: int
    output_tokens: int
    cost_micros: int


class DailyQuery(Model):
    """Which days."""

    since: date | None = Field(default=None, description="The first day; by default the first of the month.")
    until: date | None = Field(default=None, description="The last day; by default today.")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.since is None or self.until is None:
            return self
        if not timedelta() <= self.until - self.since <= LONGEST_RANGE:
            raise ValueError(f"until must be since or later, by at most {LONGEST_RANGE.days} days")
        return self


async def summary(call: Call[Nothing, Nothing]) -> UsageSummary:
    """The running month against the plan's limits. Never touches the database."""
    services, plan = call.services, call.configuration.plan
    usage, limits, now = services.usage.current(), plan.limits, services.clock()
    return UsageSummary(
        period_start=usage.period_start,
        resets_at=usage.resets_at,
        messages=_measure(limits.messages_per_month, usage.messages_used, usage.resets_at),
        tokens=_measure(limits.tokens_per_month, usage.tokens, usage.resets_at),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        api_calls=usage.api_calls,
        api_calls_today=_measure(limits.api_calls_per_day, services.usage.calls.today(), day_after(now)),
        agents=_measure(limits.agents, services.holdings.agents),
        memories=_measure(limits.memories, services.holdings.memories),
        storage_bytes=_measure(plan.storage_bytes, services.storage.used_bytes),
        concurrent_streams_limit=limits.concurrent_streams,
    )


async def daily(call: Call[Nothing, DailyQuery]) -> DailyAnswer:
    """What each day cost, by model and purpose."""
    since, until = _range(call.query, call.services.clock().astimezone(UTC).date())
    rows = await read(call.services.database, since, until)
    prices = call.configuration.plan.prices
    return DailyAnswer(
        since=since,
        until=until,
        currency=None if prices is None else prices.currency,
        entries=tuple(_entry(row) for row in rows),
        messages=sum(row.messages for row in rows),
        input_tokens=sum(row.tokens.read for row in rows),
        output_tokens=sum(row.tokens.output for row in rows),
        cost_micros=sum(row.cost_micros or 0 for row in rows),
    )


def _range(query: DailyQuery, today: date) -> tuple[date, date]:
    """The days that are meant; a half that is missing is as near to the other as it can be."""
    until = query.until or max(today, query.since or today)
    since = query.since or until.replace(day=1)
    return since, until if until - since <= LONGEST_RANGE else since + LONGEST_RANGE


def _measure(limit: int | None, used: int | None, resets_at: datetime | None = None) -> Measure:
    left = None if used is None else remaining(limit, used)
    return Measure(used=used, limit=limit, remaining=left, resets_at=resets_at)


def _entry(row: DailyUsage) -> DayEntry:
    return DayEntry(
        day=row.day,
        model=row.model,
        purpose=row.purpose,
        messages=row.messages,
        calls=row.calls,
        input_tokens=row.tokens.read,
        cache_write_tokens=row.tokens.cache_write,
        cache_read_tokens=row.tokens.cache_read,
        output_tokens=row.tokens.output,
        searches=row.tokens.searches,
        cost_micros=row.cost_micros,
    )


ROUTES: tuple[Route[Any, Any], ...] = (
    Route("GET", "/api/usage", summary, Access.CUSTOMER_ALWAYS, Nothing, Nothing, UsageSummary),
    Route("GET", "/api/usage/daily", daily, Access.CUSTOMER, Nothing, DailyQuery, DailyAnswer),
)
