"""Passes: unguessable tokens that let a customer in, each for one purpose and a limited time.

    sign_in   in a mail, fifteen minutes, once: whoever reads the customer's mail is the customer
    session   in a cookie, thirty days, until it is used up by signing out
    export    in the mails about an ended subscription, until the data goes, as often as wanted

Only the SHA-256 of a token is stored, so who reads this database cannot come in. A token is committed before anybody
gets to see it. The passes of a customer who was erased open nothing.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from claw_crds.keys import sha256
from claw_webhook.database import Connection, Pool, fetch_one

TOKEN = "[A-Za-z0-9_-]{43}"
"""What a token looks like, for the patterns of URLs."""
SIGN_IN_LIFETIME = timedelta(minutes=15)
SESSION_LIFETIME = timedelta(days=30)
EXPORT_LIFETIME = timedelta(days=365)
"""At the most, where data is kept for longer."""


class PassKind(StrEnum):
    """What a pass is for. It opens nothing else."""

    SIGN_IN = "sign_in"
    SESSION = "session"
    EXPORT = "export"


@dataclass(frozen=True)
class Pass:
    """Whom it lets in, and to what."""

    customer: str
    instance: str | None
    expires_at: datetime


class Passes:
    """The table `passes`. Every method raises psycopg.OperationalError while the database is away."""

    def __init__(
        self, pool: Pool, *, clock: Callable[[], datetime], new_token: Callable[[], str] = secrets.token_urlsafe
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._new_token = new_token

    async def issue(self, kind: PassKind, customer: str, *, lifetime: timedelta, instance: str | None = None) -> str:
        """A new token for that customer. Committed when this returns."""
        token, now = self._new_token(), self._clock()
        async with self._pool.connection() as connection:
            # The table never grows beyond what its customers could still use.
            await connection.execute("DELETE FROM passes WHERE customer = %s AND expires_at <= %s", [customer, now])
            await connection.execute(
                """
                INSERT INTO passes (token_sha256, kind, customer, instance, created_at, expires_at)
                VALUES (%s, %s, %s, %s, %s, %s)
                """,
                [sha256(token), kind, customer, instance, now, now + lifetime],
            )
        return token

    async def look(self, token: str, kind: PassKind) -> Pass | None:
        """The pass, without using it up; None when it is unknown, of another kind, used up or expired."""
        async with self._pool.connection() as connection:
            return await self._look(connection, token, kind)

    async def use(self, token: str, kind: PassKind) -> Pass | None:
        """The pass, for exactly one caller; from then on it is used up. None as in `look`."""
        async with self._pool.connection() as connection:
            found = await self._look(connection, token, kind)
            if found is None:
                return None
            taken = await fetch_one(
                connection,
                "UPDATE passes SET used_at = %s WHERE token_sha256 = %s AND used_at IS NULL RETURNING customer",
                [self._clock(), sha256(token)],
            )
            if taken and kind is PassKind.SIGN_IN:  # it came by mail: the address is the customer's own
                await connection.execute("UPDATE customers SET proven_email = email WHERE id = %s", [found.customer])
            return found if taken else None

    async def _look(self, connection: Connection, token: str, kind: PassKind) -> Pass | None:
        row = await fetch_one(
            connection,
            """
            SELECT customer, instance, expires_at
            FROM passes JOIN customers ON customers.id = passes.customer
            WHERE token_sha256 = %s AND kind = %s AND used_at IS NULL AND expires_at > %s AND erased_at IS NULL
            """,
            [sha256(token), kind, self._clock()],
        )
        return Pass(**row) if row else None
