"""Usage and limits: reserve, then settle or give back.

A message is counted, atomically and only below the limits, before the model is asked; so fifty requests at a limit of
ten get ten answers, however they interleave. An answer settles the reservation and adds its tokens in the transaction
that records the conversation. A failure gives the message back. A crash in between leaves a reservation that expires,
and the next reservation gives its message back. Nothing is ever counted in memory alone; what the last change
returned is kept there, so that reading usage does not wake a sleeping database.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString

from claw_crds.configuration import PlanConfiguration
from claw_runtime.problems import limit_reached
from claw_runtime.usage.limits import Tokens, Usage, day_after, month_of, refusal

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

RESERVED_FOR = timedelta(minutes=15)
"""Longer than the longest answer can take; see model.py."""


@dataclass(frozen=True)
class Reservation:
    """A message that is counted but not answered yet."""

    id: uuid.UUID
    period_start: datetime


_RETURNING: LiteralString = "period_start, messages_used, input_tokens, output_tokens, api_calls, version"

_READ: LiteralString = f"select {_RETURNING} from usage where period_start = %(period)s"  # noqa: S608 - our own names

_GIVE_EXPIRED_BACK: LiteralString = """
with expired as (
    delete from reservations
     where id in (select id from reservations where expires_at <= %(now)s for update skip locked)
    returning period_start
), lost as (
    select period_start, count(*) as messages from expired group by period_start
)
update usage
   set messages_used = greatest(0, messages_used - lost.messages), version = version + 1
  from lost
 where usage.period_start = lost.period_start
"""

# The row of the month is locked by its first statement until the transaction ends: what comes after it in the same
# transaction sees everything that earlier reservations did.
_RESERVE: LiteralString = f"""
with counted as (
    insert into usage as u (period_start, messages_used)
    select %(period)s, 1
     where (%(messages)s::bigint is null or 0 < %(messages)s)
       and (%(tokens)s::bigint is null or 0 < %(tokens)s)
    on conflict (period_start) do update
       set messages_used = u.messages_used + 1, version = u.version + 1
     where (%(messages)s::bigint is null or u.messages_used < %(messages)s)
       and (%(tokens)s::bigint is null or u.input_tokens + u.output_tokens < %(tokens)s)
    returning {_RETURNING}
), reserved as (
    insert into reservations (id, agent_id, period_start, expires_at)
    select %(id)s, %(agent)s, period_start, %(expires)s from counted
)
select * from counted
"""  # noqa: S608 - only our own column names are put in

# Agents have no table: there are those with conversations, in the order of their first, and those about to have one.
# After a change to a smaller plan the oldest ones go on working.
_OLDER_AGENTS: LiteralString = """
with mine as (
    select coalesce(min(created_at), 'infinity') as since from conversations where agent_id = %(agent)s
)
select count(*) as agents from (
    select agent_id from conversations, mine where agent_id <> %(agent)s
     group by agent_id, since having min(created_at) < since
    union
    select agent_id from reservations, mine where agent_id <> %(agent)s and since = 'infinity'
) as older
"""

# A reservation that expired under a very slow answer was given back already: then the message is counted again.
_SETTLE: LiteralString = f"""
with settled as (
    delete from reservations where id = %(id)s returning id
)
update usage
   set messages_used = messages_used + 1 - (select count(*) from settled),
       input_tokens = input_tokens + %(input)s,
       output_tokens = output_tokens + %(output)s,
       version = version + 1
 where period_start = %(period)s
returning {_RETURNING}
"""  # noqa: S608 - as above

_GIVE_BACK: LiteralString = f"""
with given as (
    delete from reservations where id = %(id)s returning period_start
)
update usage
   set messages_used = messages_used - 1, version = version + 1
  from given
 where usage.period_start = given.period_start
