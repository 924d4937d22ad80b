"""The instance's own PostgreSQL, which may be asleep, away, or restarted at any time.

Three rules. Every wait has a deadline. An idle pool lets all its connections go and nothing polls, so that a sleeping
database can sleep. And when the database is away, requests learn it at once instead of queueing for it: one watcher
tries to connect, with backoff, and the first success lets everybody in again.

psycopg is imported when the database is first opened: it is a fifth of the time that a cold start would take.
"""

import asyncio
import logging
import random
import re
import select
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from math import inf
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.abc import Buffer
    from psycopg_pool import AsyncConnectionPool

    Row = dict[str, Any]
    Connection = AsyncConnection[Row]
    Pool = AsyncConnectionPool[Connection]

log = logging.getLogger(__name__)

POOL_SIZE = 8
IDLE_SECONDS = 20.0
"""After this long without use, connections are closed, one in each such period."""
TRUSTED_SECONDS = 1.0
"""A connection that was used so recently, and says nothing, is not asked: a turn borrows a dozen of them."""
WAIT_SECONDS = 5.0
"""For a connection: enough for a database that has to wake up, or to restart, before anybody is told."""
WORK_SECONDS = 15.0
"""For everything done within one `connection()` block, the wait included."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.1, 5.0

_CONNECT_OPTIONS: dict[str, Any] = {
    "application_name": "claw-runtime",
    "autocommit": True,  # one round trip for a statement instead of three; what must be atomic says `transaction()`
    "connect_timeout": 5,
    "prepare_threshold": 2,  # planning is half of what a turn's statements cost; ours is a session, without a pooler
    "keepalives_idle": 30,
    "tcp_user_timeout": 10_000,
}


class DatabaseAway(Exception):
    """The database did not do what it was asked: not there, not in time, or gone in the middle."""


class Database:
    """A pool of connections whose rows are dicts and whose statements commit by themselves.

        async with database.connection() as connection, connection.transaction():
            await connection.execute("update … where id = %(id)s", {"id": …})

    Raises DatabaseAway, and nothing of psycopg's, when the database cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        wait_seconds: float = WAIT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        work_seconds: float = WORK_SECONDS,
        jitter: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._wait_seconds = wait_seconds
        self._idle_seconds = idle_seconds
        self._work_seconds = work_seconds
        self._jitter = jitter
        self._monotonic = monotonic
        self._pool: Pool | None = None
        # A crowd of our own is no sign that the database is away. So it queues here, and not in the pool, which would
        # give up; whoever has a place is done within `work_seconds`, and nobody waits once the database is away.
        self._places = asyncio.Semaphore(POOL_SIZE)
        self._failures: tuple[type[BaseException], ...] = (TimeoutError,)
        self._present = asyncio.Event()
        self._present.set()
        self._refuses = False
        self._watcher: asyncio.Task[None] | None = None
        self._used: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()

    @property
    def away(self) -> bool:
        """Whether it was away when last used. Never touches the database."""
        return not self._present.is_set()

    @property
    def refuses(self) -> bool:
        """Whether it did not accept the credentials when last used. Waiting does not help; new ones do."""
        return self._refuses

    async def open(self) -> None:
        """Make the pool ready. Connects to nothing yet."""
        await asyncio.to_thread(import_module, "psycopg_pool")  # other requests are answered meanwhile
        from psycopg import InterfaceError, OperationalError
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool

        self._failures = (OperationalError, InterfaceError, TimeoutError)
        pool: Pool = AsyncConnectionPool(
            self._url,
            open=False,
            min_size=0,
            max_size=POOL_SIZE,
            max_idle=self._idle_seconds,
            timeout=self._wait_seconds,
            reconnect_timeout=self._wait_seconds / 2,
            check=self._check,
            reset=self._note_use,
            configure=_read_times_in_utc,
            kwargs=_CONNECT_OPTIONS | {"row_factory": dict_row},
        )
        await pool.open()
        self._pool = pool

    async def close(self) -> None:
        """Close all connections."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        if self._pool is not None:
            await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[Connection]":
        """A connection of the pool, for at most `work_seconds`. Raises DatabaseAway."""
        if self._pool is None or self.away:
            raise DatabaseAway
        async with self._places:
            if self.away:  # it went while others were served
                raise DatabaseAway
            try:
                async with asyncio.timeout(self._work_seconds), self._pool.connection() as connection:
                    yield connection
            except self._failures as error:
                self._gone()
                raise DatabaseAway from error

    async def wait_until_present(self, seconds: float | None = None) -> bool:
        """Wait until the database answers; False when it did not within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._present.wait()
        except TimeoutError:
            return False
        return True

    async def _check(self, connection: "Connection") -> None:
        """Whether the connection is still there, before somebody gets it. Raises what psycopg does."""
        rested = self._monotonic() - self._used.get(connection, -inf)
        if rested > TRUSTED_SECONDS or _has_news(connection):
            await connection.execute("")

    async def _note_use(self, connection: "Connection") -> None:
        self._used[connection] = self._monotonic()

    def _gone(self) -> None:
        self._used.clear()
        self._present.clear()
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch(), name="database-watcher")

    async def _watch(self) -> None:
        """Try to connect until it works. Logs when it begins to fail and when it ends, not each time."""
        from psycopg import AsyncConnection, Error

        since, delay = self._monotonic(), FIRST_RETRY_SECONDS
        told: bool | None = None
        while True:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    connection = await AsyncConnection.connect(self._url, **_CONNECT_OPTIONS)
                    await connection.close()
            except (Error, TimeoutError, OSError) as error:
                self._refuses = is_refusal(error)
                if told is not self._refuses:
                    told = self._refuses
                    what = "the database refuses the credentials" if told else "the database does not answer"
                    log.warning(what, extra={"reason": reason(error)})
                await asyncio.sleep(delay * (0.5 + self._jitter() / 2))
                delay = min(delay * 2, LAST_RETRY_SECONDS)
                continue
            if told is not None:
                log.info("the database answers again", extra={"seconds": round(self._monotonic() - since, 1)})
            self._refuses = False
            self._present.set()
            return


async def _read_times_in_utc(connection: "Connection") -> None:
    """Times come in the server's zone otherwise, and a month that begins at 20:00 of the day before."""
    from psycopg.types.datetime import TimestamptzLoader

    class InUtc(TimestamptzLoader):
        def load(self, data: "Buffer") -> datetime:
            return super().load(data).astimezone(UTC)

    connection.adapters.register_loader("timestamptz", InUtc)


def _has_news(connection: "Connection") -> bool:
    """Whether the server has said something that nobody asked for: mostly that it ends the connection."""
    news = select.poll()
    news.register(connection.fileno(), select.POLLIN)
    return bool(news.poll(0))


_REFUSALS = ("28000", "28P01")  # invalid authorization, invalid password
_REFUSAL = re.compile(
    r"(authentication failed|no pg_hba\.conf entry|is not permitted to log in|role .* does not exist)", re.IGNORECASE
)


def is_refusal(error: BaseException) -> bool:
    """Whether the database did not accept the credentials. Of a failed login libpq hands on nothing but its text."""
    sqlstate = getattr(error, "sqlstate", None)
    return sqlstate in _REFUSALS if sqlstate is not None else bool(_REFUSAL.search(str(error)))


def reason(error: BaseException) -> str:
    """Why a connection failed, without the names in it: those of host, role and database are nobody's business."""
    lines = [line for line in str(error).splitlines() if "failed" in line]
    last = lines[-1].rpartition("failed: ")[2] if lines else type(error).__name__
    return re.sub(r"\"[^\"]*\"|'[^']*'", "…", last)[:200]
