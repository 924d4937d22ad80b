"""What each day cost, by model and by purpose: the ledger behind the month's totals.

Booked in the transaction that settles a turn, on the day on which the turn began, so that the days of a month add up
to its usage. Costs are whole numbers: millionths of the currency's smallest unit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal, LiteralString

from claw_crds.configuration import ModelPrices
from claw_runtime.turns.messages import Tokens

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

Purpose = Literal["chat", "heartbeat", "compaction", "embedding"]


@dataclass(frozen=True)
class Spent:
    """What calls of one model for one purpose used."""

    model: str
    purpose: Purpose
    tokens: Tokens
    calls: int = 1


def cost_micros(prices: ModelPrices, tokens: Tokens) -> int:
    """Millionths of the currency's smallest unit. What the provider keeps costs a quarter more, what it kept a tenth.

    A price for a million tokens in whole units is, for one token, as many millionths.
    """
    read = tokens.input * 20 + tokens.cache_write * 25 + tokens.cache_read * 2
    return (read * prices.per_million_input_tokens + 19) // 20 + tokens.output * prices.per_million_output_tokens


def together(spent: Iterable[Spent]) -> tuple[Spent, ...]:
    """One entry for each model and purpose, in an order that two transactions share, or they would wait in a circle."""
    found: dict[tuple[str, Purpose], Spent] = {}
    for entry in spent:
        known = found.get((entry.model, entry.purpose), Spent(entry.model, entry.purpose, Tokens(), 0))
        found[entry.model, entry.purpose] = Spent(
            entry.model, entry.purpose, known.tokens + entry.tokens, known.calls + entry.calls
        )
    return tuple(found[key] for key in sorted(found))


def total(spent: Iterable[Spent]) -> Tokens:
    """All tokens of all entries."""
    return sum((entry.tokens for entry in spent), Tokens())


@dataclass(frozen=True)
class DailyUsage(Spent):
    """One row of the ledger."""

    day: date = field(kw_only=True)
    messages: int = field(kw_only=True)
    cost_micros: int | None = field(kw_only=True)


_READ: LiteralString = """
select day, model, purpose, messages, calls, input_tokens, cache_write_tokens, cache_read_tokens, output_tokens,
       searches, cost_micros
  from usage_daily where day between %(since)s and %(until)s order by day, model, purpose
"""

_BOOK: LiteralString = """
insert into usage_daily as d (day, model, purpose, messages, calls, input_tokens, cache_write_tokens,
                              cache_read_tokens, output_tokens, searches, cost_micros)
values (%(day)s, %(model)s, %(purpose)s, %(messages)s, %(calls)s, %(input)s, %(cache_write)s,
        %(cache_read)s, %(output)s, %(searches)s, %(cost)s)
on conflict (day, model, purpose) do update
   set messages = d.messages + excluded.messages,
       calls = d.calls + excluded.calls,
       input_tokens = d.input_tokens + excluded.input_tokens,
       cache_write_tokens = d.cache_write_tokens + excluded.cache_write_tokens,
       cache_read_tokens = d.cache_read_tokens + excluded.cache_read_tokens,
       output_tokens = d.output_tokens + excluded.output_tokens,
       searches = d.searches + excluded.searches,
       cost_micros = case when d.cost_micros is null and excluded.cost_micros is null then null
                          else coalesce(d.cost_micros, 0) + coalesce(excluded.cost_micros, 0) end
"""


async def book(
    connection: "Connection", day: date, spent: Sequence[Spent], prices: ModelPrices | None, *, messages: int
) -> None:
    """Add to the day's rows, in the caller's transaction. The messages are booked with the first entry for chat."""
    for entry in together(spent):
        booked = messages if entry.purpose == "chat" else 0
        messages -= booked
        await connection.execute(
            _BOOK,
            {
                "day": day,
                "model": entry.model,
                "purpose": entry.purpose,
                "messages": booked,
                "calls": entry.calls,
                "input": entry.tokens.input,
                "cache_write": entry.tokens.cache_write,
                "cache_read": entry.tokens.cache_read,
                "output": entry.tokens.output,
                "searches": entry.tokens.searches,
                "cost": None if prices is None else cost_micros(prices, entry.tokens),
            },
        )


async def read(database: "Database", since: date, until: date) -> tuple[DailyUsage, ...]:
    """The rows of these days, both included, in order. Raises DatabaseAway."""
    async with database.connection() as connection:
        cursor = await connection.execute(_READ, {"since": since, "until": until})
        rows = await cursor.fetchall()
    return tuple(
        DailyUsage(
            model=row["model"],
            purpose=row["purpose"],
            tokens=Tokens(
                input=row["input_tokens"],
                cache_write=row["cache_write_tokens"],
                cache_read=row["cache_read_tokens"],
                output=row["output_tokens"],
                searches=row["searches"],
            ),
            calls=row["calls"],
            day=row["day"],
            messages=row["messages"],
            cost_micros=row["cost_micros"],
        )
        for row in rows
    )
