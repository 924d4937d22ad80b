"""The heartbeat's tables: its settings, and one row for each beat, which is also the lock that makes it one.

A due moment is claimed by inserting its row. So of two processes one beats, and a moment whose beat was cut short by a
crash is not beaten again: it cost tokens once, and may have told something already.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

from pydantic import ValidationError

from claw_runtime.heartbeat.news import Beat, Cause, Ended, Way
from claw_runtime.heartbeat.settings import HeartbeatSettings

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

LEASE = timedelta(minutes=10)
"""Longer than a beat can take with everything that is told of it; see beat.py and delivery.py."""
KEPT = timedelta(days=30)
LISTED = 50
RETOLD = 5
"""Older news that one beat tries to tell, so that a dead webhook does not hold it up."""

_COLUMNS: LiteralString = (
    "due_at, cause, started_at, ended_at, outcome, reason, said as text, ways as untold, problem, conversation_id"
)

_SAVE: LiteralString = """
insert into heartbeat_settings (document, webhook_secret, updated_at)
values (%(document)s::jsonb, %(secret)s, %(now)s)
on conflict (singleton) do update
   set document = excluded.document, webhook_secret = excluded.webhook_secret, updated_at = excluded.updated_at
"""

_END_ABANDONED: LiteralString = """
update heartbeat_runs set ended_at = lease_until, outcome = 'failed', reason = 'interrupted'
 where ended_at is null and lease_until <= %(now)s
"""

# Nothing is inserted for a moment that has its row, nor while another beat goes on, nor for settings that another
# process has changed meanwhile.
_CLAIM: LiteralString = """
insert into heartbeat_runs (due_at, cause, started_at, lease_until)
select %(due)s, %(cause)s, %(now)s, %(lease)s
 where %(version)s::timestamptz is null
    or exists (select from heartbeat_settings where updated_at = %(version)s)
on conflict do nothing
returning due_at
"""

_END: LiteralString = """
update heartbeat_runs
   set ended_at = %(now)s, outcome = %(outcome)s, reason = %(reason)s, said = %(text)s, ways = %(ways)s
 where due_at = %(due)s and ended_at is null
returning due_at
"""


@dataclass(frozen=True)
class Stored:
    """The settings as they are in the database."""

    settings: HeartbeatSettings
    webhook_secret: str | None = None
    updated_at: datetime | None = None
    """None while nobody has ever changed them."""


class Records:
    """The heartbeat's rows. Every method raises DatabaseAway."""

    def __init__(self, database: "Database", clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def settings(self) -> Stored:
        """The settings; what they are by default when there are none, or none that can be read."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("select document, webhook_secret, updated_at from heartbeat_settings")
            row = await cursor.fetchone()
        if row is None:
            return Stored(HeartbeatSettings())
        try:
            settings = HeartbeatSettings.model_validate(row["document"])
        except ValidationError:  # of a newer version, or a time zone that this machine does not know: rather off
            settings = HeartbeatSettings()
        return Stored(settings, row["webhook_secret"], row["updated_at"])

    async def save(self, settings: HeartbeatSettings, secret: str | None) -> Stored:
        """Make them durable."""
        now = self._clock()
        values = {"document": settings.model_dump_json(by_alias=True), "secret": secret, "now": now}
        async with self._database.connection() as connection:
            await connection.execute(_SAVE, values)
        return Stored(settings, secret, now)

    async def claim(self, due: datetime, cause: Cause, version: datetime | None) -> bool:
        """Whether this caller has the beat of that moment. `version`: of the settings that made it due, if any."""
        now = self._clock()
        values = {"due": due, "cause": cause, "now": now, "lease": now + LEASE, "version": version}
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(_END_ABANDONED, values)
            await connection.execute("delete from heartbeat_runs where due_at < %s", [now - KEPT])
            cursor = await connection.execute(_CLAIM, values)
            return await cursor.fetchone() is not None

    async def end(self, due: datetime, ended: Ended) -> bool:
        """Record what came of it. False when that took so long that it is no longer the caller's: nothing is told."""
        values = {
            "due": due,
            "now": self._clock(),
            "outcome": ended.outcome,
            "reason": ended.reason,
            "text": ended.text,
            "ways": list(ended.ways),
        }
        async with self._database.connection() as connection:
            return await (await connection.execute(_END, values)).fetchone() is not None

    async def told(
        self, due: datetime, *, untold: Sequence[Way], problem: str | None, conversation_id: uuid.UUID | None
    ) -> None:
        """Record where the news has arrived, and where not."""
        async with self._database.connection() as connection:
            await connection.execute(
                """update heartbeat_runs
                      set ways = %s, problem = %s, conversation_id = coalesce(%s, conversation_id)
                    where due_at = %s""",
                [list(untold), problem, conversation_id, due],
            )

    async def untold(self) -> tuple[Beat, ...]:
        """News of the last day that a crash or an outage has kept from being told, the oldest first."""
        now = self._clock()
        return await self._read(
            "where outcome = 'told' and ways <> '{}' and due_at > %s and ended_at < %s order by due_at limit %s",
            now - timedelta(days=1),
            now - LEASE,  # until then, whoever has made it is telling it
            RETOLD,
        )

    async def last_told(self) -> Beat | None:
        """The latest beat of which something was told."""
        found = await self._read("where outcome = 'told' order by due_at desc limit 1")
        return found[0] if found else None

    async def latest(self) -> tuple[Beat, ...]:
        """The latest beats, the newest first."""
        return await self._read(f"order by due_at desc limit {LISTED}")

    async def beat(self, due: datetime) -> Beat:
        """The beat of that moment."""
        (found,) = await self._read("where due_at = %s", due)
        return found

    async def spent_today(self) -> int:
        """Tokens that beats have cost on this day, UTC."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """select sum(input_tokens + cache_write_tokens + cache_read_tokens + output_tokens) as tokens
                     from usage_daily where purpose = 'heartbeat' and day = %s""",
                [self._clock().astimezone(UTC).date()],
            )
            row = await cursor.fetchone()
        return int(row["tokens"] or 0) if row is not None else 0

    async def _read(self, which: LiteralString, *values: object) -> tuple[Beat, ...]:
        async with self._database.connection() as connection:
            return await _beats(connection, which, values)


async def _beats(connection: "Connection", which: LiteralString, values: Sequence[object]) -> tuple[Beat, ...]:
    cursor = await connection.execute(f"select {_COLUMNS} from heartbeat_runs {which}", values)  # noqa: S608 - our own
    return tuple(Beat(**row) for row in await cursor.fetchall())
