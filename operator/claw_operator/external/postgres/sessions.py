"""How the postgres driver reaches the server: a few sessions as the admin role, each with a deadline.

A session that failed in any way is closed, never used again: with it go its transaction and its advisory locks, so
that no caller has to clean up after an error. One that the server closed while it was idle is noticed before it is
used. What psycopg raises becomes an ExternalError here, and nowhere else.
"""

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from claw_operator.external import ExternalError, Rejected, Transient, Unauthorized

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_CONNECT_SECONDS = 5
_LOCK_SECONDS = 10


class Sessions:
    """At most `size` sessions at the same time; more callers wait, within their deadline."""

    def __init__(self, admin_url: str, *, size: int, deadline: float) -> None:
        self._parameters = _session_parameters(admin_url, deadline)
        self._deadline = deadline
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def session(self, task: str) -> AsyncIterator[Connection]:
        """A session in autocommit mode. `task` completes "PostgreSQL could not …" in the error's message."""
        try:
            async with asyncio.timeout(self._deadline), self._slots:
                connection = await self._idle_one() or await self.connect()
                try:
                    yield connection
                except BaseException:
                    await connection.close()
                    raise
                self._idle.append(connection)
        except TimeoutError as error:
            raise Transient(f"PostgreSQL could not {task} within {self._deadline:.0f} s") from error
        except psycopg.Error as error:
            raise translated(error, task) from error

    async def connect(self, database: str | None = None) -> Connection:
        """A new session, the caller's to close; in another database than the admin's when one is named."""
        elsewhere = {} if database is None else {"dbname": database}
        return await psycopg.AsyncConnection.connect(autocommit=True, **self._parameters | elsewhere)

    async def aclose(self) -> None:
        """Close what is idle."""
        while self._idle:
            await self._idle.pop().close()

    async def _idle_one(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not _has_news(connection):
                return connection
            await connection.close()
        return None


def _session_parameters(admin_url: str, deadline: float) -> dict[str, Any]:
    parameters = conninfo_to_dict(admin_url)
    milliseconds = int(deadline * 1000)
    options = (
        str(parameters.get("options") or ""),
        # A customer's role may be able to create a function called lower() in a schema that everybody searches.
        "-c search_path=pg_catalog",
        f"-c statement_timeout={milliseconds}",
        f"-c idle_in_transaction_session_timeout={milliseconds}",
        f"-c lock_timeout={_LOCK_SECONDS * 1000}",
    )
    return {
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "claw-operator",
        **parameters,
        "options": " ".join(options).strip(),
    }


def _has_news(connection: Connection) -> bool:
    """Whether the server sent something unasked: nearly always its farewell. Costs no round trip."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


# Nothing of a failed login but its text reaches the client. An unknown text counts as transient: it is tried again.
_REFUSED = ("authentication failed", "no pg_hba.conf entry", "does not exist", "not permitted to log in")

_CHANGED_MEANWHILE = (
    errors.DuplicateObject,
    errors.DuplicateDatabase,
    errors.UndefinedObject,
    errors.InvalidCatalogName,
    errors.UniqueViolation,
)


def translated(error: psycopg.Error, task: str) -> ExternalError:
    """What the loop needs to know of an error of psycopg: whether waiting helps, and if not, who can."""
    if error.sqlstate is None and any(text in str(error) for text in _REFUSED):
        return Unauthorized(
            "PostgreSQL refuses the operator's admin role; check the address, user and password in "
            "CLAW_POSTGRES_ADMIN_URL"
        )
    if error.sqlstate is None:
        return Transient(f"PostgreSQL could not {task}: it does not answer, or the connection was lost")
    said = f"{error.diag.message_primary or type(error).__name__} (SQLSTATE {error.sqlstate})"
    if isinstance(error, errors.InsufficientPrivilege | errors.InvalidAuthorizationSpecification):
        return Unauthorized(f"PostgreSQL does not allow the operator's admin role to {task}: {said}")
    if isinstance(error, errors.DependentObjectsStillExist):
        return Rejected(f"PostgreSQL could not {task}: {said}")
    # The operational ones and the internal ones ("tuple concurrently updated") pass; so does a race that was lost.
    if isinstance(error, (psycopg.OperationalError, psycopg.InternalError, *_CHANGED_MEANWHILE)):
        return Transient(f"PostgreSQL could not {task}: {said}")
    return Rejected(f"PostgreSQL could not {task}: {said}")