returning {", ".join("usage." + name for name in _RETURNING.split(", "))}
"""  # noqa: S608 - as above

_COUNT_CALL: LiteralString = f"""
with today as (
    insert into api_calls as c (day, calls)
    select %(day)s, 1 where %(calls)s::bigint is null or 0 < %(calls)s
    on conflict (day) do update set calls = c.calls + 1
     where %(calls)s::bigint is null or c.calls < %(calls)s
    returning calls
)
insert into usage as u (period_start, api_calls)
select %(period)s, 1 from today
on conflict (period_start) do update set api_calls = u.api_calls + 1, version = u.version + 1
returning {_RETURNING}
"""  # noqa: S608 - as above


class UsageLedger:
    """Counts in the database; remembers the last count. Raises DatabaseAway unless said otherwise."""

    def __init__(self, database: "Database", clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._latest: Usage | None = None

    def current(self) -> Usage:
        """Usage of this month as last seen. Never touches the database."""
        month = month_of(self._clock())
        if self._latest is None or self._latest.period_start != month:
            return Usage(month)
        return self._latest

    async def load(self) -> Usage:
        """Read this month's usage, and give back what a crash left reserved."""
        now = self._clock()
        async with self._database.connection() as connection:
            await connection.execute(_GIVE_EXPIRED_BACK, {"now": now})
            await self._read(connection, month_of(now))
        return self.current()

    async def count_call(self, plan: PlanConfiguration) -> None:
        """Count one call of the API. Raises Problem when the day's calls are used up."""
        now, limit = self._clock(), plan.limits.api_calls_per_day
        day = {"day": now.astimezone(UTC).date(), "period": month_of(now), "calls": limit}
        async with self._database.connection() as connection:
            row = await _one(connection, _COUNT_CALL, day)
        if row is not None:
            self.remember(Usage(**row))
            return
        raise limit_reached(
            "apiCallsPerDay",
            "calls of the API a day",
            plan=plan.display_name,
            limit=limit or 0,
            used=limit or 0,
            now=now,
            resets_at=day_after(now),
        )

    async def reserve(self, plan: PlanConfiguration, agent: str) -> Reservation:
        """Count one message of the agent, before it is answered. Raises Problem when a limit is reached."""
        now, limits = self._clock(), plan.limits
        reservation = Reservation(uuid.uuid4(), month_of(now))
        wish = {
            "id": reservation.id,
            "agent": agent,
            "period": reservation.period_start,
            "expires": now + RESERVED_FOR,
            "messages": limits.messages_per_month,
            "tokens": limits.tokens_per_month,
        }
        async with self._database.connection() as connection:
            await connection.execute(_GIVE_EXPIRED_BACK, {"now": now})
            async with connection.transaction():
                row = await _one(connection, _RESERVE, wish)
                if row is not None:
                    await self._check_agents(connection, plan, agent, now)
            if row is None:
                raise refusal(plan, await self._read(connection, reservation.period_start), now)
        self.remember(Usage(**row))
        return reservation

    async def settle(self, connection: "Connection", reservation: Reservation, tokens: Tokens) -> Usage:
        """Turn the reservation into a counted answer, in the caller's transaction; `remember` it after the commit."""
        cost = {"input": tokens.input, "output": tokens.output}
        row = await _one(connection, _SETTLE, {"id": reservation.id, "period": reservation.period_start, **cost})
        return Usage(**row) if row is not None else Usage(reservation.period_start)

    async def give_back(self, reservation: Reservation) -> None:
        """Undo the reservation. Doing so twice, or after it was settled, changes nothing."""
        async with self._database.connection() as connection:
            row = await _one(connection, _GIVE_BACK, {"id": reservation.id})
        if row is not None:
            self.remember(Usage(**row))

    async def _check_agents(self, connection: "Connection", plan: PlanConfiguration, agent: str, now: datetime) -> None:
        limit = plan.limits.agents
        if limit is None:
            return
        row = await _one(connection, _OLDER_AGENTS, {"agent": agent})
        older = int(row["agents"]) if row is not None else 0
        if older >= limit:
            raise limit_reached(
                "agents", "agents", plan=plan.display_name, limit=limit, used=older, now=now, resets_at=None
            )

    async def _read(self, connection: "Connection", period: datetime) -> Usage:
        row = await _one(connection, _READ, {"period": period})
        return self.remember(Usage(**row)) if row is not None else Usage(period)

    def remember(self, usage: Usage) -> Usage:
        """Keep what the database said, unless something newer is known."""
        known = self._latest
        if known is None or (known.period_start, known.version) < (usage.period_start, usage.version):
            self._latest = usage
        return usage


async def _one(connection: "Connection", statement: LiteralString, values: dict[str, Any]) -> dict[str, Any] | None:
    cursor = await connection.execute(statement, values)
    return await cursor.fetchone()
