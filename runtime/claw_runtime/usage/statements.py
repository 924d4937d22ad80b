"""The ledger's SQL. Locks are taken in one order everywhere: reservation, month, days; so nobody waits in a circle."""

from typing import LiteralString

_USAGE: LiteralString = "period_start, messages_used, input_tokens, output_tokens, api_calls, version"

READ: LiteralString = f"select {_USAGE} from usage where period_start = %(period)s"  # noqa: S608 - our own names

LOCK: LiteralString = f"""
insert into usage as u (period_start) values (%(period)s)
on conflict (period_start) do update set version = u.version + 1
returning {_USAGE}
"""  # noqa: S608 - our own names

# One that is being settled at this moment is locked, and skipped: it did not crash after all.
EXPIRE: LiteralString = """
with expired as (
    delete from reservations
     where id in (select id from reservations where expires_at <= %(now)s for update skip locked)
    returning period_start, source, day, needed
), by_month as (
    select period_start, count(*) filter (where source = 'chat') as messages, sum(needed) as needed
      from expired group by period_start
), counted as (
    update usage
       set messages_used = greatest(0, messages_used - by_month.messages),
           input_tokens = input_tokens + by_month.needed,
           version = version + 1
      from by_month
     where usage.period_start = by_month.period_start
), booked as (
    insert into usage_daily as d (day, model, purpose, input_tokens)
    select day, 'unknown', source, sum(needed) from expired group by day, source order by day, source
    on conflict (day, model, purpose) do update set input_tokens = d.input_tokens + excluded.input_tokens
)
select (select count(*) from expired) as expired,
       count(*) filter (where source = 'chat') as streams,
       coalesce(sum(tokens) filter (where period_start = %(month)s), 0)::bigint as tokens
  from reservations where expires_at > %(now)s
"""

RESERVE: LiteralString = f"""
with reserved as (
    insert into reservations (id, agent_id, period_start, expires_at, tokens, needed, source, day)
    values (%(id)s, %(agent)s, %(period)s, %(expires)s, %(tokens)s, %(needed)s, %(source)s, %(day)s)
)
update usage set messages_used = messages_used + %(messages)s, version = version + 1
 where period_start = %(period)s
returning {_USAGE}
"""  # noqa: S608 - our own names

END: LiteralString = "delete from reservations where id = %(id)s"

COUNT: LiteralString = f"""
update usage
   set messages_used = greatest(0, messages_used + %(messages)s),
       input_tokens = input_tokens + %(input)s,
       output_tokens = output_tokens + %(output)s,
       version = version + 1
 where period_start = %(period)s
returning {_USAGE}
"""  # noqa: S608 - our own names

# What a reservation that expired was booked with, before its turn turned out to be alive.
UNBOOK_UNKNOWN: LiteralString = """
update usage_daily set input_tokens = greatest(0, input_tokens - %(needed)s)
 where day = %(day)s and model = 'unknown' and purpose = %(source)s
"""
